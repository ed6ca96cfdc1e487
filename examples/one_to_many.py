"""One to many: a label goes in, a text comes out, a character at a time.

An LSTM learns on the built-in reviews, Korean and English, which character follows. It reads the label
first, and again, added, with every character, lest it forget. To write, it starts from the label alone and
reads each character it has just written. The reviews are few, so what it writes are words and bits of
reviews, rarely sense. Run it with `python examples/one_to_many.py`.
"""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from yeoun.data.batches import collate, training_order
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_builtin
from yeoun.data.tokens import TokenStore
from yeoun.nn.cells import State, lstm_step, weigh_input
from yeoun.nn.masking import real_positions
from yeoun.nn.recurrent import RecurrentLayer

END, UNKNOWN = 1, 2  # 0 is padding
FIRST_LABEL = 3  # negative, positive
FIRST_CHARACTER = 5


class Writer(nn.Module):
    """Ids [N, T], a label and then characters, to logits over what comes next [T, N, V]."""

    def __init__(self, entries: int, embedding: int = 64, hidden: int = 192, dropout: float = 0.3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(entries, embedding)
        self.layer = RecurrentLayer("lstm", embedding, hidden, initialization="keras")
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, entries)

    def forward(self, ids: Tensor) -> Tensor:
        embedded = self.embedding(ids.T)
        outputs = self.layer(self.dropout(embedded) + embedded[:1])  # the label, at every step
        logits: Tensor = self.head(self.dropout(outputs))
        return logits

    @torch.inference_mode()
    def write(self, label: int, generator: torch.Generator, temperature: float, longest: int) -> list[int]:
        """Return the ids of a text for `label`: one step of the cell a character, each drawn from the
        network's own probabilities, sharpened by a `temperature` below 1."""
        self.eval()
        zero = torch.zeros(1, self.layer.weight_hidden.shape[1])
        state, current, written = State(zero, zero), FIRST_LABEL + label, []
        of_label = self.embedding(torch.tensor([current]))
        while len(written) < longest:
            embedded = self.embedding(torch.tensor([current])) + of_label
            state, _ = lstm_step(weigh_input(embedded, self.layer.weights), state, self.layer.weights)
            logits = self.head(state.hidden)[0]
            logits[[0, UNKNOWN, *range(FIRST_LABEL, FIRST_CHARACTER)]] = -torch.inf
            probabilities = (logits / temperature).softmax(0)
            current = int(torch.multinomial(probabilities, 1, generator=generator))
            if current == END:
                break
            written.append(current)
        return written


def to_store(dataset: Dataset, ids: dict[str, int]) -> TokenStore:
    """Return label, characters and end of each text; a character that is not in `ids` is unknown."""
    rows = [
        [FIRST_LABEL + int(label), *(ids.get(c, UNKNOWN) for c in normalized(text)), END]
        for text, label in zip(dataset.texts, dataset.targets, strict=True)
    ]
    offsets = np.cumsum([0] + [len(row) for row in rows])
    return TokenStore(np.array([i for row in rows for i in row], np.int32), offsets)


def normalized(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def losses_of(network: Writer, store: TokenStore, rows: npt.NDArray[np.int64]) -> Tensor:
    """Return how unlikely each next character of these rows was, in nats, real characters only."""
    batch = collate(store, rows)
    ids = torch.from_numpy(batch.token_ids)
    logits = network(ids[:, :-1])
    real = real_positions(torch.from_numpy(batch.lengths - 1), len(logits))
    return functional.cross_entropy(logits[real], ids[:, 1:].T[real], reduction="none")


@torch.inference_mode()
def perplexity(network: Writer, store: TokenStore) -> float:
    """Return the perplexity: among how many equally likely characters the network, on average, still
    has to choose."""
    network.eval()
    losses = losses_of(network, store, np.arange(len(store)))
    network.train()
    return math.exp(float(losses.mean()))


@torch.inference_mode()
def own_label_share(network: Writer, dataset: Dataset, ids: dict[str, int]) -> float:
    """Return the share of texts that are likelier after their own label than after the other one."""
    network.eval()
    rows = np.arange(len(dataset))
    losses = []
    for label in range(len(dataset.label_names)):
        given = Dataset(dataset.texts, np.full(len(dataset), label), dataset.label_names)
        store = to_store(given, ids)
        losses.append([float(losses_of(network, store, rows[i : i + 1]).sum()) for i in rows])
    return float((np.array(losses).argmin(0) == dataset.targets).mean())


def train(network: Writer, store: TokenStore, held_out: TokenStore, epochs: int, seed: int) -> list[float]:
    """Train, and return the mean loss of each epoch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    print(f"perplexity of held-out texts before training: {perplexity(network, held_out):.1f}")
    for epoch in range(epochs):
        order = training_order(store.lengths, 32, seed, epoch)
        total = 0.0
        for rows in order:
            loss = losses_of(network, store, rows).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        losses.append(total / len(order))
        print(
            f"epoch {epoch + 1:>2}: perplexity {math.exp(losses[-1]):>6.1f} in training,"
            f" {perplexity(network, held_out):>6.1f} held out"
        )
    return losses


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train, print perplexities and samples, return the loss of each epoch. `--quick` makes two epochs."""
    quick = "--quick" in (sys.argv[1:] if arguments is None else arguments)
    seed = 0
    torch.manual_seed(seed)
    dataset = read_builtin()
    order = np.random.default_rng(seed).permutation(len(dataset))
    held_out, training = dataset.take(order[:120]), dataset.take(order[120:])
    characters = sorted({c for text in training.texts for c in normalized(text)})
    ids = {character: i + FIRST_CHARACTER for i, character in enumerate(characters)}

    network = Writer(len(ids) + FIRST_CHARACTER, hidden=64 if quick else 192)
    epochs = 2 if quick else 20
    losses = train(network, to_store(training, ids), to_store(held_out, ids), epochs, seed)

    share = own_label_share(network, held_out, ids)
    print(f"\nlikelier after their own label: {share:.2f} of {len(held_out)} held-out texts")

    names = {i: character for character, i in ids.items()}
    generator = torch.Generator().manual_seed(seed)
    for label, name in enumerate(dataset.label_names):
        print(f"\n{name}")
        for _ in range(5):
            written = network.write(label, generator, temperature=0.6, longest=80)
            print("  " + "".join(names[i] for i in written))
    return losses


if __name__ == "__main__":
    main()

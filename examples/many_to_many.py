"""Many to many: put the spaces back into a text, one decision a character.

All spaces are taken out of the built-in reviews, Korean and English; a bidirectional LSTM reads what is
left and says after each character whether a space followed. Run it with `python examples/many_to_many.py`.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from yeoun.data.batches import collate, training_order
from yeoun.data.sources import read_builtin
from yeoun.data.tokens import TokenStore
from yeoun.nn.masking import real_positions
from yeoun.nn.recurrent import RecurrentStack

UNKNOWN = 1  # 0 is padding


class Tagger(nn.Module):
    """Character ids [N, T] to one logit a character [T, N]; anything at padding."""

    def __init__(self, characters: int, width: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.encoder = RecurrentStack(
            "lstm", width, width, layers=1, bidirectional=True, dropout=0.0, initialization="keras"
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.encoder.width, 1)

    def forward(self, character_ids: Tensor, lengths: Tensor) -> Tensor:
        outputs = self.encoder(self.dropout(self.embedding(character_ids.T)), lengths).joined()
        logits: Tensor = self.head(self.dropout(outputs)).squeeze(2)
        return logits


class Examples(NamedTuple):
    """Texts without spaces as ids, and for each character 1 where a space followed it."""

    character_ids: TokenStore
    spaces: TokenStore


class Scores(NamedTuple):
    """The share of characters decided rightly, and the harmonic mean of precision and recall of spaces."""

    accuracy: float
    f1: float


def split_spaces(text: str) -> tuple[str, list[int]]:
    """Return `text` without its spaces, and for each character 1 where a space followed it."""
    words = unicodedata.normalize("NFC", text).split()
    spaces = [int(i == len(word) - 1) for word in words for i in range(len(word))]
    return "".join(words), [*spaces[:-1], 0]


def join_spaces(characters: str, spaces: Sequence[int]) -> str:
    """Return the text with a space after each character that has a 1."""
    return "".join(c + " " * int(space) for c, space in zip(characters, spaces, strict=True))


def to_examples(texts: Sequence[str], ids: dict[str, int]) -> Examples:
    """Return the examples of `texts`; a character that is not in `ids` is unknown."""
    pairs = [split_spaces(text) for text in texts]
    offsets = np.cumsum([0] + [len(characters) for characters, _ in pairs])
    flat = np.array([ids.get(c, UNKNOWN) for characters, _ in pairs for c in characters], np.int32)
    spaces = np.array([space for _, followed in pairs for space in followed], np.int32)
    return Examples(TokenStore(flat, offsets), TokenStore(spaces, offsets))


def masked_loss(logits: Tensor, spaces: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean cross-entropy over real characters; padding counts nothing."""
    real = real_positions(lengths, len(logits))
    return functional.binary_cross_entropy_with_logits(logits[real], spaces.T[real].float())


def train(network: Tagger, examples: Examples, epochs: int, seed: int) -> list[float]:
    """Train, and return the mean loss of each epoch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for epoch in range(epochs):
        order = training_order(examples.character_ids.lengths, 32, seed, epoch)
        total = 0.0
        for rows in order:
            batch, target = collate(examples.character_ids, rows), collate(examples.spaces, rows)
            lengths = torch.from_numpy(batch.lengths)
            logits = network(torch.from_numpy(batch.token_ids), lengths)
            loss = masked_loss(logits, torch.from_numpy(target.token_ids), lengths)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        losses.append(total / len(order))
        print(f"epoch {epoch + 1:>2}: loss {losses[-1]:.4f}")
    return losses


@torch.inference_mode()
def tag(network: Tagger, characters: str, ids: dict[str, int]) -> list[int]:
    """Return 1 for each character after which the network puts a space."""
    network.eval()
    character_ids = torch.tensor([[ids.get(c, UNKNOWN) for c in characters]])
    logits = network(character_ids, torch.tensor([len(characters)]))[:, 0]
    return [*(logits[:-1] > 0).int().tolist(), 0]


def score(spaces: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Scores:
    """Return how well `answers` restore `spaces`. The last character of a text is left out: no space can
    follow it."""
    truth = np.array([space for row in spaces for space in row[:-1]])
    given = np.array([space for row in answers for space in row[:-1]])
    both = int((truth & given).sum())
    return Scores(float((truth == given).mean()), 2 * both / max(1, int(truth.sum() + given.sum())))


def fit_pairs(texts: Sequence[str]) -> dict[str, bool]:
    """Return the baseline: for each pair of neighbours whether a space mostly stood between them."""
    votes: dict[str, int] = {}
    for text in texts:
        characters, spaces = split_spaces(text)
        for i, space in enumerate(spaces[:-1]):
            pair = characters[i : i + 2]
            votes[pair] = votes.get(pair, 0) + (1 if space else -1)
    return {pair: vote > 0 for pair, vote in votes.items()}


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train, print what came of it, and return the loss of each epoch. `--quick` makes two epochs."""
    quick = "--quick" in (sys.argv[1:] if arguments is None else arguments)
    seed = 0
    torch.manual_seed(seed)
    texts = read_builtin().texts
    order = np.random.default_rng(seed).permutation(len(texts))
    training, held_out = ([texts[i] for i in part] for part in (order[120:], order[:120]))
    characters = sorted({c for text in training for c in split_spaces(text)[0]})
    ids = {character: i + 2 for i, character in enumerate(characters)}

    network = Tagger(len(ids) + 2)
    losses = train(network, to_examples(training, ids), epochs=2 if quick else 15, seed=seed)

    pairs = fit_pairs(training)
    print(f"\n{'held-out texts':<20}{'accuracy':>10}{'F1 of spaces':>14}")
    for language in ("Korean", "English"):
        rows = [split_spaces(text) for text in held_out if is_korean(text) == (language == "Korean")]
        spaces = [row[1] for row in rows]
        answers = {
            "never a space": [[0] * len(row[0]) for row in rows],
            "pairs": [[int(pairs.get(row[0][i : i + 2], False)) for i in range(len(row[0]))] for row in rows],
            "this network": [tag(network, row[0], ids) for row in rows],
        }
        print(f"{language}, {len(rows)} texts")
        for name, given in answers.items():
            scores = score(spaces, given)
            print(f"  {name:<18}{scores.accuracy:>10.3f}{scores.f1:>14.3f}")

    print()
    for language in ("Korean", "English"):
        for text in [text for text in held_out if is_korean(text) == (language == "Korean")][:3]:
            joined = split_spaces(text)[0]
            print(f"read      {joined}\nrestored  {join_spaces(joined, tag(network, joined, ids))}\n")
    return losses


def is_korean(text: str) -> bool:
    return any("가" <= character <= "힣" for character in text)


if __name__ == "__main__":
    main()

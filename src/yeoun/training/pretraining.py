"""Pretraining: before it learns labels, a network learns from all texts, labelled or not, to say from a piece
of a text which words the rest of it has (`nn.two_views`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..config import Configuration
from ..data.batches import Batch, answering_order, collate, ragged
from ..data.rows import Dataset, fingerprint
from ..data.tokens import TokenStore
from ..errors import ConfigError, DataError
from ..nn.classifier import TextClassifier
from ..nn.shards import cores_for_shards
from ..nn.two_views import Guesses, TwoViewModel
from ..pretrained import Pretrained
from ..text.indexer import TextIndexer
from ..text.morphemes import ANALYZERS, analyzer
from .loop import IndexedRows, Learn, Outcome, Run, Score, go_on
from .machine import RANDOM_NUMBERS, conditions, resolve_device, resolve_precision
from .optimization import build_optimizer
from .state import Progress, TrainingFolder

Ints = npt.NDArray[np.int64]
_PIECE = 64  # tokens at most; a text has two pieces at least
_TOLD_APART = 20_000  # words that are guessed, the most frequent but
_COMMONEST = 500  # one in so many, which any text has
_TOKENS = 4_000  # in a batch
_PIECES = range(32, 257)  # in a batch
_RATE = 2e-3
_HELD_OUT = 50  # of so many texts one is
_SHORTEST = 2  # tokens of a text that has a rest


def pretrain(
    texts: Sequence[str],
    configuration: Configuration,
    seed: int = 0,
    precision: str = "auto",
    device: str = "auto",
    provenance: Mapping[str, Any] | None = None,
    folder: TrainingFolder | None = None,
    resume: bool = False,
    force: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Pretrained:
    """Return a network up to its head that learned from `texts`, of which a fiftieth is held out for the
    perplexity.

    precision, device, folder, resume, watch: as of `training.fit.fit`. Raises DataError for texts without a
    token, ConfigError for a network that cannot be pretrained, ResumeError for a state of other texts.
    """
    require_sequence(configuration)
    if not configuration.train.pretrain_epochs:
        raise ConfigError("train.pretrain_epochs = 0: expected 1 or more, passes over the texts")
    device = resolve_device(device)
    precision = resolve_precision(precision, device, configuration.model)
    scheme = configuration.text.scheme
    if configuration.model.vectors:
        raise ConfigError(
            f"model.vectors = {configuration.model.vectors!r}: expected none in pretraining alone"
        )
    identity = {
        "configuration": configuration.to_mapping(),
        "texts": fingerprint(texts),
        "analyzer": analyzer(scheme).version if scheme in ANALYZERS else None,
        **conditions(seed, device, precision),
    }
    if folder is not None:
        folder.check(identity, resume, force)
    order = np.random.default_rng([seed, 3]).permutation(len(texts))
    kept, held_out = np.split(
        np.arange(len(texts))[order], [len(texts) - max(len(texts) > 1, len(texts) // _HELD_OUT)]
    )
    kept.sort()
    indexer = folder.indexer(configuration.text) if folder is not None and resume else None
    learned = Dataset(texts, None, ()).take(kept).texts
    if indexer is None:
        indexer = TextIndexer.fit(learned, configuration.text)
    store = TokenStore.of(indexer.index(learned))
    unseen = TokenStore.of(indexer.index([texts[i] for i in held_out]))
    with RANDOM_NUMBERS, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TextClassifier(configuration.model, indexer.vocabulary_size, 2)
        network.precision = precision
        network.to(device)
        if folder is not None:
            folder.begin(identity, indexer, resume, force)
        with cores_for_shards():
            run = begin_pretraining(network, store, unseen, configuration, seed)
            go_on(run, folder, watch)
    weights = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    return Pretrained(
        configuration=configuration,
        indexer=indexer,
        weights={name: array for name, array in weights.items() if not name.startswith("head.")},
        figures=pretraining_figures(run, store),
        history=tuple(run.progress.history),
        provenance={**(provenance or {}), **identity},
    )


def begin_pretraining(
    network: TextClassifier, texts: TokenStore, held_out: TokenStore, configuration: Configuration, seed: int
) -> Run:
    """Return the run in which all of `network` but its head learns from `texts`. Its figures are of the texts
    held out, `validation_loss` in nats a word."""
    pieces, unseen = Pieces.of(texts), Pieces.of(held_out)
    if not len(pieces.store):
        raise DataError(
            f"no text of at least {_SHORTEST} tokens: expected some, to guess one part from another"
        )
    words, frequencies = told_apart(pieces.store, network.embedding.num_embeddings)
    torch.manual_seed(seed)
    model = TwoViewModel(network, torch.from_numpy(frequencies))
    model.to(network.embedding.weight.device)
    asked = configuration.train
    fitting = round(_TOKENS / float(pieces.store.lengths.mean()))
    train = replace(
        asked,
        epochs=asked.pretrain_epochs,
        batch_size=min(max(fitting, _PIECES.start), _PIECES[-1]),
        optimizer="adamw",
        learning_rate=_RATE,
        schedule="one-cycle",
        select_by="last",
        patience=0,
        average=0.0,
    )
    return Run(
        network=model,
        optimizer=build_optimizer(network, train, around=model),
        configuration=replace(configuration, text=replace(configuration.text, pad_to="none"), train=train),
        seed=seed,
        train=IndexedRows(pieces.store, None),
        learn=learn_words(model, pieces, words),
        score=score_words(unseen, words),
        progress=Progress(task="pretraining", epochs=asked.pretrain_epochs),
        best={},
    )


def require_sequence(configuration: Configuration) -> None:
    """Raise ConfigError for a network that does not read tokens in their order."""
    if configuration.model.inputs != "embedding":
        raise ConfigError(
            f"text.scheme = {configuration.text.scheme!r}: with train.pretrain_epochs expected another one,"
            " since pieces of a text are read token by token"
        )


@dataclass(frozen=True)
class Pieces:
    """store: pieces of texts, in their order. first, last: int64 [pieces], of each the first piece of its
    text and the one behind the last."""

    store: TokenStore
    first: Ints
    last: Ints

    @classmethod
    def of(cls, texts: TokenStore) -> Pieces:
        """Return the `texts`, but those too short, cut into pieces as even as can be."""
        texts = texts.at_least(_SHORTEST)
        counts = np.maximum(2, -(-texts.lengths // _PIECE))
        ends = counts.cumsum()
        return cls(texts.cut(counts), np.repeat(ends - counts, counts), np.repeat(ends, counts))

    def rest(self, pieces: Ints, words: Ints) -> npt.NDArray[np.float32]:
        """Return the shares of the words in the texts of `pieces` [N] beside these pieces, float32 [N, K], by
        the roots of their counts. words: of each token its number among the K, or -1."""
        offsets, choices = self.store.offsets, int(words.max(initial=-1)) + 1
        starts = offsets[self.first[pieces]]
        source, _ = ragged(starts, lengths := offsets[self.last[pieces]] - starts)
        row = np.repeat(np.arange(len(pieces)), lengths)
        word = words[self.store.token_ids[source]]
        is_own = (source >= offsets[pieces][row]) & (source < offsets[pieces + 1][row])
        counted = (row * choices + word)[~is_own & (word >= 0)]
        roots = np.sqrt(np.bincount(counted, minlength=len(pieces) * choices), dtype=np.float32)
        roots = roots.reshape(len(pieces), choices)
        return np.asarray(roots / np.maximum(roots.sum(1, keepdims=True), 1.0), np.float32)


def told_apart(texts: TokenStore, entries: int) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Return of each of the `entries` of a vocabulary its number among the words that are told apart, or -1,
    and how often each of those occurs: the most frequent, but for the very commonest."""
    counts = np.bincount(texts.token_ids, minlength=entries)
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    chosen = order[len(order) // _COMMONEST :][:_TOLD_APART]
    words = np.full(entries, -1, np.int64)
    words[chosen] = np.arange(len(chosen))
    return words, counts[chosen].astype(np.float32)


def learn_words(model: TwoViewModel, pieces: Pieces, words: Ints) -> Learn:
    """Return what leaves the gradients of a batch of `pieces` in `model`."""

    def learn(batch: Batch, draw: Callable[[], None]) -> Outcome:
        found = _guess(model, batch, pieces, words)
        if found.guesses:
            found.loss.backward()  # type: ignore[no-untyped-call]
        return Outcome(found.loss.item(), found.right, found.guesses)

    return learn


def score_words(held_out: Pieces, words: Ints) -> Score:
    """Return what scores a model on texts that it did not learn from."""

    @torch.no_grad()
    def score(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, TwoViewModel)
        model.eval()
        loss, right, guesses = 0.0, 0, 0
        for rows in answering_order(held_out.store.lengths, _TOKENS, _PIECES[-1]):
            some = _guess(model, collate(held_out.store, rows), held_out, words)
            loss, right = loss + float(some.loss) * some.guesses, right + some.right
            guesses += some.guesses
        guesses = max(1, guesses)
        return {"validation_loss": loss / guesses, "validation_accuracy": right / guesses}

    return score


def _guess(model: TwoViewModel, batch: Batch, pieces: Pieces, words: Ints) -> Guesses:
    device = model.scores.weight.device
    read = (batch.token_ids, batch.lengths, pieces.rest(batch.rows, words))
    return model.guess(*(torch.from_numpy(array).to(device) for array in read))


def pretraining_figures(run: Run, texts: TokenStore) -> dict[str, float | None]:
    """Return what the run over `texts` came to, for the metrics of a model; no perplexity where nothing was
    held out."""
    last = run.progress.history[-1]
    return {
        "texts": len(texts),
        "tokens": len(texts.token_ids),
        "epochs": run.progress.epoch,
        "seconds": round(run.progress.seconds, 2),
        "perplexity": math.exp(last["validation_loss"]) if last["validation_loss"] else None,
        "word_accuracy": last["validation_accuracy"],
    }

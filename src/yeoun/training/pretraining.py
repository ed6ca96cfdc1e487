"""Pretraining: before it learns labels, a network learns from all texts, labelled or not, to say from a piece
of a text which n-grams the rest of it has (`nn.two_views`, `targets`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..config import PIECES, TOKENS_OF_PIECES, Configuration
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
from .targets import Targets

Ints = npt.NDArray[np.int64]
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
        run = begin_pretraining(network, store, unseen, Targets.frequent(store), configuration, seed)
        if folder is not None:
            folder.begin(identity, indexer, resume, force)
        with cores_for_shards():
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
    network: TextClassifier,
    texts: TokenStore,
    held_out: TokenStore,
    targets: Targets,
    configuration: Configuration,
    seed: int,
) -> Run:
    """Return the run in which all of `network` but its head learns to guess `targets` from `texts`. Its
    figures are of the texts held out, `validation_loss` in nats an n-gram."""
    longest = configuration.train.pretrain_piece
    pieces, unseen = Pieces.of(texts, longest), Pieces.of(held_out, longest)
    if not len(pieces.store):
        raise DataError(
            f"no text of at least {_SHORTEST} tokens: expected some, to guess one part from another"
        )
    if not len(targets.counts):
        raise DataError("no n-gram of these texts can be guessed: expected words that several of them have")
    torch.manual_seed(seed)
    model = TwoViewModel(network, torch.from_numpy(targets.counts * targets.weights))
    model.to(network.embedding.weight.device)
    asked = configuration.train
    fitting = round(TOKENS_OF_PIECES / float(pieces.store.lengths.mean()))
    train = replace(
        asked,
        epochs=asked.pretrain_epochs,
        batch_size=min(max(fitting, PIECES.start), PIECES[-1]),
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
        learn=learn_to_guess(model, pieces, targets),
        score=score_guesses(unseen, targets),
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
    def of(cls, texts: TokenStore, longest: int) -> Pieces:
        """Return the `texts`, but those too short, cut into pieces as even as can be, of `longest` tokens at
        most."""
        texts = texts.at_least(_SHORTEST)
        counts = np.maximum(2, -(-texts.lengths // longest))
        ends = counts.cumsum()
        return cls(texts.cut(counts), np.repeat(ends - counts, counts), np.repeat(ends, counts))

    def rest(self, pieces: Ints, targets: Targets) -> tuple[Ints, npt.NDArray[np.float32]]:
        """Return the targets in the texts of `pieces` [N] beside these pieces, int64 [N, W], and their shares
        by the roots of their counts and by their weights, float32 [N, W], 0 behind the last."""
        offsets, choices = self.store.offsets, len(targets.counts)
        starts, ends = offsets[self.first[pieces]], offsets[self.last[pieces]]
        source, _ = ragged(starts, ends - starts)
        row = np.repeat(np.arange(len(pieces)), ends - starts)
        found = [np.zeros(0, np.int64)]
        for length, place, number in targets.find(self.store.token_ids[source], ends[row] - source):
            begins, text = source[place], row[place]
            is_own = (begins + length > offsets[pieces][text]) & (begins < offsets[pieces + 1][text])
            found.append((text * choices + number)[~is_own])
        keys, counts = np.unique(np.concatenate(found), return_counts=True)
        piece, number = np.divmod(keys, choices)
        roots = np.sqrt(counts) * targets.weights[number]
        different = np.bincount(piece, minlength=len(pieces))
        _, place = ragged(different, different)
        rest = np.zeros((len(pieces), max(1, different.max(initial=0))), np.int64)
        shares = np.zeros(rest.shape, np.float32)
        rest[piece, place] = number
        shares[piece, place] = roots / np.bincount(piece, roots, len(pieces))[piece]
        return rest, shares


def learn_to_guess(model: TwoViewModel, pieces: Pieces, targets: Targets) -> Learn:
    """Return what leaves the gradients of a batch of `pieces` in `model`."""

    def learn(batch: Batch, draw: Callable[[], None]) -> Outcome:
        found = _guess(model, batch, pieces, targets)
        if found.guesses:
            found.loss.backward()  # type: ignore[no-untyped-call]
        return Outcome(found.loss.item(), found.right, found.guesses)

    return learn


def score_guesses(held_out: Pieces, targets: Targets) -> Score:
    """Return what scores a model on texts that it did not learn from."""

    @torch.no_grad()
    def score(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, TwoViewModel)
        model.eval()
        loss, right, guesses = 0.0, 0, 0
        for rows in answering_order(held_out.store.lengths, TOKENS_OF_PIECES, PIECES[-1]):
            some = _guess(model, collate(held_out.store, rows), held_out, targets)
            loss, right = loss + float(some.loss) * some.guesses, right + some.right
            guesses += some.guesses
        guesses = max(1, guesses)
        return {"validation_loss": loss / guesses, "validation_accuracy": right / guesses}

    return score


def _guess(model: TwoViewModel, batch: Batch, pieces: Pieces, targets: Targets) -> Guesses:
    device = model.scores.weight.device
    read = (batch.token_ids, batch.lengths, *pieces.rest(batch.rows, targets))
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
        "ngram_accuracy": last["validation_accuracy"],
    }

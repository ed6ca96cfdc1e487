"""Pretraining: before they learn labels, embedding and encoder learn which token comes next, in both
directions, from all texts, labelled or not (Dai & Le 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..config import Configuration
from ..data.batches import Batch, answering_order, collate
from ..data.rows import Dataset, fingerprint
from ..data.tokens import TokenStore
from ..errors import ConfigError, DataError
from ..nn.classifier import TextClassifier
from ..nn.language import LanguageModel
from ..nn.shards import cores_for_shards
from ..pretrained import Pretrained
from ..text.indexer import TextIndexer
from ..text.morphemes import ANALYZERS, analyzer
from .loop import IndexedRows, Learn, Outcome, Run, Score, go_on
from .machine import RANDOM_NUMBERS, conditions, resolve_device, resolve_precision
from .optimization import build_optimizer
from .state import Progress, TrainingFolder

_TOLD_APART = 4_096  # tokens; all rarer ones count as one
_TOKENS = 12_000  # in a batch
_RATE = 2e-3
_HELD_OUT = 50  # of so many texts one is
_SHORTEST = 2  # tokens of a text in which there is something to guess


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
    """Return embedding and encoder that learned which token comes next in `texts`, of which a fiftieth is
    held out for the perplexity.

    precision, device, folder, resume, watch: as of `training.fit.fit`. Raises DataError for texts without a
    token, ConfigError for a network that cannot be pretrained, ResumeError for a state of other texts.
    """
    require_causal(configuration)
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
        weights={
            name: array for name, array in weights.items() if name.startswith(("embedding.", "encoder."))
        },
        figures=pretraining_figures(run),
        history=tuple(run.progress.history),
        provenance={**(provenance or {}), **identity},
    )


def begin_pretraining(
    network: TextClassifier, texts: TokenStore, held_out: TokenStore, configuration: Configuration, seed: int
) -> Run:
    """Return the run in which embedding and encoder of `network` learn from `texts`. Its figures are of the
    texts held out, `validation_loss` in nats a token."""
    texts, held_out = (store.at_least(_SHORTEST) for store in (texts, held_out))
    if not len(texts):
        raise DataError(f"no text of at least {_SHORTEST} tokens: expected some, of which to guess the next")
    torch.manual_seed(seed)
    model = LanguageModel(network, torch.from_numpy(most_frequent(texts, network.embedding.num_embeddings)))
    model.to(network.embedding.weight.device)
    asked = configuration.train
    train = replace(
        asked,
        epochs=asked.pretrain_epochs,
        batch_size=max(8, round(_TOKENS / max(1.0, float(texts.lengths.mean())))),
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
        train=IndexedRows(texts, None),
        learn=learn_words(model),
        score=score_words(held_out),
        progress=Progress(task="pretraining", epochs=asked.pretrain_epochs),
        best={},
    )


def require_causal(configuration: Configuration) -> None:
    """Raise ConfigError for a network that cannot be pretrained."""
    model = configuration.model
    if model.inputs != "embedding" or model.encoder == "convolution":
        raise ConfigError(
            f"train.pretrain_epochs = {configuration.train.pretrain_epochs}: expected 0, or a recurrent"
            " encoder over an embedding, which read a text token by token"
        )
    if model.layers > 1 and model.bidirectional:
        raise ConfigError(
            f"model.layers = {model.layers}: with train.pretrain_epochs expected 1, or"
            " model.bidirectional=false; a second layer over both directions has seen what it is to guess"
        )


def most_frequent(texts: TokenStore, entries: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the ids of the tokens that are told apart, the most frequent first."""
    counts = np.bincount(texts.token_ids, minlength=entries)
    return np.argsort(-counts, kind="stable")[: min(_TOLD_APART, int((counts > 0).sum()))]


def learn_words(model: LanguageModel) -> Learn:
    """Return what leaves the gradients of a batch in `model`."""

    def learn(batch: Batch, draw: Callable[[], None]) -> Outcome:
        device = model.scores.device
        token_ids, lengths = (
            torch.from_numpy(array).to(device) for array in (batch.token_ids, batch.lengths)
        )
        loss, right, guesses = model.guess(token_ids, lengths)
        mean = loss / guesses
        mean.backward()  # type: ignore[no-untyped-call]
        return Outcome(mean.item(), right, guesses)

    return learn


def score_words(held_out: TokenStore) -> Score:
    """Return what scores a language model on texts that it did not learn from."""

    @torch.no_grad()
    def score(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, LanguageModel)
        model.eval()
        loss, right, guesses, device = 0.0, 0, 0, model.scores.device
        for rows in answering_order(held_out.lengths, _TOKENS):
            batch = collate(held_out, rows)
            some = model.guess(
                *(torch.from_numpy(each).to(device) for each in (batch.token_ids, batch.lengths))
            )
            loss, right, guesses = loss + float(some.loss), right + some.right, guesses + some.guesses
        guesses = max(1, guesses)
        return {"validation_loss": loss / guesses, "validation_accuracy": right / guesses}

    return score


def pretraining_figures(run: Run) -> dict[str, float | None]:
    """Return what the run came to, for the metrics of a model; no perplexity where nothing was held out."""
    last = run.progress.history[-1]
    return {
        "texts": len(run.train.store),
        "tokens": len(run.train.store.token_ids),
        "epochs": run.progress.epoch,
        "seconds": round(run.progress.seconds, 2),
        "perplexity": math.exp(last["validation_loss"]) if last["validation_loss"] else None,
        "next_token_accuracy": last["validation_accuracy"],
    }

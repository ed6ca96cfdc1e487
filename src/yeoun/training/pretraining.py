"""Pretraining: before they learn labels, embedding and encoder learn which token comes next, in both
directions, from all texts, labelled or not (Dai & Le 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..config import Configuration
from ..data.batches import Batch, answering_order, collate
from ..data.tokens import TokenStore
from ..errors import ConfigError
from ..nn.classifier import TextClassifier
from ..nn.language import LanguageModel
from .loop import IndexedRows, Learn, Outcome, Run, Score
from .optimization import build_optimizer
from .state import Progress

_TOLD_APART = 4_096  # tokens; all rarer ones count as one
_TOKENS = 12_000  # in a batch
_RATE = 2e-3
_SHORTEST = 2  # tokens of a text in which there is something to guess


def begin_pretraining(
    network: TextClassifier, texts: TokenStore, held_out: TokenStore, configuration: Configuration, seed: int
) -> Run:
    """Return the run in which embedding and encoder of `network` learn from `texts`. Its figures are of the
    texts held out, `validation_loss` in nats a token."""
    texts, held_out = (store.at_least(_SHORTEST) for store in (texts, held_out))
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


def pretraining_figures(run: Run) -> dict[str, float]:
    """Return what the run came to, for the metrics of a model."""
    last = run.progress.history[-1]
    return {
        "texts": len(run.train.store),
        "tokens": len(run.train.store.token_ids),
        "epochs": run.progress.epoch,
        "seconds": round(run.progress.seconds, 2),
        "perplexity": math.exp(last["validation_loss"]),
        "next_token_accuracy": last["validation_accuracy"],
    }

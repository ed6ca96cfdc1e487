"""What a classifier learns from a batch, its labels, and what it is worth on the validation rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..config import Configuration, TrainConfig
from ..data.batches import Batch
from ..evaluation.metrics import count_right, decide, log_loss
from ..inference import Floats, answer, to_probabilities, torch_forward
from ..nn.classifier import TextClassifier
from .combination import PULL, fit_scales
from .loop import IndexedRows, Learn, Outcome, Score
from .objective import adversary, count_hits, disagreement, objective

_ENOUGH = 50  # validation rows


def learn_labels(
    network: TextClassifier, config: TrainConfig, weights: Tensor | None, beside: Floats | None = None
) -> Learn:
    """Return what leaves the gradients of a batch in `network`. weights: how much each label of the training
    rows counts, of their labels' shape, None where all count alike. beside: what others add to the logits of
    each training row, [rows, C]."""
    others = None if beside is None else torch.from_numpy(beside)

    def learn(batch: Batch, draw: Callable[[], None]) -> Outcome:
        if config.consistency:
            batch = _twice(batch)
        assert batch.labels is not None
        device = network.embedding.weight.device
        token_ids, lengths, labels = (
            torch.from_numpy(array).to(device) for array in (batch.token_ids, batch.lengths, batch.labels)
        )
        counted = None if weights is None else weights[batch.rows].to(device)
        added = 0.0 if others is None else others[batch.rows].to(device)
        embedded = network.embed(token_ids, lengths)
        if config.adversarial:
            embedded.retain_grad()
        whole = network.read(embedded, lengths) + added
        loss = objective(whole, labels, config.label_smoothing, counted)
        apart = config.consistency and config.consistency * disagreement(whole, labels, counted)
        (loss + apart).backward()  # type: ignore[no-untyped-call]
        if config.adversarial:
            draw()  # the same words and units are dropped again
            shifted = network.embed(token_ids, lengths)
            shifted = shifted + adversary(embedded, network.steps(lengths), config.adversarial)
            whole_of_shifted = network.read(shifted, lengths) + added
            harder = objective(whole_of_shifted, labels, config.label_smoothing, counted)
            harder.backward()  # type: ignore[no-untyped-call]
        return Outcome(loss.item(), count_hits(whole, labels), len(labels))

    return learn


def _twice(batch: Batch) -> Batch:
    """Return the rows of `batch` and the same once more behind them."""
    assert batch.labels is not None
    return replace(
        batch,
        rows=np.tile(batch.rows, 2),
        token_ids=np.tile(batch.token_ids, (2, 1)),
        lengths=np.tile(batch.lengths, 2),
        labels=np.concatenate([batch.labels, batch.labels]),
    )


def score_labels(valid: IndexedRows, configuration: Configuration, beside: Floats | None = None) -> Score:
    """Return what scores a classifier on the validation rows. Where probabilities will be calibrated, by rows
    enough to say how, the loss is that of logits scaled so. beside: what others add to the logits."""
    will_be_scaled = configuration.train.calibrate or configuration.model.ngrams

    def score(network: nn.Module) -> dict[str, float]:
        assert isinstance(network, TextClassifier)
        assert valid.labels is not None
        several = valid.labels.ndim == 2
        logits = answer(valid.store, configuration.text, torch_forward(network))
        if beside is not None:
            logits = logits + beside
        if will_be_scaled and len(valid.labels) >= _ENOUGH:
            logits = logits * np.float32(fit_scales([logits], valid.labels, [PULL])[0])
        probabilities = to_probabilities(logits, several)
        right = count_right(decide(probabilities, several), valid.labels)
        return {
            "validation_loss": log_loss(probabilities, valid.labels),
            "validation_accuracy": right / len(valid.labels),
        }

    return score

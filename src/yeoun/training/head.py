"""The head as it starts on a pretrained network: a logistic regression on what that makes of the rows.

From a head drawn at random, the first steps would unlearn what was learned of text alone (Kumar et al. 2022).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ..config import Configuration
from ..data.batches import Batch
from ..inference import Floats, Forward, answer
from ..nn.classifier import TextClassifier
from .loop import IndexedRows
from .objective import objective

_ROWS, _SCORES = 50_000, 5_000_000  # that it learns from at most
_PULL = 0.02  # on a squared weight of a unit of spread 1, against the mean loss of the rows;
_PULL_OF_FEW = 30.0  # and against the sum of their losses
_STEPS = 100


def start_head(
    network: TextClassifier, rows: IndexedRows, configuration: Configuration, weights: Tensor | None
) -> None:
    """Set the head of `network` to what tells the labels of `rows` apart best. weights: how much each label
    counts, of their shape, None where all count alike."""
    assert rows.labels is not None
    device, head = network.embedding.weight.device, network.head
    some = _some(rows.labels, head.out_features)
    summaries = torch.from_numpy(answer(rows.store.take(some), configuration.text, _summaries(network)))
    spread, mean = torch.std_mean(summaries, dim=0, correction=0)
    spread = torch.maximum(spread, 0.01 * mean.abs()).clamp(min=1e-6)  # else dropout moves the mean's share
    summaries = summaries.sub_(mean).div_(spread).to(device)
    labels = torch.from_numpy(rows.labels[some]).to(device)
    counted = None if weights is None else weights[torch.from_numpy(some)].to(device)
    pull = (_PULL + _PULL_OF_FEW / len(labels)) / (labels.shape[1] if labels.dim() == 2 else 1)
    weight, bias = (torch.zeros_like(p, requires_grad=True) for p in (head.weight, head.bias))
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = functional.linear(summaries, weight, bias)
        loss = objective(logits, labels, 0.0, counted) + pull * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.weight.copy_(weight / spread.to(device))
        head.bias.copy_(bias - head.weight @ mean.to(device))


def _some(labels: npt.NDArray[np.int64], scores: int) -> npt.NDArray[np.bool_]:
    """Return which rows the head learns from: all, or of many some by chance, with one of each label."""
    some, most = np.zeros(len(labels), bool), min(_ROWS, max(1_000, _SCORES // scores))
    some[np.random.default_rng(0).permutation(len(labels))[:most]] = True
    some[labels.argmax(0) if labels.ndim == 2 else np.unique(labels, return_index=True)[1]] = True
    return some


def _summaries(network: TextClassifier) -> Forward:
    network.eval()

    def forward(batch: Batch) -> Floats:
        device = network.embedding.weight.device
        with torch.inference_mode():
            token_ids, lengths = (
                torch.from_numpy(each).to(device) for each in (batch.token_ids, batch.lengths)
            )
            return np.asarray(network.summarize(network.embed(token_ids, lengths), lengths).cpu().numpy())

    return forward

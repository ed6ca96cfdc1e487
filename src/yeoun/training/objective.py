"""What training makes small."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def objective(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the mean loss (nats) of `logits` against `labels` [N] (int64).

    Cross-entropy for logits [N, C]; binary cross-entropy for a sigmoid's [N, 1]. `smoothing` spreads
    that share of each target evenly over the classes (Szegedy et al. 2016).
    """
    if logits.shape[1] == 1:
        targets = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits.squeeze(1), targets)
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def count_right(logits: Tensor, labels: Tensor) -> int:
    """Return how many rows have their own label first."""
    predicted = (logits > 0).squeeze(1).long() if logits.shape[1] == 1 else logits.argmax(1)
    return int((predicted == labels).sum())

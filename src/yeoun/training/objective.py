"""What training makes small."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def objective(
    logits: Tensor, labels: Tensor, smoothing: float, class_weights: Tensor | None = None
) -> Tensor:
    """Return the mean loss (nats) of `logits` against `labels` [N] (int64).

    Cross-entropy for logits [N, C]; binary cross-entropy for a sigmoid's [N, 1]. `smoothing` spreads
    that share of each target evenly over the classes (Szegedy et al. 2016). `class_weights` [C] weighs
    each row by its label; the mean is then the weighted one.
    """
    if logits.shape[1] == 1:
        targets = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits.squeeze(1), targets, reduction="none")
    else:
        losses = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    if class_weights is None:
        return losses.mean()
    weights = class_weights[labels]
    return (losses * weights).sum() / weights.sum()


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Return a weight for each class [C], inverse to its rows in `labels`, 1 on average over the rows."""
    counts = labels.bincount(minlength=classes).clamp(min=1)
    return len(labels) / (classes * counts.float())


def count_right(logits: Tensor, labels: Tensor) -> int:
    """Return how many rows have their own label first."""
    predicted = (logits > 0).squeeze(1).long() if logits.shape[1] == 1 else logits.argmax(1)
    return int((predicted == labels).sum())

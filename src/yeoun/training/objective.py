"""What training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..config import TrainConfig
from ..data.rows import Dataset
from ..nn.masking import real_positions


def objective(logits: Tensor, labels: Tensor, smoothing: float, weights: Tensor | None = None) -> Tensor:
    """Return the mean loss (nats) of `logits` against `labels` [N], or 0 and 1 in [N, C] (int64).

    Cross-entropy for logits [N, C]; binary cross-entropy for a sigmoid's [N, 1] and for several labels a
    row. `smoothing` spreads that share of each target evenly over the classes (Szegedy et al. 2016).
    `weights`, of the shape of `labels`, say how much each of them counts; their mean over all training
    rows is 1.
    """
    if labels.dim() == 2 or logits.shape[1] == 1:
        targets = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            logits.view_as(targets), targets, reduction="none"
        )
    else:
        losses = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    return losses.mean() if weights is None else (losses * weights).mean()


def disagreement(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return how far the answers of two readings are apart, those of the first half of the rows and those of
    the second: a quarter of the symmetric Kullback-Leibler divergence (nats), mean over the rows, and over
    several labels of a row.

    labels, weights: as of `objective`, which is the mean of both readings, so that what the paper weighs with
    alpha against their sum is weighed alike here (R-Drop, Liang et al. 2021).
    """
    several = labels.dim() == 2 or logits.shape[1] == 1
    probabilities = logits.sigmoid() if several else logits.softmax(1)
    first, second = logits.chunk(2)
    ours, theirs = probabilities.chunk(2)
    apart = (ours - theirs) * (first - second)
    apart = apart if several else apart.sum(1)  # where the normalisers cancel
    counted = 1.0 if weights is None else weights.chunk(2)[0].view_as(apart)
    return (apart * counted).mean() / 4


def adversary(embedded: Tensor, lengths: Tensor, share: float) -> Tensor:
    """Return the shift of `embedded` [T, N, E] along its gradient: of each text, over all its steps together,
    `share` of the norm that one of its `lengths` [N] steps has (root mean square)."""
    assert embedded.grad is not None
    real = real_positions(lengths, len(embedded)).unsqueeze(2)
    squares = (embedded * real).square().sum((0, 2), keepdim=True) / lengths.clamp(min=1).view(1, -1, 1)
    # The square of a smaller norm would be no number, and the shift without bounds.
    norm = torch.linalg.vector_norm(embedded.grad, dim=(0, 2), keepdim=True).clamp(min=1e-12)
    shift: Tensor = embedded.grad * (share * squares.sqrt() / norm)
    return shift.detach()


def label_weights(train: Dataset, config: TrainConfig) -> Tensor | None:
    """Return how much each label counts, their mean being 1: the rows' own weights times those that balance
    the classes. None where all count alike."""
    if train.weights is None and config.class_weight == "none":
        return None
    labels = torch.from_numpy(train.targets)
    weights = torch.ones(labels.shape, dtype=torch.float64)  # in which the sum of the largest is a number
    if config.class_weight == "balanced":
        weights = balanced_weights(labels, len(train.label_names))
    if train.weights is not None:
        weights *= torch.from_numpy(train.weights).view(-1, *[1] * (weights.dim() - 1))
    return (weights / weights.mean()).float()


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Return how much each label counts, of the shape of `labels` and 1 on average, so that all classes
    count alike; of several labels a row [N, C], presence and absence of each."""
    if labels.dim() == 2:
        present = labels.sum(0).clamp(1, len(labels) - 1).float()
        return len(labels) / (2 * torch.where(labels == 1, present, len(labels) - present))
    counts = labels.bincount(minlength=classes).clamp(min=1)
    return (len(labels) / (classes * counts.float()))[labels]


def count_hits(logits: Tensor, labels: Tensor) -> int:
    """Return how many rows have their own label first, or of several each on its side of 0."""
    if labels.dim() == 2:
        return int(((logits > 0) == labels.bool()).all(1).sum())
    predicted = (logits > 0).squeeze(1).long() if logits.shape[1] == 1 else logits.argmax(1)
    return int((predicted == labels).sum())

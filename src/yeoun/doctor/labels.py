"""Likely label errors, by confident learning (Northcutt et al. 2021).

Each row is judged by a machine that did not see its label: that of the n-gram branch, held closer to zero
than in training, since some of the labels are wrong. What it gives a row's own label is the row's confidence.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data.rows import Dataset, statistics
from ..evaluation.evenness import EVEN
from ..inference import to_probabilities
from ..presets import resolve
from ..training.combination import PULL, as_wide, fit_evenness, fit_scales
from ..training.ngrams import score_unseen
from .examination import Examination, Finding, Places

Floats = npt.NDArray[np.float32]
_PENALTY = 0.3  # the machine's C; in training it is 1 or 2
_LEAST = 50  # rows, below which nothing can be said


def label_errors(examined: Examination) -> Finding | None:
    """Return the rows that confidently seem to be of another label, the least likely labels in front."""
    rows = examined.rows
    if rows.labels is None or len(rows) < _LEAST or len(np.unique(rows.targets, axis=0)) < 2:
        return None
    probabilities = out_of_fold(rows)
    likely = confident_labels(probabilities, rows.targets)
    is_error = (likely != rows.targets).reshape(len(rows), -1).any(1)
    places = worst_first(probabilities, rows.targets)
    places = places[is_error[places]]
    advice = (
        "a model that did not see them is confident of another label. The worst stand in front: read from"
        " there, mend what is wrong, and stop where most are right, since hard and odd rows are among them"
    )
    return examined.find("label-error", places, advice, suggested=[rows.named(likely[i]) for i in places])


def out_of_fold(rows: Dataset, seed: int = 0) -> Floats:
    """Return the probability of each label, float32 [rows, classes], by machines that did not see it."""
    classes = len(rows.label_names)
    config = resolve("balanced", statistics(rows)).text
    logits = as_wide(score_unseen(rows, config, seed, penalty=_PENALTY), classes)
    evenness = EVEN
    if classes > 2 and not rows.is_multilabel:
        evenness, scale = fit_evenness(logits, rows.targets)
    else:
        (scale,) = fit_scales([logits], rows.targets, [PULL])
    return to_probabilities(logits * np.float32(scale), rows.is_multilabel, evenness)


def worst_first(probabilities: Floats, labels: npt.NDArray[np.int64]) -> Places:
    """Return the places of all rows, by rising probability of their own label; of several labels a row, of
    the one that is least likely right."""
    if labels.ndim == 2:
        own = np.where(labels == 1, probabilities, 1 - probabilities).min(1)
    else:
        own = probabilities[np.arange(len(labels)), labels]
    return np.argsort(own, kind="stable")


def confident_labels(probabilities: Floats, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the labels that the rows seem to deserve, in the shape of `labels`: the likeliest of those whose
    probability is no less than its mean over the rows that have it; without any, the row's own."""
    if labels.ndim == 2:  # each label, to have or not to have
        pairs = (np.stack([1 - each, each], 1) for each in probabilities.T)
        return np.stack([confident_labels(*each) for each in zip(pairs, labels.T, strict=True)], 1)
    classes = range(probabilities.shape[1])
    means = [probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in classes]
    confident = np.where(probabilities >= means, probabilities, -1)
    return np.where(confident.max(1) >= 0, confident.argmax(1), labels)

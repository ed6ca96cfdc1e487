"""What a prediction is worth: accuracy with its interval, F1, log loss, calibration error.

`probabilities` are float [rows, classes]. `labels` are int64 [rows], and the probabilities of a row then add
up to 1; or, where a row may have several labels, 0 or 1 in [rows, classes], and each stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metrics:
    """The figures of one evaluation; shares, not percentages."""

    rows: int
    accuracy: float
    accuracy_ci95: list[float]
    macro_f1: float
    log_loss: float
    ece: float


@dataclass(frozen=True)
class MultilabelMetrics:
    """The figures where a row may have several labels. subset_accuracy: of rows with all labels right."""

    rows: int
    subset_accuracy: float
    subset_accuracy_ci95: list[float]
    micro_f1: float
    macro_f1: float
    log_loss: float
    ece: float


def measure(
    probabilities: Floats, labels: Labels, thresholds: Floats | None = None
) -> Metrics | MultilabelMetrics:
    """Return the metrics of `probabilities` against `labels`, of which there is at least one row.

    thresholds: float [classes], where a row may have several labels (0.5 each without them).
    """
    predicted = decide(probabilities, labels.ndim == 2, thresholds)
    right, rows = count_right(predicted, labels), len(labels)
    shared = {
        "macro_f1": macro_f1(predicted, labels),
        "log_loss": log_loss(probabilities, labels),
        "ece": calibration_error(probabilities, labels),
    }
    share, interval = right / rows, list(wilson_interval(right, rows))
    if labels.ndim == 1:
        return Metrics(rows, share, interval, **shared)
    return MultilabelMetrics(rows, share, interval, micro_f1(predicted, labels), **shared)


def score_answers(predicted: Labels, labels: Labels) -> dict[str, float]:
    """Return the figures of `measure` that need no probabilities, by the same names."""
    share = count_right(predicted, labels) / len(labels)
    if labels.ndim == 1:
        return {"accuracy": share, "macro_f1": macro_f1(predicted, labels)}
    return {
        "subset_accuracy": share,
        "micro_f1": micro_f1(predicted, labels),
        "macro_f1": macro_f1(predicted, labels),
    }


def decide(probabilities: Floats, multilabel: bool, thresholds: Floats | None = None) -> Labels:
    """Return the likeliest class, int64 [rows]; or with `multilabel` the labels whose probability reaches
    their threshold (0.5 without any), 0 or 1 in [rows, classes]."""
    if multilabel:
        return (probabilities >= (0.5 if thresholds is None else thresholds)).astype(np.int64)
    return np.asarray(probabilities.argmax(1), np.int64)


def are_right(predicted: Labels, labels: Labels) -> npt.NDArray[np.bool_]:
    """Return for each row, bool [rows], whether its label is right, or all of its labels are."""
    same = predicted == labels
    return np.asarray(same if labels.ndim == 1 else same.all(1))


def count_right(predicted: Labels, labels: Labels) -> int:
    """Return how many rows have their label, or all of their labels, right."""
    return int(are_right(predicted, labels).sum())


def confusion_counts(predicted: Labels, labels: Labels, classes: int) -> Labels:
    """Return how often each class (rows) got each answer (columns), int64 [classes, classes]."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


@dataclass(frozen=True)
class ClassScores:
    """The figures of each class, all [classes], 0 where they divide by nothing.

    support: how many rows have it. hits: how many of these are given it.
    """

    support: Labels
    hits: Labels
    precision: Floats
    recall: Floats
    f1: Floats


def class_scores(predicted: Labels, labels: Labels, classes: int) -> ClassScores:
    """Return precision, recall and F1 of each class."""
    given, true = (
        each if each.ndim == 2 else np.eye(classes, dtype=np.int64)[each] for each in (predicted, labels)
    )
    hits, answers, support = (given & true).sum(0), given.sum(0), true.sum(0)
    precision, recall, f1 = (
        hits * times / np.maximum(1, of) for times, of in ((1, answers), (1, support), (2, answers + support))
    )
    return ClassScores(support, hits, precision, recall, f1)


def choose_thresholds(probabilities: Floats, labels: Labels) -> Floats:
    """Return for each label the threshold, float [classes], at which its F1 on these rows is highest.

    Halfway between two neighbouring probabilities; 0.5 for a label that no row has.
    """
    thresholds = np.full(labels.shape[1], 0.5)
    for column in np.flatnonzero(labels.any(0)):
        order = np.argsort(-probabilities[:, column], kind="stable")
        scores, hits = probabilities[order, column], labels[order, column].cumsum()
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
        f1[:-1][scores[:-1] == scores[1:]] = -1.0  # equal scores cannot be told apart
        best = int(f1.argmax())
        below = scores[best + 1] if best + 1 < len(scores) else 0.0
        middle = (scores[best] + below) / 2
        thresholds[column] = middle if middle > below else scores[best]  # which it is beside its neighbour
    return thresholds


def wilson_interval(right: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, spread = right / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / rows + spread / (4 * rows)))
    return max(0.0, middle - half), min(1.0, middle + half)


def macro_f1(predicted: Labels, labels: Labels) -> float:
    """Return the mean F1 over the classes that occur in either (0 where none does)."""
    if labels.ndim == 2:
        hits, either = (predicted & labels).sum(0), predicted.sum(0) + labels.sum(0)
        occurs = either > 0
        return float((2 * hits[occurs] / either[occurs]).mean()) if occurs.any() else 0.0
    scores = []
    for label in np.union1d(predicted, labels):
        right = int(((predicted == label) & (labels == label)).sum())
        scores.append(2 * right / int((predicted == label).sum() + (labels == label).sum()))
    return float(np.mean(scores))


def micro_f1(predicted: Labels, labels: Labels) -> float:
    """Return the F1 over all labels of all rows together, both 0 or 1 in [rows, classes]."""
    either = int(predicted.sum() + labels.sum())
    return 2 * int((predicted & labels).sum()) / either if either else 0.0


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Return the mean of `row_losses` (nats)."""
    return float(row_losses(probabilities, labels).mean())


def row_losses(probabilities: Floats, labels: Labels) -> Floats:
    """Return the negative log probability (nats) of what is true, cut off at 1e-12: of the right label,
    [rows]; or, of several a row, of each label's presence or absence, [rows, C]."""
    if labels.ndim == 2:
        true = np.where(labels == 1, probabilities, 1 - probabilities)
    else:
        true = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(true, 1e-12, 1.0)))


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """Return the expected calibration error over equally wide bins (Guo et al. 2017) of confidence; of
    several labels a row, of the probability of each label."""
    _, confidence, right = reliability(probabilities, labels, bins)
    return float(np.abs(confidence - right).sum() / labels.size)


def reliability(
    probabilities: Floats, labels: Labels, bins: int = 15
) -> tuple[Labels, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return of each bin of `calibration_error` how many answers lie in it, the sum of their confidence, and
    how many of them are right, each [bins]."""
    if labels.ndim == 2:
        confidence, right = probabilities.ravel(), labels.ravel()
    else:
        confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    said, hits = (np.bincount(bin_of, each, minlength=bins).astype(float) for each in (confidence, right))
    return counts, said, hits

"""What a prediction is worth: accuracy with its interval, F1, log loss, calibration error.

`probabilities` are float [rows, classes] adding up to 1; `labels` int64 [rows].
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
    accuracy_ci95: tuple[float, float]
    macro_f1: float
    log_loss: float
    ece: float


def measure(probabilities: Floats, labels: Labels) -> Metrics:
    """Return the metrics of `probabilities` against `labels`, of which there is at least one."""
    predicted = probabilities.argmax(1)
    right = int((predicted == labels).sum())
    return Metrics(
        rows=len(labels),
        accuracy=right / len(labels),
        accuracy_ci95=wilson_interval(right, len(labels)),
        macro_f1=macro_f1(predicted, labels),
        log_loss=log_loss(probabilities, labels),
        ece=calibration_error(probabilities, labels),
    )


def wilson_interval(right: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, spread = right / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / rows + spread / (4 * rows)))
    return max(0.0, middle - half), min(1.0, middle + half)


def macro_f1(predicted: Labels, labels: Labels) -> float:
    """Return the mean F1 over the classes that occur in either."""
    scores = []
    for label in np.union1d(predicted, labels):
        hits = int(((predicted == label) & (labels == label)).sum())
        scores.append(2 * hits / int((predicted == label).sum() + (labels == label).sum()))
    return float(np.mean(scores))


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Return the mean negative log probability (nats) of the right label, cut off at 1e-12."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(right, 1e-12, 1.0)).mean())


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """Return the expected calibration error over equally wide bins of confidence (Guo et al. 2017)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))

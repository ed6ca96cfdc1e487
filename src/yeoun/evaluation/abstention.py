"""When to give no answer: the least probability for a wanted precision, and accuracy against coverage.

`probabilities` are float [rows, classes]. `chosen` and `labels` are int64 [rows]; or, where a row may have
several labels, 0 or 1 in [rows, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import Floats, Labels, wilson_interval

Flags = npt.NDArray[np.bool_]
PRECISIONS = (0.9, 0.95, 0.99)
_RISK = 0.05  # that the precision on new rows of the same kind is below the wanted one


def abstains(probabilities: Floats, chosen: Labels, least: Floats) -> Flags:
    """Return for each row, bool [rows], whether a label that it would be given has a probability below that
    label's `least`, float [classes]."""
    if chosen.ndim == 2:
        return np.asarray(((chosen == 1) & (probabilities < least)).any(1))
    return np.asarray(probabilities[np.arange(len(chosen)), chosen] < least[chosen])


def score_answered(right: Flags, abstained: Flags) -> dict[str, Any]:
    """Return the share of rows that got an answer, and of these the share that is right with its interval,
    None where no row got one."""
    answered = int((~abstained).sum())
    hits = int(right[~abstained].sum())
    return {
        "coverage": answered / len(right),
        "accuracy": hits / answered if answered else None,
        "accuracy_ci95": list(wilson_interval(hits, answered)) if answered else None,
    }


def least_by_precision(
    probabilities: Floats, chosen: Labels, labels: Labels, names: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return for each of PRECISIONS, as text, and each label by name the `least_probability` of the rows that
    are given the label.

    Labels that too few rows are given, or that are too often wrong, share one that holds for their rows
    together; None where that does not hold either.
    """
    several = labels.ndim == 2
    parts = []
    for label in range(probabilities.shape[1]):
        given = np.flatnonzero(chosen[:, label] == 1 if several else chosen == label)
        right = labels[given, label] == 1 if several else labels[given] == label
        parts.append((probabilities[given, label], right))
    return {str(wanted): dict(zip(names, _least(parts, wanted), strict=True)) for wanted in PRECISIONS}


def _least(parts: Sequence[tuple[Floats, Flags]], precision: float) -> list[float | None]:
    """Return the least probability of each part, scores and whether they are right."""
    found = [least_probability(scores, right, precision) for scores, right in parts]
    others = [part for part, least in zip(parts, found, strict=True) if least is None]
    if not others:
        return found
    scores, right = map(np.concatenate, zip(*others, strict=True))
    shared = least_probability(scores, right, precision)
    return [shared if least is None else least for least in found]


def least_probability(scores: Floats, right: Flags, precision: float) -> float | None:
    """Return the lowest score such that, of the rows that reach it, a share of `precision` is right on new
    rows of the same kind, with 95 % confidence; None where there is none.

    From the surest quarter of the rows on, a twentieth more is tested at a time, until the lower bound of
    Clopper and Pearson (1934) is too low: in an order that is fixed beforehand each test may take the whole
    risk (Angelopoulos et al. 2021, "Learn then Test").
    """
    from scipy.special import betaincinv

    least = None
    falling = np.sort(scores)[::-1]
    for twentieths in range(5, 21):
        tried = falling[-(-len(scores) * twentieths // 20) - 1] if len(scores) else np.inf
        rows, hits = int((scores >= tried).sum()), int(right[scores >= tried].sum())
        if not hits or betaincinv(hits, rows - hits + 1, _RISK) < precision:
            break
        least = float(tried)
    return least


def coverage_curve(scores: Floats, right: Flags) -> tuple[Floats, Floats]:
    """Return coverage, float [rows], from 1 / rows to 1, and the accuracy of as many rows of the highest
    scores. Rows of one score count as equally right, so that their order is of no matter."""
    _, group = np.unique(-scores, return_inverse=True)
    share = np.bincount(group, right) / np.bincount(group)
    covered = np.arange(1, len(right) + 1)
    return covered / len(right), share[np.sort(group)].cumsum() / covered


def risk_coverage_area(scores: Floats, right: Flags) -> float:
    """Return the area under risk, which is 1 - accuracy, against coverage (AURC; Geifman et al. 2019): lower
    is better, 0 where nothing is wrong."""
    return float((1 - coverage_curve(scores, right)[1]).mean())

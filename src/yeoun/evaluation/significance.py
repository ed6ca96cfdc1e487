"""Whether one model is better than another: paired tests, and intervals for figures on the same rows.

Of one seed each, what is inferred is how these trained models compare on other texts like the rows. Of
several seeds, how their configurations compare on such texts when trained on the same rows with other seeds.

`answers` are int64 [seeds, rows]; where a row may have several labels 0 or 1 in [seeds, rows, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import score_answers

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Right = npt.NDArray[np.bool_]
RESAMPLES = 1_000
_COUNTS = 2**18  # how often a row is in a resample, so many numbers at a time


def mcnemar_exact(ours: Right, theirs: Right) -> float:
    """Return the two-sided p of the rows that only one of two models has right (McNemar 1947; exact, of the
    binomial distribution). It never rejects more often than it says, but with few such rows too seldom."""
    return _mcnemar(ours, theirs, 1.0)


def mcnemar_mid_p(ours: Right, theirs: Right) -> float:
    """Return the same with half the probability of what was seen, 1 where both have as many: the mid-p, which
    comparisons here use, since it rejects nearly as often as it says, and in no case that Fagerland, Lydersen
    & Laake (2013, doi:10.1186/1471-2288-13-91) tried more often."""
    return _mcnemar(ours, theirs, 0.5)


def _mcnemar(ours: Right, theirs: Right, share: float) -> float:
    from scipy.stats import binom

    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    fewer, differing = min(only_ours, only_theirs), only_ours + only_theirs
    tail = binom.cdf(fewer - 1, differing, 0.5) + share * binom.pmf(fewer, differing, 0.5)
    return min(1.0, 2 * float(tail))


def holm(chances: Sequence[float]) -> list[float]:
    """Return each p corrected for the number of tests (Holm 1979): with those below 0.05 called differences,
    the chance of any false one among them is at most 0.05."""
    corrected, largest = [0.0] * len(chances), 0.0
    for rank, test in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[test]))
        corrected[test] = largest
    return corrected


@dataclass(frozen=True)
class Estimate:
    """A figure, or a difference of two, with its standard error and the degrees of freedom of that."""

    value: float
    standard_error: float
    degrees: float

    @property
    def ci95(self) -> list[float]:
        """The 95 % interval, of Student's t."""
        from scipy.stats import t

        half = float(t.ppf(0.975, self.degrees)) * self.standard_error
        return [self.value - half, self.value + half]

    @property
    def p(self) -> float:
        """The two-sided p of the truth being 0."""
        from scipy.stats import t

        return float(2 * t.sf(abs(self.value) / self.standard_error, self.degrees))


@dataclass(frozen=True)
class Sampled:
    """A figure, or the difference of two: its value with each seed, [seeds], and the same on each of the
    resamples of so many rows, [seeds, resamples]."""

    by_seed: Floats
    resampled: Floats
    rows: int

    def __sub__(self, other: Sampled) -> Sampled:
        return Sampled(self.by_seed - other.by_seed, self.resampled - other.resampled, self.rows)

    def estimate(self) -> Estimate:
        """Return the mean over the seeds, with its standard error.

        Rows and seeds are crossed: every seed's model answers the same rows. The variance of the mean is that
        of the rows and that of the seeds without what both contain; where few seeds make most of it, the
        degrees of freedom are few (the random readers and cases of Obuchowski & Rockette 1995, in the form of
        Hillis 2007, Statistics in Medicine 26). One row's worth is added to the rows' share, since where few
        rows or none tell two models apart, resampling knows of no others. `benchmarks/coverage.py` says how
        often the intervals cover the truth, beside percentiles and BCa.
        """
        seeds, value, one_row = len(self.by_seed), float(self.by_seed.mean()), self.rows**-2.0
        of_rows = float(self.resampled.mean(0).var(ddof=1)) + one_row
        if seeds == 1:
            return Estimate(value, of_rows**0.5, max(1, self.rows - 1))
        of_seeds = float(self.by_seed.var(ddof=1)) / seeds
        in_both = (float(self.resampled.var(1, ddof=1).mean()) + one_row - of_rows) / (seeds - 1)
        variance = of_seeds + max(0.0, of_rows - max(0.0, in_both))
        degrees = (seeds - 1) * (variance / of_seeds) ** 2 if of_seeds else self.rows
        return Estimate(value, variance**0.5, max(1, min(degrees, self.rows - 1)))


def resample(
    answers: Labels, targets: Labels, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Sampled]:
    """Return the figures of the answers of each seed, by the names of `score_answers`, and what they are on
    rows drawn again and again with replacement (the paired bootstrap, Efron 1979).

    The rows drawn are the same in every call with the same number of them, so that differences are paired.
    """
    share, f1 = ("subset_accuracy", "micro_f1") if targets.ndim == 2 else ("accuracy", "macro_f1")
    rows, generator = len(targets), np.random.default_rng(seed)
    models = [_sums(each, targets) for each in answers]
    resampled = {share: np.empty((len(models), resamples)), f1: np.empty((len(models), resamples))}
    at_once = max(1, _COUNTS // rows)
    for start in range(0, resamples, at_once):
        some = slice(start, min(resamples, start + at_once))
        count = some.stop - start
        drawn = count * generator.integers(rows, size=(rows, count)) + np.arange(count)
        counts = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        for model, (right, hits, either) in enumerate(models):
            resampled[share][model, some] = right @ counts / rows
            resampled[f1][model, some] = _mean_f1(hits @ counts, either @ counts)
    scored = [score_answers(each, targets) for each in answers]
    return {
        name: Sampled(np.array([figures[name] for figures in scored]), values, rows)
        for name, values in resampled.items()
    }


def _sums(answers: Labels, targets: Labels) -> tuple[Floats, Any, Any]:
    """Return what a model's figures are summed from: whether each row is right, [rows]; and for each class
    (of several labels a row: for all together) the hits, and the answers and truths, sparse [classes, rows].
    """
    from scipy.sparse import csr_matrix

    if targets.ndim == 2:
        hits, either = (answers & targets).sum(1), (answers + targets).sum(1)
        right = (answers == targets).all(1).astype(np.float64)
        return right, csr_matrix(hits[None]), csr_matrix(either[None])
    rows, classes = len(targets), int(max(answers.max(), targets.max())) + 1
    right = (answers == targets).astype(np.float64)

    def by_class(labels: Labels, values: Floats) -> Any:
        return csr_matrix((values, (labels, np.arange(rows))), (classes, rows))

    ones = np.ones(rows)
    return right, by_class(targets, right), by_class(answers, ones) + by_class(targets, ones)


def _mean_f1(hits: Floats, either: Floats) -> Floats:
    """Return the mean F1 of the classes that occur, [resamples], of sums [classes, resamples]."""
    occurs = either > 0
    return np.asarray((2 * hits / np.maximum(either, 1)).sum(0) / np.maximum(occurs.sum(0), 1))

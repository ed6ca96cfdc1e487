"""How often does a 95 % interval of a difference cover the truth?

Rows, or rows and seeds, are drawn again and again from populations whose true differences are known exactly.
Ours is `Sampled.estimate`; beside it the percentiles of the same resamples, and of accuracy BCa (Efron 1987);
with several seeds the percentiles of rows and seeds resampled together, and ours as if no others existed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from record import record, result
from scipy.stats import norm

from yeoun.evaluation.significance import Sampled, resample

SIMULATIONS = 1_000
RESAMPLES = 400
# rows; the share of each label; the accuracies of two models; the share of rows that they answer alike anyway
POPULATIONS = {
    "two labels": ([0.5, 0.5], (0.85, 0.80), 0.6),
    "two labels, one rare": ([0.9, 0.1], (0.92, 0.90), 0.6),
    "four labels, uneven": ([0.4, 0.3, 0.2, 0.1], (0.85, 0.80), 0.6),
    "twenty labels": ([0.05] * 20, (0.85, 0.80), 0.6),
}
ROWS = (100, 300, 1_000, 2_000)
# rows, seeds, and the standard deviation over seeds on the scale of a probit (0.03 are about half a point)
CROSSED = (
    (100, 3, 0.1),
    (1_000, 3, 0.0),
    (1_000, 3, 0.03),
    (1_000, 3, 0.1),
    (1_000, 3, 0.3),
    (1_000, 5, 0.03),
    (1_000, 2, 0.03),
)
Ints = npt.NDArray[np.int64]


def main() -> None:
    runs = {f"coverage-{rows}": partial(of_rows, rows) for rows in ROWS}
    for name, scenarios in {**runs, "coverage-seeds": of_seeds}.items():
        if result(name) is None:
            found = list(scenarios())
            record(name, {"simulations": SIMULATIONS, "resamples": RESAMPLES, "scenarios": found})


def of_rows(rows: int) -> Iterator[dict[str, Any]]:
    """Yield what share of the intervals covers the truth, by figure and method: one seed."""
    for name in POPULATIONS:
        generator = np.random.default_rng([rows, len(name)])
        cells, shares, truths = population(name)
        covered: dict[str, dict[str, int]] = {
            "accuracy": dict.fromkeys(("ours", "percentiles", "BCa"), 0),
            "macro_f1": dict.fromkeys(("ours", "percentiles"), 0),
        }
        for _ in range(SIMULATIONS):
            drawn = np.repeat(cells, generator.multinomial(rows, shares), 0)
            both = resample(drawn.T[1:], drawn.T[0], RESAMPLES)
            for figure, of_method in covered.items():
                resampled = both[figure].resampled
                by_seed = both[figure].by_seed
                difference = Sampled(by_seed[:1] - by_seed[1:], resampled[:1] - resampled[1:], rows)
                for method in of_method:
                    low, high = INTERVALS[method](difference)
                    of_method[method] += int(low <= truths[figure] <= high)
        yield {"rows": rows, "population": name, "truths": truths, **shared(covered)}


def population(name: str) -> tuple[Ints, npt.NDArray[np.float64], dict[str, float]]:
    """Return the cells (label, answer of each model), their shares, and the true differences."""
    labels, accuracies, alike = POPULATIONS[name]
    classes = len(labels)
    right = np.eye(classes)
    answer_of = [a * right + (1 - a) * (1 - right) / (classes - 1) for a in accuracies]
    cells = np.array(list(np.ndindex(classes, classes, classes)))
    truth, ours, theirs = cells.T
    first, second = answer_of[0][truth, ours], answer_of[1][truth, theirs]
    together = (ours == theirs) * (first + answer_of[1][truth, ours]) / 2
    shares = np.array(labels)[truth] * (alike * together + (1 - alike) * first * second)
    accuracy = [shares[each == truth].sum() for each in (ours, theirs)]
    f1 = [
        2
        * np.bincount(truth, shares * (each == truth))
        / (np.bincount(truth, shares) + np.bincount(each, shares))
        for each in (ours, theirs)
    ]
    differences = {"accuracy": accuracy[0] - accuracy[1], "macro_f1": f1[0].mean() - f1[1].mean()}
    return cells, shares / shares.sum(), {name: float(each) for name, each in differences.items()}


def of_seeds() -> Iterator[dict[str, Any]]:
    """Yield the same of accuracy, with several seeds."""
    for rows, seeds, deviation in CROSSED:
        generator = np.random.default_rng([rows, seeds, round(100 * deviation)])
        whole = np.sqrt(1 + deviation**2 + 0.4**2)  # of rows, of seeds, of both
        truth = float(norm.cdf(1.40 / whole) - norm.cdf(1.35 / whole))
        targets = np.ones(rows, np.int64)
        covered = dict.fromkeys(("ours", "no other seeds", "both resampled"), 0)
        for _ in range(SIMULATIONS):
            ease = generator.normal(size=rows)
            ours, theirs = (answers(generator, level, ease, seeds, deviation) for level in (1.40, 1.35))
            both = resample(np.concatenate([ours, theirs]), targets, RESAMPLES)["accuracy"]
            mine, yours = np.split(both.resampled, 2)
            by_seed = np.subtract(*np.split(both.by_seed, 2))
            sampled = Sampled(by_seed, mine - yours, rows)
            of_mean = Sampled(sampled.by_seed.mean(keepdims=True), sampled.resampled.mean(0)[None], rows)
            intervals = {
                "ours": student(sampled),
                "no other seeds": student(of_mean),
                "both resampled": both_resampled(sampled, generator),
            }
            for method, (low, high) in intervals.items():
                covered[method] += int(low <= truth <= high)
        spread = float(deviation * norm.pdf(1.40 / whole) / whole)
        scenario = {"rows": rows, "seeds": seeds, "deviation_over_seeds": spread, "truth": truth}
        yield {**scenario, **shared({"accuracy": covered})}


def answers(generator: np.random.Generator, level: float, ease: Any, seeds: int, deviation: float) -> Ints:
    """Return whether each seed's model is right on each row, [seeds, rows]."""
    of_seed = deviation * generator.normal(size=(seeds, 1))
    of_both = 0.4 * generator.normal(size=(seeds, len(ease)))
    return (level + ease + of_seed + of_both > 0).astype(np.int64)


def student(sampled: Sampled) -> tuple[float, float]:
    low, high = sampled.estimate().ci95
    return low, high


def percentiles(sampled: Sampled) -> tuple[float, float]:
    low, high = np.quantile(sampled.resampled[0], (0.025, 0.975))
    return low, high


def bca(sampled: Sampled) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval of a difference of accuracies: the mean over rows of
    1, 0 and -1, whose moments follow from it and the share of rows that are not 0."""
    drawn, value = sampled.resampled[0], sampled.by_seed[0]
    below = (drawn < value).mean() + (drawn == value).mean() / 2
    bias = norm.ppf(np.clip(below, 1e-6, 1 - 1e-6))
    variance = drawn.var() * sampled.rows
    differing = variance + value**2
    third = value - 3 * value * differing + 2 * value**3
    pull = third / (6 * variance**1.5 * sampled.rows**0.5) if variance > 0 else 0.0
    z = bias + norm.ppf((0.025, 0.975))
    low, high = np.quantile(drawn, norm.cdf(bias + z / (1 - pull * z)))
    return low, high


INTERVALS = {"ours": student, "percentiles": percentiles, "BCa": bca}


def both_resampled(sampled: Sampled, generator: np.random.Generator) -> tuple[float, float]:
    """Return the percentiles where each resample of the rows has seeds drawn with replacement as well."""
    seeds, resamples = sampled.resampled.shape
    drawn = generator.integers(seeds, size=(seeds, resamples))
    low, high = np.quantile(np.take_along_axis(sampled.resampled, drawn, 0).mean(0), (0.025, 0.975))
    return low, high


def shared(covered: dict[str, dict[str, int]]) -> dict[str, Any]:
    shares = {
        figure: {method: count / SIMULATIONS for method, count in methods.items()}
        for figure, methods in covered.items()
    }
    print(shares, flush=True)
    return {"covered": shares}


if __name__ == "__main__":
    main()

"""What the runs of a comparison come to: each configuration over its seeds, each pair, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import mean
from typing import Any

import numpy as np

from ..card import FIGURES
from ..evaluation.significance import Sampled, holm, mcnemar_mid_p, resample
from ..runs import Labels, Result, unpack_answers

LINEAR = "linear"
LEVEL = 0.05  # a corrected p below it shows a difference


@dataclass(frozen=True)
class Standing:
    """A configuration over its seeds.

    label: the name without what all share. figures: the means, as `evaluate --json` names them; accuracy and
    macro F1 (of several labels a row subset accuracy and micro F1) with their intervals. by_seed: these two.
    recurrent_alone: the means of the recurrent half, of a model with n-grams. seconds: of training. bytes: of
    the model's files, without the linear baseline that lies in them. parameters: of the network, or those of
    the linear baseline that are not 0, which has one seed and no probabilities.
    """

    name: str
    label: str
    seeds: list[int]
    figures: dict[str, Any]
    by_seed: dict[str, list[float]]
    recurrent_alone: dict[str, float] | None
    seconds: float
    bytes: int
    parameters: int
    texts_per_second: float


@dataclass(frozen=True)
class Pair:
    """The first configuration minus the second.

    figures: the differences with their intervals, by the names of `Standing.by_seed`. mcnemar: the mid-p of
    each seed. p: that of a single seed, and of several what rows and seeds together say of accuracy. p_holm:
    the same, corrected for the number of pairs.
    """

    first: str
    second: str
    figures: dict[str, Any]
    mcnemar: list[float]
    p: float
    p_holm: float


def weigh(runs: Mapping[str, list[Result]], targets: Labels) -> tuple[list[Standing], list[Pair]]:
    """Return each configuration over its seeds, and each pair of them."""
    answers = {
        name: np.stack([unpack_answers(run["answers"]) for run in of_name]) for name, of_name in runs.items()
    }
    sampled = {name: resample(each, targets) for name, each in answers.items()}
    right = {name: (each == targets).reshape(*each.shape[:2], -1).all(2) for name, each in answers.items()}
    pairs = []
    for first, second in combinations(runs, 2):
        differences = {name: sampled[first][name] - sampled[second][name] for name in sampled[first]}
        both = np.broadcast_arrays(right[first], right[second])
        mcnemar = [mcnemar_mid_p(ours, theirs) for ours, theirs in zip(*both, strict=True)]
        p = mcnemar[0] if len(mcnemar) == 1 else next(iter(differences.values())).estimate().p
        pairs.append(Pair(first, second, _with_intervals(differences, -1.0), mcnemar, p, 1.0))
    corrected = holm([pair.p for pair in pairs])
    labels = labels_of(list(runs))
    standings = [_standing(labels[name], of_name, sampled[name]) for name, of_name in runs.items()]
    return standings, [replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True)]


def _standing(label: str, runs: Sequence[Result], sampled: Mapping[str, Sampled]) -> Standing:
    tests = [run["test"] for run in runs]
    halves = [test["recurrent_alone"] for test in tests if "recurrent_alone" in test]
    return Standing(
        name=runs[0]["name"],
        label=label,
        seeds=[run["seed"] for run in runs],
        figures={**_means(tests), **_with_intervals(sampled, 0.0)},
        by_seed={figure: each.by_seed.tolist() for figure, each in sampled.items()},
        recurrent_alone=_means(halves) if halves else None,
        seconds=mean(run["seconds"] for run in runs),
        bytes=round(mean(run["bytes"] for run in runs)),
        parameters=round(mean(run["parameters"] for run in runs)),
        texts_per_second=mean(test["texts_per_second"] for test in tests),
    )


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: mean(each[name] for each in figures) for name in FIGURES if name in figures[0]}


def _with_intervals(sampled: Mapping[str, Sampled], least: float) -> dict[str, Any]:
    """Return each figure and its interval, within `least` and 1, by the names of `evaluate --json`."""
    found: dict[str, Any] = {}
    for name, each in sampled.items():
        estimate = each.estimate()
        found[name] = estimate.value
        found[f"{name}_ci95"] = [min(1.0, max(least, bound)) for bound in estimate.ci95]
    return found


def labels_of(names: Sequence[str]) -> dict[str, str]:
    """Return what tells each name from the others: without the parts that all but `linear` share."""
    parts = {name: name.split("+") for name in names if name != LINEAR}
    shared = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    labels = {name: [part for part in each if part not in shared] or each[:1] for name, each in parts.items()}
    return {name: "+".join(labels.get(name, [name])) for name in names}


def scope_of(seeds: int, test_rows: int) -> str:
    """Return what the intervals and p are about."""
    models = "these very models, of one seed each; others may differ"
    if seeds > 1:
        models = f"these configurations trained on the same rows with other seeds than the {seeds} tried"
    return (
        f"Intervals and p are about other texts like the {test_rows:,} test rows, and about {models}."
        " p is corrected for the number of pairs (Holm)."
    )


def verdict_of(standings: Sequence[Standing], pairs: Sequence[Pair]) -> str:
    """Return what the best configuration is shown to be better than, and what it is not."""
    figure = next(iter(standings[0].by_seed))
    best = max(standings, key=lambda standing: standing.figures[figure])
    label = {standing.name: standing.label for standing in standings}
    better: list[str] = []
    level: list[str] = []
    for pair in pairs:
        if best.name in (pair.first, pair.second):
            sign, other = (1, pair.second) if pair.first == best.name else (-1, pair.first)
            low, high = sorted(sign * bound for bound in pair.figures[f"{figure}_ci95"])
            interval = f"95 % interval {_points(low)} to {_points(high)}"
            if pair.p_holm < LEVEL:
                by = f"by {_points(sign * pair.figures[figure])} points"
                better.append(f"{label[other]} {by} ({interval})")
            else:
                level.append(f"{label[other]} ({interval} points)")
    said = [f"In {FIGURES[figure]}, {best.label} is better than {_listed(better)}."] if better else []
    if level:
        said.append(f"Between {best.label} and {_listed(level)} no difference is shown.")
    return " ".join(said) or f"There is nothing to compare {best.label} with."


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}"  # never -0.0


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

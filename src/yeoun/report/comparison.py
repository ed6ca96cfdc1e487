"""A comparison of configurations as a page: which is best, by how much, at what cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..card import FIGURES
from ..compare import Comparison
from ..compare.weighing import LEVEL, LINEAR, Standing
from .charts import Point, axis_around, interval_mark, point_chart
from .page import Section, figure, figures, interval, lead, note, page, section, share, table
from .words import say, words

_COSTS: dict[str, Callable[[Standing], float]] = {  # what each is called, and where it stands
    "seconds": lambda each: each.seconds,
    "megabytes": lambda each: each.bytes / 1e6,
    "answers_a_second": lambda each: each.texts_per_second,
}


def comparison_page(comparison: Comparison, title: str, in_korean: bool = False) -> str:
    """Return the page of a comparison; `in_korean` says which language shows first."""
    parts = [verdict(comparison), configurations(comparison), against_cost(comparison), pairs(comparison)]
    return page(title, say("comparison"), parts, in_korean)


def verdict(comparison: Comparison) -> Section:
    """Return which configuration is best, and than which it is shown to be better."""
    name, label = _main(comparison), _labels(comparison)
    best = max(comparison.configurations, key=lambda each: each.figures[name])
    others: dict[str, list[str]] = {"shown": [], "not_shown": []}
    for pair in comparison.pairs:
        if best.name in (pair.first, pair.second):
            other = pair.second if pair.first == best.name else pair.first
            others["shown" if pair.p_holm < LEVEL else "not_shown"].append(label[other])
    first = say("best", best=best.label, figure=words(name), value=share(best.figures[name]))
    more = (say(key, others=", ".join(each)) for key, each in others.items() if each)
    seeds = max(len(each.seeds) for each in comparison.configurations)
    return section(
        "summary",
        lead(first, *more),
        note("compared", rows=f"{comparison.rows:,}", test_rows=f"{comparison.test_rows:,}"),
        note("one_seed") if seeds == 1 else note("several_seeds", seeds=seeds),
    )


def configurations(comparison: Comparison) -> Section:
    """Return each configuration's figures, on average and by seed, the linear baseline beside them."""
    main, all_of_them = _main(comparison), comparison.configurations
    more = [name for name in FIGURES if name != main and name in all_of_them[0].figures]
    low = np.floor(20 * min(each.figures[f"{main}_ci95"][0] for each in all_of_them)) / 20
    linear = next(each.figures[main] for each in all_of_them if each.name == LINEAR)
    head = ["configuration_name", main, "interval", "", *more, "recurrent_alone"]

    def line(number: int, each: Standing) -> list[object]:
        first, last = each.figures[f"{main}_ci95"]
        return [
            f"{number}. {each.label}",
            f"{each.figures[main]:.4f}",
            interval((first, last)),
            interval_mark(each.figures[main], (first, last), linear, low),
            *(f"{each.figures[name]:.4f}" if name in each.figures else "" for name in more),
            f"{each.recurrent_alone[main]:.4f}" if each.recurrent_alone else "",
        ]

    lines = [line(number, each) for number, each in enumerate(all_of_them, 1)]
    return section("configurations", table([say(key) if key else "" for key in head], lines), note("mark"))


def against_cost(comparison: Comparison) -> Section:
    """Return accuracy with its interval against time, size and speed, a number a configuration; and all of
    it as a table."""
    main, drawn = _main(comparison), []
    numbered = list(enumerate(comparison.configurations, 1))
    y = axis_around([np.array(each.figures[f"{main}_ci95"]) for _, each in numbered], "%")
    for key, cost in _COSTS.items():
        points = [
            Point(
                kind="other" if each.name == LINEAR else "own",
                name=str(number),
                x=float(np.log10(max(1e-3, cost(each)))),
                y=each.figures[main],
                interval=each.figures[f"{main}_ci95"],
            )
            for number, each in numbered
        ]
        x = axis_around([np.array([point.x for point in points])], "log")
        drawn.append(figure(point_chart(points, x, y), key, main))
    lines = [
        [
            f"{number}. {each.label}",
            *(f"{cost(each):,.1f}" for cost in _COSTS.values()),
            f"{each.parameters:,}",
            " ".join(f"{value:.4f}" for value in each.by_seed[main]),
        ]
        for number, each in numbered
    ]
    head = [say(key) for key in ("configuration_name", *_COSTS, "parameters", "by_seed")]
    return section("against_cost", figures(*drawn), table(head, lines))


def pairs(comparison: Comparison) -> Section:
    """Return the differences of each pair with their intervals and p."""
    names, label = list(comparison.configurations[0].by_seed), _labels(comparison)
    head = [say("one_less_other"), *(say("points", figure=words(name)) for name in names), say("p_corrected")]
    lines = [
        [
            f"{label[pair.first]} - {label[pair.second]}",
            *(_points(pair.figures[name], pair.figures[f"{name}_ci95"]) for name in names),
            f"{pair.p_holm:.2g}",
        ]
        for pair in comparison.pairs
    ]
    return section("pairs", table(head, lines))


def _points(value: float, bounds: list[float]) -> str:
    return f"{100 * value:+.2f} ({100 * bounds[0]:+.2f}, {100 * bounds[1]:+.2f})"


def _main(comparison: Comparison) -> str:
    """Return the figure by which configurations are compared."""
    return next(iter(comparison.configurations[0].by_seed))


def _labels(comparison: Comparison) -> dict[str, str]:
    return {each.name: each.label for each in comparison.configurations}

"""How does the cost grow, with rows, tokens, units and vocabulary?

The recurrent half of `fast` in fp32. By rows: NSMC's training rows, from texts to an epoch's end and to
answers. By tokens a text, hidden size and vocabulary: a step on dense random texts, all else as it was. Draws
docs/pictures/growth.png and .svg, the expected laws through the largest measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from measurement import ROUNDS, in_turns, spread
from record import record, result
from steps import Task, answering, dense_task, training

from yeoun.config import Configuration
from yeoun.data.batches import answering_order, training_order
from yeoun.data.rows import Dataset, statistics
from yeoun.data.sources import read_source
from yeoun.data.tokens import TokenStore
from yeoun.presets import resolve
from yeoun.text.indexer import TextIndexer
from yeoun.training.loop import IndexedRows

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
BATCH, TOKENS, STEPS = 64, 64, 5
ROWS = (1_000, 10_000, 100_000)
SIZES = {
    "tokens a text": (16, 32, 64, 128, 256, 512, 1024),
    "hidden size": (32, 64, 128, 256, 512),
    "vocabulary": (2_000, 4_000, 8_000, 16_000, 32_000, 64_000),
}
KEYS = {"hidden size": "model.hidden_size", "vocabulary": "text.vocabulary_size"}
COLORS = {"training": "#8a5a00", "answering": "#1f5fa8"}
Work = Callable[[int], None]  # of a size
Law = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    if result("growth") is None:
        rows = read_source("nsmc").dataset
        configuration = resolve("fast", statistics(rows)).with_values({"model.ngrams": False})
        panels = {"rows": by_rows(rows, configuration)}
        panels |= {name: by_size(name, configuration) for name in SIZES}
        settings = {"rounds": ROUNDS, "batch": BATCH, "tokens": TOKENS}
        record("growth", {"configuration": configuration.to_mapping(), **settings, "panels": panels})
    draw(result("growth") or {})


def by_rows(rows: Dataset, configuration: Configuration) -> dict[str, Any]:
    rows = rows.take(np.random.default_rng(0).permutation(len(rows))[: max(ROWS)])
    indexer = TextIndexer.fit(rows.texts, configuration.text)

    def task(count: int) -> Task:
        store = TokenStore.of(indexer.index(rows.texts[:count]))
        return Task(configuration, IndexedRows(store, rows.targets[:count]), indexer.vocabulary_size)

    def train(count: int) -> None:
        read = task(count)
        order = training_order(read.rows.store.lengths, configuration.train.batch_size, seed=0, epoch=0)
        training(read)(order)

    def answer(count: int) -> None:
        read = task(count)
        answering(read)(answering_order(read.rows.store.lengths))

    return timed({"training": train, "answering": answer}, ROWS)


def by_size(name: str, configuration: Configuration) -> dict[str, Any]:
    def task(size: int) -> Task:
        changed = configuration.with_values({KEYS[name]: size} if name in KEYS else {})
        return dense_task(changed, BATCH, TOKENS if name in KEYS else size)

    def prepared(build: Callable[[Task], Any]) -> Work:
        steps = {size: build(task(size)) for size in SIZES[name]}
        return lambda size: steps[size]([np.arange(BATCH)] * STEPS)

    return timed({"training": prepared(training), "answering": prepared(answering)}, SIZES[name], STEPS)


def timed(works: dict[str, Work], sizes: tuple[int, ...], steps: int = 1) -> dict[str, Any]:
    """Return the seconds of a step of each work by size, all of them in turns."""
    ways = {f"{name} {size}": partial(work, size) for name, work in works.items() for size in sizes}
    taken = in_turns(ways)
    by_work = {name: [spread(taken[f"{name} {size}"], steps) for size in sizes] for name in works}
    return {"sizes": sizes, **by_work}


def laws(embedding: int) -> dict[str, dict[str, tuple[str, Law]]]:
    """Return how each cost should grow, in words and as a function of the size."""
    linear: tuple[str, Law] = ("as the size", lambda x: x)
    weights: tuple[str, Law] = ("as the weights, H (E + H)", lambda x: x * (embedding + x))
    return {
        "rows": {"training": linear, "answering": linear},
        "tokens a text": {"training": linear, "answering": linear},
        "hidden size": {"training": weights, "answering": weights},
        "vocabulary": {"training": ("not at all", np.ones_like), "answering": ("not at all", np.ones_like)},
    }


def draw(figures: dict[str, Any]) -> None:
    figure = Figure(figsize=(10.0, 7.2), dpi=130, layout="constrained")
    expected = laws(figures["configuration"]["model"]["embedding_size"])
    for axes, (panel, measured) in zip(figure.subplots(2, 2).flat, figures["panels"].items(), strict=True):
        sizes = np.array(measured["sizes"], float)
        for work, color in COLORS.items():
            middle, low, high = 1000 * np.array([list(each.values()) for each in measured[work]]).T
            error = [middle - low, high - middle]
            axes.errorbar(sizes, middle, error, fmt="o-", ms=4, color=color, label=work)
            words, law = expected[panel][work]
            through_last = law(sizes) * middle[-1] / law(sizes)[-1]
            axes.plot(sizes, through_last, ":", lw=1.2, color=color, label=f"{work}, if it grew {words}")
        unit = "in all" if panel == "rows" else "a step"
        axes.set(xscale="log", yscale="log", xlabel=panel, ylabel=f"ms {unit}")
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], minor=False)
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=7)
    PICTURES.mkdir(exist_ok=True)
    with rc_context({"svg.hashsalt": "yeoun"}):
        figure.savefig(PICTURES / "growth.png", facecolor="white", metadata={"Software": None})
        figure.savefig(PICTURES / "growth.svg", facecolor="white", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()

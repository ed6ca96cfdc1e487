"""Draws every picture of the learning pages into `docs/learn/pictures/`: `python docs/learn/pictures.py`.

A picture of a measurement shows what the page's own code measured.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from yeoun.plots import korean_font

PAGES = Path(__file__).parent
PICTURES = PAGES / "pictures"
INK, READ, STATE, ANSWER, PADDING = "#222222", "#dbe7f5", "#f7dcb4", "#d5ead2", "#eeeeee"
BOX, HALF = 0.62, 0.31
Point = tuple[float, float]


def main() -> None:
    torch.set_num_threads(1)
    PICTURES.mkdir(exist_ok=True)
    save("1-shapes", draw_shapes())
    save("1-deep", draw_deep())
    save("2-unrolled", draw_unrolled())
    save("3-gradients", draw_gradients(run_page("3-gradients.md")))
    gates = run_page("4-gates.md")
    for name in ("korean", "english"):
        (PICTURES / f"4-gates-{name}.png").write_bytes(gates["pictures"][f"{name}.png"])
    save("5-batch", draw_batch())
    save("5-cost", draw_cost(run_page("5-padding.md")))


def run_page(page: str) -> dict[str, Any]:
    """Return the names that the code of `page` leaves, and under `pictures` the files that it writes."""
    text = (PAGES / page).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.S))
    scope: dict[str, Any] = {}
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        try:
            exec(compile(code, page, "exec"), scope)
        finally:
            os.chdir(here)
        scope["pictures"] = {path.name: path.read_bytes() for path in Path(folder).glob("*.png")}
    return scope


def draw_shapes() -> Figure:
    """Return the four shapes side by side: what is read below, the states, the answers above."""
    figure, axes = canvas(9.6, 3.4, (0.0, 13.5), (-0.65, 4.15))
    left = 1.0
    for title, steps, reads, answers in (
        ("one to one", 1, [0], [0]),
        ("one to many", 3, [0], [0, 1, 2]),
        ("many to one", 3, [0, 1, 2], [2]),
        ("many to many", 3, [0, 1, 2], [0, 1, 2]),
    ):
        centers = [left + 1.05 * step for step in range(steps)]
        axes.text(sum(centers) / steps, 3.75, title, ha="center", fontsize=11, color=INK)
        for step, x in enumerate(centers):
            box(axes, (x, 1.6), STATE, "h")
            if step:
                arrow(axes, (centers[step - 1] + HALF, 1.6), (x - HALF, 1.6))
            if step in reads:
                box(axes, (x, 0.4), READ, "x")
                arrow(axes, (x, 0.4 + HALF), (x, 1.6 - HALF))
            if step in answers:
                box(axes, (x, 2.8), ANSWER, "y")
                arrow(axes, (x, 1.6 + HALF), (x, 2.8 - HALF))
            if title == "one to many" and step:
                feed_back(axes, (centers[step - 1] + HALF, 2.8), (x, 1.6 - HALF))
        left = centers[-1] + 1.9
    legend = (("x  what is read", READ), ("h  the state", STATE), ("y  the answer", ANSWER))
    for position, (label, color) in enumerate(legend):
        axes.add_patch(
            Rectangle((2.3 + 2.9 * position, -0.55), 0.26, 0.26, facecolor=color, edgecolor=INK, lw=0.7)
        )
        axes.text(2.7 + 2.9 * position, -0.42, label, va="center", fontsize=9, color=INK)
    return figure


def draw_deep() -> Figure:
    """Return a bidirectional and a deep network."""
    figure, axes = canvas(8.6, 3.6, (0.0, 11.6), (-0.1, 4.9))
    centers = [1.7, 3.0, 4.3]
    axes.text(3.0, 4.55, "bidirectional", ha="center", fontsize=11, color=INK)
    for step, x in enumerate(centers):
        box(axes, (x, 0.4), READ, "x")
        box(axes, (x - 0.2, 1.7), STATE, "h")
        box(axes, (x + 0.2, 2.7), STATE, "h")
        box(axes, (x, 3.9), ANSWER, "y")
        arrow(axes, (x - 0.2, 0.4 + HALF), (x - 0.2, 1.7 - HALF))
        arrow(axes, (x + 0.23, 0.4 + HALF), (x + 0.23, 2.7 - HALF))
        arrow(axes, (x - 0.23, 1.7 + HALF), (x - 0.23, 3.9 - HALF))
        arrow(axes, (x + 0.2, 2.7 + HALF), (x + 0.2, 3.9 - HALF))
        if step:
            arrow(axes, (centers[step - 1] - 0.2 + HALF, 1.7), (x - 0.2 - HALF, 1.7))
            arrow(axes, (x + 0.2 - HALF, 2.7), (centers[step - 1] + 0.2 + HALF, 2.7))
    axes.text(1.0, 1.7, "forward", ha="right", va="center", fontsize=8, color=INK)
    axes.text(1.0, 2.7, "backward", ha="right", va="center", fontsize=8, color=INK)
    centers = [7.9, 9.2, 10.5]
    axes.text(9.2, 4.55, "deep", ha="center", fontsize=11, color=INK)
    for step, x in enumerate(centers):
        box(axes, (x, 0.4), READ, "x")
        box(axes, (x, 1.7), STATE, "h")
        box(axes, (x, 2.7), STATE, "h")
        box(axes, (x, 3.9), ANSWER, "y")
        for low, high in ((0.4, 1.7), (1.7, 2.7), (2.7, 3.9)):
            arrow(axes, (x, low + HALF), (x, high - HALF))
        if step:
            for height in (1.7, 2.7):
                arrow(axes, (centers[step - 1] + HALF, height), (x - HALF, height))
    axes.text(7.3, 1.7, "layer 1", ha="right", va="center", fontsize=8, color=INK)
    axes.text(7.3, 2.7, "layer 2", ha="right", va="center", fontsize=8, color=INK)
    return figure


def draw_unrolled() -> Figure:
    """Return the simple recurrent layer over three steps, its weights at the arrows."""
    figure, axes = canvas(7.4, 2.4, (0.2, 10.4), (-0.05, 3.15))
    centers = [1.0, 3.4, 5.8, 8.2]
    for step, x in enumerate(centers):
        box(axes, (x, 2.3), STATE if step else PADDING, f"h{step}" if step else "0", width=0.9)
        if step:
            arrow(axes, (centers[step - 1] + 0.45, 2.3), (x - 0.45, 2.3))
            axes.text(x - 1.2, 2.42, "U", ha="center", fontsize=10, color=INK, style="italic")
            box(axes, (x, 0.45), READ, f"x{step}", width=0.9)
            arrow(axes, (x, 0.45 + HALF), (x, 2.3 - HALF))
            axes.text(x + 0.12, 1.3, "W", fontsize=10, color=INK, style="italic")
            axes.text(x, 2.78, "+ b, tanh", ha="center", fontsize=8, color=INK)
    arrow(axes, (8.65, 2.3), (9.7, 2.3))
    axes.text(9.95, 2.3, "...", va="center", fontsize=11, color=INK)
    return figure


def draw_gradients(scope: dict[str, Any]) -> Figure:
    """Return the norm of the gradient against the distance."""
    figure = blank(7.2, 4.0)
    axes = figure.subplots()
    for name, norms in scope["norms"].items():
        (line,) = axes.semilogy(range(len(norms)), norms.tolist(), lw=1.6)
        axes.annotate(
            f"{name}  ({scope['kept'][name]:.2f} a step)",
            (len(norms) - 1, float(norms[-1])),
            xytext=(6, {"RNN": 5, "GRU": 0, "LSTM, forget bias 0": -5}.get(name, 0)),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=line.get_color(),
        )
    axes.set(xlabel="distance in steps from the last state", ylabel="norm of the gradient", xlim=(0, 99))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    figure.subplots_adjust(left=0.12, right=0.70, top=0.97, bottom=0.13)
    return figure


def draw_batch() -> Figure:
    """Return three texts as a rectangle, in words, Korean and English."""
    rows = (
        ("A", "wonderful", "cast", "and", "a", "story", "to", "remember"),
        ("정말", "감동적인", "영화였어요"),
        ("Dull", "and", "far", "too", "long"),
    )
    figure, axes = canvas(8.2, 1.7, (0.0, 10.2), (-0.1, 2.05))
    for row, words in enumerate(rows):
        for position in range(8):
            word = words[position] if position < len(words) else "PAD"
            color = READ if position < len(words) else PADDING
            center = (0.65 + 1.16 * position, 1.7 - 0.62 * row)
            box(axes, center, color, word, width=1.1, height=0.52, size=9)
        axes.text(9.5, 1.7 - 0.62 * row, f"length {len(words)}", va="center", fontsize=9, color=INK)
    return figure


def draw_cost(scope: dict[str, Any]) -> Figure:
    """Return the accuracy against the length that is padded to, a point a seed."""
    figure = blank(6.4, 3.3)
    axes = figure.subplots()
    accuracy, not_reading = scope["accuracy"], scope["not_reading"]
    lengths = [length for length, side in accuracy if side == "back"]
    for side, color, marker in (("back", "#1f5fa8", "o"), ("front", "#8a5a00", "s")):
        points = [
            (length, score) for (length, at), scores in accuracy.items() if at == side for score in scores
        ]
        axes.plot(
            *zip(*points, strict=True), marker, color=color, ms=6, alpha=0.7, label=f"padding read, {side}"
        )
    means = [sum(accuracy[length, "back"]) / len(accuracy[length, "back"]) for length in lengths]
    axes.plot(lengths, means, "-", color="#1f5fa8", lw=1.3, label="padding read, back: mean")
    mean = sum(not_reading) / len(not_reading)
    axes.axhline(mean, color="#2e7d32", lw=1.3, ls="--", label="padding not read: mean")
    axes.axhline(0.5, color="#999999", lw=1, ls=":", label="a coin")
    axes.set(xlabel="length that texts of 4 to 10 words are padded to", ylabel="accuracy", ylim=(0.45, 1.04))
    axes.set_xticks(lengths)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    figure.subplots_adjust(left=0.10, right=0.66, top=0.96, bottom=0.15)
    return figure


def blank(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130)
    FigureCanvasAgg(figure)
    return figure


def canvas(width: float, height: float, across: Point, up: Point) -> tuple[Figure, Axes]:
    """Return a figure to draw on, without frame, a unit as long across as up."""
    figure = blank(width, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=across, ylim=up, aspect="equal")
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes,
    center: Point,
    color: str,
    label: str,
    width: float = BOX,
    height: float = BOX,
    size: float = 10,
) -> None:
    x, y = center
    axes.add_patch(
        Rectangle((x - width / 2, y - height / 2), width, height, facecolor=color, edgecolor=INK, lw=0.9)
    )
    font = korean_font()
    family = [*([font] if font else []), "DejaVu Sans"]
    axes.text(x, y, label, ha="center", va="center", fontsize=size, color=INK, family=family)


def arrow(axes: Axes, start: Point, end: Point, color: str = INK) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0, color=color, lw=1.0
        )
    )


def feed_back(axes: Axes, start: Point, end: Point) -> None:
    """Draw a way from the right of an answer round the next state and into it from below."""
    between, below = start[0] + 0.17, end[1] - 0.3
    across, up = (
        (start[0], between, between, end[0], end[0]),
        (start[1], start[1], below, below, end[1] - 0.1),
    )
    axes.plot(across, up, color="#777777", lw=1.0, ls=(0, (3, 2)), zorder=0)
    arrow(axes, (end[0], end[1] - 0.12), end, "#777777")


def save(name: str, figure: Figure) -> None:
    figure.savefig(PICTURES / f"{name}.png", facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    main()

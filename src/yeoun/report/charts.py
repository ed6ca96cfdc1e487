"""Charts as inline SVG, coloured by the page's style sheet, so that they follow its colour scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .markup import Html, markup, tag

Floats = npt.NDArray[np.floating]
WIDTH, HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 18, 10, 26


@dataclass(frozen=True)
class Line:
    """A line through points. kind: a class of the style sheet. has_dots: whether each point has a dot."""

    kind: str
    xs: Floats
    ys: Floats
    has_dots: bool = False


@dataclass(frozen=True)
class Axis:
    """The values from one end to the other. unit: nothing, "%" of shares, "whole" of whole numbers, or "log"
    of decimal logarithms, which are written as what they are of."""

    low: float
    high: float
    unit: str = ""

    def written(self, value: float) -> str:
        """Return a value as the axis shows it."""
        if self.unit == "log":
            return f"{10**value:,.0f}" if value >= 0 else f"{10**value:.1g}"
        return f"{100 * value:.4g}%" if self.unit == "%" else f"{value:.4g}"

    def ticks(self, about: int = 5) -> list[float]:
        """Return round values within the axis, about so many."""
        if self.unit == "log":
            decades = range(int(np.floor(self.low)), int(np.ceil(self.high)))
            steps = (1, 2, 5) if self.high - self.low < 2 else (1,)
            marks = [decade + float(np.log10(step)) for decade in decades for step in steps]
            return [mark for mark in marks if self.low <= mark <= self.high]
        raw = (self.high - self.low) / about
        size = 10.0 ** np.floor(np.log10(raw))
        step = next(size * each for each in (1, 2, 5, 10) if size * each >= raw * 0.999)
        if self.unit == "whole":
            step = max(1.0, step)
        first = np.ceil(self.low / step - 1e-9)
        count = int(np.floor(self.high / step + 1e-9) - first) + 1
        return [float((first + i) * step) for i in range(count)]


def axis_around(values: Sequence[Floats], unit: str = "") -> Axis:
    """Return an axis on which all values have their place."""
    flat = np.concatenate([np.asarray(each, np.float64).ravel() for each in values])
    low, high = float(flat.min()), float(flat.max())
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    if unit == "whole":
        return Axis(low - 0.25, high + 0.25, unit)
    return Axis(low - margin, min(1.0, high + margin) if unit == "%" else high + margin, unit)


@dataclass(frozen=True)
class Plane:
    """Where values of two axes lie on the picture."""

    x: Axis
    y: Axis

    def across(self, value: float) -> float:
        """Return the picture's x of a value."""
        share = (value - self.x.low) / (self.x.high - self.x.low)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def down(self, value: float) -> float:
        """Return the picture's y of a value."""
        share = (value - self.y.low) / (self.y.high - self.y.low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def grid(self) -> Html:
        """Return both axes with their ticks."""
        left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
        parts = [
            markup(
                tag("line", x1=left, x2=right, y1=self.down(value), y2=self.down(value)),
                tag("text", self.y.written(value), x=left - 6, y=self.down(value) + 4, text_anchor="end"),
            )
            for value in self.y.ticks()
        ]
        parts += [
            tag("text", self.x.written(value), x=self.across(value), y=bottom + 17, text_anchor="middle")
            for value in self.x.ticks()
        ]
        return tag("g", *parts, class_="grid")

    def line(self, line: Line) -> Html:
        """Return a line, and the values of its points where a reader points at them."""
        points = [(self.across(x), self.down(y)) for x, y in zip(line.xs, line.ys, strict=True)]
        path = tag("polyline", points=" ".join(f"{x},{y}" for x, y in points))
        values = zip(points, line.xs, line.ys, strict=True)
        dots = (
            tag(
                "circle",
                tag("title", f"{self.x.written(x)}: {self.y.written(y)}"),
                cx=at[0],
                cy=at[1],
                r=3,
            )
            for at, x, y in values
            if line.has_dots
        )
        return tag("g", path, *dots, class_=line.kind)

    def mark(self, x: float) -> Html:
        """Return a line from bottom to top."""
        at = self.across(x)
        return tag("line", x1=at, x2=at, y1=_TOP, y2=HEIGHT - _BOTTOM, class_="mark")


def line_chart(lines: Sequence[Line], x: Axis, y: Axis, mark: float | None = None) -> Html:
    """Return a chart of the lines. mark: an x at which a line goes from bottom to top."""
    plane = Plane(x, y)
    return _picture(
        plane.grid(), None if mark is None else plane.mark(mark), *(plane.line(line) for line in lines)
    )


@dataclass(frozen=True)
class Point:
    """A dot with its interval from bottom to top. name: stands beside it."""

    kind: str
    name: str
    x: float
    y: float
    interval: tuple[float, float]


def point_chart(points: Sequence[Point], x: Axis, y: Axis) -> Html:
    """Return a chart of the points."""
    plane = Plane(x, y)
    drawn = []
    for point in points:
        at, (low, high) = plane.across(point.x), map(plane.down, point.interval)
        words = f"{point.name}: {x.written(point.x)}, {y.written(point.y)}"
        drawn.append(
            tag(
                "g",
                tag("line", x1=at, x2=at, y1=low, y2=high),
                tag("circle", tag("title", words), cx=at, cy=plane.down(point.y), r=4),
                tag("text", point.name, x=at + 7, y=plane.down(point.y) - 5),
                class_=f"point {point.kind}",
            )
        )
    return _picture(plane.grid(), *drawn)


def reliability_chart(confidence: Floats, right: Floats, counts: npt.NDArray[np.int64]) -> Html:
    """Return a bar a bin, as high as the share that is right, from the diagonal on which they should end.

    confidence, right: means of each bin. counts: how many answers lie in it; the more, the deeper its bar.
    """
    plane = Plane(Axis(0, 1, "%"), Axis(0, 1, "%"))
    wide = plane.across(1 / len(counts)) - plane.across(0)
    bars = []
    for i in np.flatnonzero(counts):
        top, middle = plane.down(right[i]), plane.down(confidence[i])
        words = f"{confidence[i]:.1%} → {right[i]:.1%}, {counts[i]:,}"
        shade = 0.25 + 0.75 * float(np.sqrt(counts[i] / counts.max()))
        left = plane.across(i / len(counts))
        bars += [
            tag("rect", tag("title", words), x=left + 1, y=top, width=round(wide - 2, 1),
                height=round(plane.down(0) - top, 1), fill_opacity=f"{shade:.2f}"),
            tag("line", x1=left + 1, x2=round(left + wide - 1, 1), y1=middle, y2=middle),
        ]  # fmt: skip
    diagonal = Line("ideal", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    return _picture(plane.grid(), tag("g", *bars, class_="bars"), plane.line(diagonal))


def interval_mark(value: float, interval: tuple[float, float], other: float | None, low: float) -> Html:
    """Return a dot in its interval, on a line from `low` to 1, with a stroke where `other` lies."""

    def across(share: float) -> float:
        return round(4 + 112 * (max(low, share) - low) / max(1e-9, 1 - low), 1)

    parts = [
        tag("line", x1=4, x2=116, y1=8, y2=8, class_="ground"),
        tag("line", x1=across(interval[0]), x2=across(interval[1]), y1=8, y2=8, class_="range"),
        tag("circle", cx=across(value), cy=8, r=3.5),
    ]
    if other is not None:
        parts.append(tag("line", x1=across(other), x2=across(other), y1=2, y2=14, class_="other"))
    return tag(
        "svg", *parts, viewBox="0 0 120 16", width=120, height=16, class_="interval", aria_hidden="true"
    )


def _picture(*parts: object) -> Html:
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="chart", role="img")

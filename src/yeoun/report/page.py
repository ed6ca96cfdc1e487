"""The page: one HTML file that asks for nothing, and the blocks it is built of.

Both languages lie in it; a checkbox at its top chooses, by a rule of the style sheet `page.css`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .charts import Line
from .highlight import STYLE
from .markup import Html, document, markup, tag
from .words import say


class Section(NamedTuple):
    """A part of the page. key: of its heading's words, and its address within the page."""

    key: str
    body: Html


def page(title: str, kind: Html, sections: Sequence[Section], in_korean: bool) -> str:
    """Return the page. kind: what it is. in_korean: which language shows first."""
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    switch = [
        tag("input", type="checkbox", id="korean", checked="" if in_korean else None),
        tag("label", Html("English / 한국어"), for_="korean"),
    ]
    contents = tag("nav", *(tag("a", say(each.key), href=f"#{each.key}") for each in sections))
    parts = (tag("section", tag("h2", say(each.key)), each.body, id=each.key) for each in sections)
    main = tag("main", tag("p", kind, class_="kind"), tag("h1", title), contents, *parts)
    return document(title, style + STYLE, *switch, main, language="ko" if in_korean else "en")


def section(key: str, *children: object) -> Section:
    """Return the section with these children below its heading."""
    return Section(key, markup(*children))


def lead(*sentences: Html) -> Html:
    """Return the paragraph that says what all else comes to."""
    return tag("p", *(markup(each, " ") for each in sentences), class_="lead")


def note(key: str, **values: object) -> Html:
    """Return a paragraph that explains."""
    return tag("p", say(key, **values), class_="note")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Return a table that scrolls where it is too wide; its first column holds words, the others numbers. A
    row of one cell is a heading over those below."""

    def cells(name: str, row: Sequence[object]) -> list[Html]:
        return [tag(name, cell, class_="number" if i else None) for i, cell in enumerate(row)]

    lines = (
        tag("tr", tag("th", row[0], colspan=len(head)), class_="group")
        if len(row) == 1 < len(head)
        else tag("tr", *cells("td", row))
        for row in rows
    )
    whole = tag("table", tag("thead", tag("tr", *cells("th", head))), tag("tbody", *lines))
    return tag("div", whole, class_="scroll")


def pairs(rows: Iterable[tuple[object, object]], kind: str | None = None) -> Html:
    """Return names with their values, in as many columns as there is room for; in one where `kind` is
    "wide"."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_=kind)


def figure(chart: Html, across: str, up: str, lines: Sequence[tuple[str, str]] = ()) -> Html:
    """Return a chart with its axes' names, and those of its lines by kind."""
    legend = (tag("span", tag("i", class_=kind), say(key), class_="key") for kind, key in lines)
    top = tag("div", tag("span", say(up), class_="up"), *legend, class_="legend")
    return tag("figure", top, chart, tag("div", say(across), class_="across"))


def figures(*each: Html) -> Html:
    """Return figures side by side where there is room."""
    return tag("div", *each, class_="figures")


def matrix(counts: npt.NDArray[np.int64], names: Sequence[str]) -> Html:
    """Return a matrix of counts, shaded by their share of the row, right answers apart from wrong ones."""
    shares = counts / counts.sum(1, keepdims=True).clip(1)

    def cell(row: int, column: int) -> Html:
        count, share = counts[row, column], shares[row, column]
        kind = "right" if row == column else "wrong"
        shown = f"{count:,}" if count else ""
        words = f"{names[row]} → {names[column]}: {count:,} ({share:.1%})"
        return tag("td", shown, class_=kind, style=f"--share:{share:.3f}", title=words)

    head = [tag("th", tag("span", name)) for name in names]
    lines = [
        tag("tr", tag("th", name), *(cell(row, column) for column in range(len(names))))
        for row, name in enumerate(names)
    ]
    size = "matrix many" if len(names) > 6 else "matrix"
    whole = tag("table", tag("thead", tag("tr", tag("td"), *head)), tag("tbody", *lines), class_=size)
    return tag("div", whole, class_="scroll")


def curve(kind: str, xs: npt.NDArray[np.floating], ys: npt.NDArray[np.floating], most: int = 200) -> Line:
    """Return the line through the points, of many of them through some, both ends among these."""
    some = np.unique(np.linspace(0, len(xs) - 1, min(most, len(xs))).round().astype(int))
    return Line(kind, xs[some], ys[some])


def share(value: float) -> str:
    """Return a share as text."""
    return f"{value:.1%}"


def interval(bounds: Sequence[float]) -> Html:
    """Return an interval of shares."""
    return markup(f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}%")

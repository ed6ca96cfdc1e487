"""Pictures, as PNG or SVG: the history of a training run, a confusion matrix, a text with its tokens shaded
by score, the gates over a text, and what accuracy costs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .card import FIGURES
from .evaluation.metrics import confusion_counts
from .explain.explanation import Explanation
from .text.normalization import normalize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .compare.weighing import Standing

KOREAN_FONTS = (
    "NanumGothic",
    "NanumBarunGothic",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
)
_TRAIN, _VALID, _INK, _SHADE = "#8a5a00", "#1f5fa8", "#222222", (0.95, 0.60, 0.15)


LONGEST = 80  # tokens of a picture of gates


def history_picture(history: Sequence[Mapping[str, Any]], best_epoch: int, kind: str = "png") -> bytes:
    """Return loss and accuracy of training and validation by epoch, the kept epoch marked."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(9.0, 3.6)
    epochs = [record["epoch"] for record in history]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, color in (
            (name, "training", _TRAIN),
            (f"validation_{name}", "validation", _VALID),
        ):
            axes.plot(epochs, [record[key] for record in history], "o-", ms=4, color=color, label=label)
        axes.axvline(best_epoch, color="#999999", lw=1, ls=":", label=f"kept: epoch {best_epoch}")
        axes.set(title=name.capitalize(), xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    return _rendered(figure, kind)


def confusion_picture(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], names: Sequence[str], kind: str = "png"
) -> bytes:
    """Return how often each class (rows) got each answer (columns), shaded by its share of the row."""
    counts = confusion_counts(predicted, labels, len(names))
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    side = max(3.2, 0.42 * len(names) + 2.0)
    figure = _figure(side + 0.8, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if len(names) <= 10 else 6
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column]:
            shade = "white" if shares[row, column] > 0.5 else _INK
            axes.text(
                column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=size, color=shade
            )
    family, shown = _font_for("".join(names)), [_plain(name) for name in names]
    axes.set_xticks(range(len(names)), shown, family=family, rotation=45, ha="right", fontsize=size)
    axes.set_yticks(range(len(names)), shown, family=family, fontsize=size)
    axes.set(xlabel="answer", ylabel="truth")
    return _rendered(figure, kind)


def gates_picture(explanation: Explanation, kind: str = "png") -> bytes:
    """Return the gates and states of every layer over the tokens, one row of shades a unit.

    Gates run from 0, shut, to 1, open; an LSTM's cell gate and all states from below to above 0. Of a longer
    text the first 80 tokens are drawn.
    """
    first = slice(LONGEST)
    traces = [trace.only(first) for trace in explanation.layers]
    tokens = [token.text for token in explanation.tokens[first]]
    if not tokens:
        return explanation_picture(explanation, kind)
    names = list(traces[0].arrays())
    width = max(3.0, 0.32 * len(tokens) + 1.2)
    figure = _figure(width * len(traces), 1.25 * len(names) + 1.0)
    grid = figure.subplots(len(names), len(traces), squeeze=False)
    family = _font_for("".join([*tokens, explanation.label]))
    for column, trace in enumerate(traces):
        for row, (name, values) in enumerate(trace.arrays().items()):
            axes = grid[row, column]
            is_gate = name.endswith("gate") and name not in ("cell gate", "new gate")
            largest = max(1.0, float(np.abs(values).max(initial=0.0)))
            colors = ("Oranges", 0.0, 1.0) if is_gate else ("RdBu_r", -largest, largest)
            shown = axes.imshow(values.T, aspect="auto", cmap=colors[0], vmin=colors[1], vmax=colors[2])
            bar = figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
            bar.ax.tick_params(labelsize=6)
            axes.set_yticks([])
            axes.set_ylabel(name, fontsize=8)
            axes.set_xticks([])
            if row == 0:
                axes.set_title(f"layer {trace.layer}, {trace.direction}", fontsize=9)
        grid[-1, column].set_xticks(
            range(len(tokens)),
            [_plain(token) for token in tokens],
            family=family,
            rotation=60,
            ha="right",
            fontsize=8,
        )
    figure.suptitle(
        f"{explanation.label}, probability {explanation.probability:.3f}", fontsize=9, family=family
    )
    return _rendered(figure, kind)


@dataclass(frozen=True)
class Point:
    """A trained system: its name (of the corpus, then of the network), its form, its accuracy with the 95 %
    interval, the seconds and parameters it took."""

    system: str
    form: str
    accuracy: float
    interval: tuple[float, float]
    seconds: float
    parameters: int


def recipes_picture(points: Sequence[Point], kind: str = "png") -> bytes:
    """Return accuracy with its interval against training time and against parameters, a row a corpus."""
    corpora = list(dict.fromkeys(point.system.partition("-")[0] for point in points)) or [""]
    figure = _figure(10.5, 3.1 * len(corpora))
    grid = figure.subplots(len(corpora), 2, squeeze=False)
    markers = {"as published": "X", "repaired": "o", "default preset": "s"}
    for corpus, (left, right) in zip(corpora, grid, strict=True):
        here = [point for point in points if point.system.partition("-")[0] == corpus]
        systems = list(dict.fromkeys(point.system for point in here))
        for axes, measure, unit in (
            (left, "seconds", "seconds of training"),
            (right, "parameters", "parameters"),
        ):
            for point in here:
                label = f"{point.system}, {point.form}"
                style = {"marker": markers[point.form], "color": f"C{systems.index(point.system)}"}
                _mark(
                    axes, getattr(point, measure), point.accuracy, point.interval, {"label": label, **style}
                )
            _cost_axis(axes, [getattr(point, measure) for point in here], unit)
            axes.set_ylabel(f"accuracy, {corpus}")
        if here:
            right.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return _rendered(figure, kind)


def comparison_picture(standings: Sequence[Standing], kind: str = "png") -> bytes:
    """Return accuracy with its interval against training time, size and speed, a colour a configuration; the
    recurrent half of a model with n-grams is hollow."""
    name = next(iter(standings[0].by_seed))
    figure = _figure(13.0, 3.6)
    panels = figure.subplots(1, 3, sharey=True)
    panels[0].set_ylabel(FIGURES[name])
    for axes, measure, unit in zip(
        panels,
        ("seconds", "bytes", "texts_per_second"),
        ("seconds of training", "bytes on disk", "texts answered a second"),
        strict=True,
    ):
        for i, each in enumerate(standings):
            at, style = getattr(each, measure), {"color": f"C{i}", "marker": "os^vDPX*"[i % 8]}
            interval, label = each.figures[f"{name}_ci95"], fill(_plain(each.label).replace("+", " + "), 40)
            _mark(axes, at, each.figures[name], interval, {"label": label, **style})
            if each.recurrent_alone is not None:
                axes.plot(at, each.recurrent_alone[name], mfc="none", ms=6, ls="", **style)
        _cost_axis(axes, [getattr(each, measure) for each in standings], unit)
    if any(each.recurrent_alone is not None for each in standings):
        panels[-1].plot([], [], "o", color=_INK, mfc="none", ms=6, label="hollow: recurrent half alone")
    family = _font_for("".join(each.label for each in standings))
    legend = {"frameon": False, "prop": {"size": 7, "family": family}, "loc": "center left"}
    panels[-1].legend(bbox_to_anchor=(1.02, 0.5), **legend)
    return _rendered(figure, kind)


def _mark(axes: Axes, at: float, value: float, interval: Sequence[float], style: Mapping[str, Any]) -> None:
    """Draw a figure with its interval."""
    reach = [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]]
    axes.errorbar(at, value, yerr=reach, ms=6, lw=1, capsize=2, **style)


def _cost_axis(axes: Axes, values: Sequence[float], unit: str) -> None:
    """Give the axes a logarithmic scale of what things cost."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlim(min(values, default=1) / 2, max(values, default=1) * 2)
    few = max(values, default=1) < 100 * min(values, default=1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def explanation_picture(explanation: Explanation, kind: str = "png", width: float = 9.0) -> bytes:
    """Return the tokens in reading order, each shaded by the size of its score, the largest deepest.

    A character that no installed font has is drawn as a box; for Hangul see `korean_font`.
    """
    with _boxes_for_missing_glyphs():
        return _rendered(_shaded_tokens(explanation, width), kind)


def _shaded_tokens(explanation: Explanation, width: float) -> Figure:
    figure = _figure(width, 1.0)
    family = _font_for("".join([explanation.label, *(token.text for token in explanation.tokens)]))
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    largest = max((abs(token.score) for token in explanation.tokens), default=0.0) or 1.0
    title = (
        f"{explanation.label}, probability {explanation.probability:.3f}"
        f" - {explanation.method} over {len(explanation.tokens)} tokens"
    )
    height, line, x, lines = 0.30, 1, 0.15, []
    for token in explanation.tokens:
        words = _plain(token.text)
        if not words:
            continue
        shade = abs(token.score) / largest
        drawn = figure.text(
            0,
            0,
            words,
            fontsize=11,
            family=family,
            color=_INK,
            bbox={"facecolor": (*_SHADE, 0.9 * shade), "edgecolor": "none", "pad": 2.0},
        )
        inches = drawn.get_window_extent(renderer).width / figure.dpi
        if x + inches > width - 0.15:
            line, x = line + 1, 0.15
        lines.append((drawn, x, line))
        x += inches + 0.10
    total = height * (line + 2)
    figure.set_size_inches(width, total)
    figure.text(0.15 / width, 1 - 0.6 * height / total, title, fontsize=9, color="#555555", va="center")
    for drawn, left, at in lines:
        drawn.set_position((left / width, 1 - height * (at + 0.9) / total))
    return figure


@cache
def korean_font() -> str | None:
    """Return the name of an installed font with Hangul, None where there is none."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in KOREAN_FONTS if name in installed), None)


def _font_for(text: str) -> list[str]:
    korean = korean_font() if any("ᄀ" <= c <= "힣" for c in text) else None
    return [*([korean] if korean else []), "DejaVu Sans"]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout=None)
    FigureCanvasAgg(figure)
    return figure


def _plain(text: str) -> str:
    """Return a text as matplotlib draws it: on one line, a dollar sign without its meaning."""
    return " ".join(normalize(text).split()).replace("$", r"\$")


@contextmanager
def _boxes_for_missing_glyphs() -> Iterator[None]:
    """Draw what no font has as a box, without a word; `korean_font` tells beforehand."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def _rendered(figure: Figure, kind: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    with (
        rc_context({"svg.hashsalt": "yeoun"}),
        _boxes_for_missing_glyphs(),
    ):  # the same names inside, each time
        if any(axes for axes in figure.axes):
            figure.tight_layout()
        figure.savefig(buffer, format=kind, facecolor="white", metadata=metadata)
    return buffer.getvalue()

"""Pictures, as PNG bytes: the history of a training run, and a text with its tokens shaded by score."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .explain.explanation import Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KOREAN_FONTS = (
    "NanumGothic",
    "NanumBarunGothic",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
)
_TRAIN, _VALID, _INK, _SHADE = "#8a5a00", "#1f5fa8", "#222222", (0.95, 0.60, 0.15)


def history_picture(history: Sequence[Mapping[str, Any]], best_epoch: int) -> bytes:
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
    return _png(figure)


def explanation_picture(explanation: Explanation, width: float = 9.0) -> bytes:
    """Return the tokens in reading order, each shaded by the size of its score, the largest deepest.

    A character that no installed font has is drawn as a box; for Hangul see `korean_font`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        return _png(_shaded_tokens(explanation, width))


def _shaded_tokens(explanation: Explanation, width: float) -> Figure:
    figure = _figure(width, 1.0)
    family = _font_for("".join(token.text for token in explanation.tokens))
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    largest = max((abs(token.score) for token in explanation.tokens), default=0.0) or 1.0
    title = (
        f"{explanation.label}, probability {explanation.probability:.3f}"
        f" - {explanation.method} over {len(explanation.tokens)} tokens"
    )
    height, line, x, lines = 0.30, 1, 0.15, []
    for token in explanation.tokens:
        words = " ".join(token.text.split()).replace("$", r"\$")
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


def _png(figure: Figure) -> bytes:
    if any(axes for axes in figure.axes):
        figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return buffer.getvalue()

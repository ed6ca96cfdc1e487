"""What a person sees on standard error while work goes on, and how results are written."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, UsageError

if TYPE_CHECKING:
    from ..data.tables import Table
    from ..inference import Prediction
    from ..training.state import Progress


def note(message: str) -> None:
    """Say something to the person, on standard error."""
    print(message, file=sys.stderr, flush=True)


def emit(value: dict[str, Any]) -> None:
    """Write one JSON object as a line of standard output."""
    print(json.dumps(value, ensure_ascii=False))


def picture_path(options: argparse.Namespace) -> Path | None:
    """Return where --picture asks for one; raises as `fresh_path` does."""
    return fresh_path(options, "picture", (".png", ".svg"))


def fresh_path(options: argparse.Namespace, flag: str, suffixes: Sequence[str]) -> Path | None:
    """Return the file that a flag names, None without it. Raises UsageError for another kind of name,
    OutputError for a place that is taken."""
    if not (name := getattr(options, flag)):
        return None
    path = Path(name)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"--{flag} {path}: expected a name ending in {' or '.join(suffixes)}")
    if path.exists() and not options.force:
        raise OutputError(f"{path}: exists already; choose another place or use --force")
    return path


def note_picture(path: Path, text: str) -> None:
    """Say that a picture was drawn, and whether a font for its Hangul is missing."""
    from ..plots import KOREAN_FONTS, korean_font

    note(f"drawn to {path}")
    if korean_font() is None and any("가" <= c <= "힣" for c in text):
        fonts = ", ".join(KOREAN_FONTS)
        note(f"no font with Hangul is installed, so it shows as boxes; install one of {fonts}")


def in_words(answer: Prediction) -> str:
    """Return a label, or several, with its probability."""
    if answer.label is None:
        return "no answer: none is likely enough"
    if isinstance(answer.label, str):
        return f"{answer.label} with a probability of {answer.probability:.3f}"
    each = (f"{label} with a probability of {answer.probabilities[label]:.3f}" for label in answer.label)
    return ", ".join(each) or "no label"


def describe(table: Table, guessed: bool) -> None:
    """Say what was read, which columns were guessed, and how many rows were left out."""
    if table.text_column and guessed:
        note(f"text column {table.text_column!r}, label column {table.label_column!r}")
    names = table.dataset.label_names
    note(f"{len(table.dataset):,} rows, labels {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}")
    if table.dataset.is_multilabel:
        note(f"several labels a row, {table.dataset.targets.sum(1).mean():.2f} on average")
    if table.bad_rows:
        note(f"{len(table.bad_rows)} rows could not be read and are left out")


class TrainingDisplay:
    """Called with the progress after each step: a line an epoch, and a live line on a terminal."""

    def __init__(self) -> None:
        self.task = ""
        self.live = sys.stderr.isatty()
        self.bold = self.live and not os.environ.get("NO_COLOR")
        self.shown = 0
        self.last = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.task != self.task:
            self.task, self.shown = progress.task, 0
        if progress.step == 0 and progress.epoch > self.shown:
            self._epoch(progress)
        elif self.live and progress.answers and time.monotonic() - self.last > 0.2:
            self.last = time.monotonic()
            print(f"\r\033[K{self._step(progress)}", end="", file=sys.stderr, flush=True)

    def _step(self, progress: Progress) -> str:
        filled = 24 * progress.step // max(1, progress.steps)
        return (
            f"{_place(progress, progress.epoch + 1)} [{'=' * filled:<24}]"
            f" loss {progress.loss_sum / progress.answers:.4f}"
            f" accuracy {progress.right / progress.answers:.4f}"
            f" {progress.tokens / max(progress.seconds, 1e-9):,.0f} tokens/s"
        )

    def _epoch(self, progress: Progress) -> None:
        record = progress.history[-1]
        is_best = progress.best_epoch == progress.epoch
        mark = ("\033[1m*\033[0m" if self.bold else "*") if is_best else " "
        clear = "\r\033[K" if self.live else ""
        note(
            f"{clear}{_place(progress, progress.epoch)} {mark}"
            f" training loss {record['loss']:.4f} accuracy {record['accuracy']:.4f}"
            f" | validation loss {record['validation_loss']:.4f}"
            f" accuracy {record['validation_accuracy']:.4f} | {record['seconds']:.0f} s"
        )
        self.shown = progress.epoch


def _place(progress: Progress, number: int) -> str:
    before = "" if progress.task == "training" else f"{progress.task}, "
    return f"{before}epoch {number:>3}/{progress.epochs}"


def readable(name: str) -> str:
    """Return a name from the command line as text that any file can hold."""
    return os.fsencode(name).decode(errors="replace")

"""Labelling files of any size: rows in, rows out, a chunk at a time, in constant memory.

What is finished of an output lies in `OUTPUT.partial`, and how much that is in `OUTPUT.progress`; a killed
run goes on from there, and ends with the bytes of an uninterrupted one. The output appears whole, by one
rename.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from .bundle import ModelBundle
from .data.readers import Row
from .errors import OutputError, ResumeError
from .files import open_alone, write_durably
from .inference import (
    CHUNK,
    Prediction,
    answers_of,
    least_probabilities,
    predict_chunks,
    require_runtime,
)
from .text.portions import portions

CHARACTERS = 2**24  # of the texts of a chunk
Labelled = list[tuple[Row, Prediction | None]]
Table = Sequence[Sequence[str]]


def label_rows(
    bundle: ModelBundle,
    rows: Iterable[Row],
    column: str,
    precision: str = "fp32",
    runtime: str = "torch",
    abstain_below: float | str = 0.0,
) -> Iterator[Labelled]:
    """Return the rows in chunks, each row with its answer, or None where it could not be read.

    Raises ConfigError, before a row is read, for a runtime that is not there and a limit that cannot be held.
    """
    least = least_probabilities(bundle, abstain_below)
    require_runtime(bundle, precision, runtime)

    def characters(row: Row) -> int:
        return len(row.cells.get(column, ""))

    def labelled() -> Iterator[Labelled]:
        under_way = deque[list[Row]]()

        def texts() -> Iterator[list[str]]:
            whole = (_with_text(row, column) for row in rows)
            for chunk in portions(whole, characters, CHUNK, CHARACTERS):
                under_way.append(chunk)
                yield [row.cells[column] for row in chunk if row.error is None]

        for probabilities in predict_chunks(bundle, texts(), precision, runtime):
            answers = iter(answers_of(bundle, probabilities, least))
            yield [(row, next(answers) if row.error is None else None) for row in under_way.popleft()]

    return labelled()


def _with_text(row: Row, column: str) -> Row:
    if row.error is None and column not in row.cells:
        return Row(row.number, row.line, {}, f"no column {column!r}")
    return row


def header(columns: Sequence[str]) -> list[str]:
    """Return the columns of the output: the input's, then label and probability; the input's own columns of
    these names become `input_label` and `input_probability`, with `input_` once more where that is taken."""
    names = []
    for column in columns:
        name = column
        while name in ("label", "probability") or (name != column and name in columns):
            name = f"input_{name}"
        names.append(name)
    return [*names, "label", "probability"]


def lines_of(kind: str, labelled: Labelled, columns: Sequence[str]) -> str:
    """Return the lines of the rows with their answers in an output of that suffix. A row that could not be
    read keeps its place, without cells."""
    if kind == ".jsonl":
        return _json_lines(labelled, columns)
    table = [
        [*(row.cells.get(c, "") for c in columns), *(("", "") if answer is None else _cells(answer))]
        for row, answer in labelled
    ]
    return WRITERS[kind](table)


def head_of(kind: str, columns: Sequence[str]) -> str:
    """Return the line of the output's columns; JSON lines have none."""
    return "" if kind == ".jsonl" else WRITERS[kind]([header(columns)])


def _json_lines(labelled: Labelled, columns: Sequence[str]) -> str:
    """Return an object a row: what it holds, as it is, then label and probability, no label where the model
    abstains."""
    names = dict(zip(columns, header(columns), strict=False))
    lines = []
    for row, answer in labelled:
        values = row.cells if row.values is None else row.values
        given: dict[str, Any] = {names[column]: value for column, value in values.items() if column in names}
        given |= {"label": None, "probability": None}
        if answer is not None:
            given |= {"label": answer.label, "probability": np.round(answer.probability, 6).tolist()}
        lines.append(json.dumps(given, ensure_ascii=False, default=str) + "\n")
    return "".join(lines)


def _cells(answer: Prediction) -> tuple[str, str]:
    """Return label and probability, no label where the model abstains; several as JSON lists, which training
    reads as such."""
    if isinstance(answer.probability, float):
        return str(answer.label or ""), f"{answer.probability:.6f}"
    label = "" if answer.label is None else json.dumps(answer.label, ensure_ascii=False)
    return label, json.dumps([round(each, 6) for each in answer.probability])


def _quoted(delimiter: str) -> Callable[[Table], str]:
    def lines(table: Table) -> str:
        text = io.StringIO(newline="")
        plain = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        whole = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for cells in table:  # a return is what csv would leave unquoted
            (whole if any("\r" in cell for cell in cells) else plain).writerow(cells)
        return text.getvalue()

    return lines


def _unquoted(table: Table) -> str:
    lines = ("\t".join(" ".join(cell.splitlines()).replace("\t", " ") for cell in line) for line in table)
    return "".join(line + "\n" for line in lines)


# From rows of cells to their lines, by suffix; a `.jsonl` has no cells.
WRITERS: dict[str, Callable[[Table], str]] = {".csv": _quoted(","), ".tsv": _quoted("\t"), ".txt": _unquoted}
KINDS = (*WRITERS, ".jsonl")


class GrowingFile:
    """An output that grows by whole chunks and can be gone on with after a kill; used in a `with`, at whose
    end another process may write it."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """identity: what the run is about; another one is not gone on with."""
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self.progress = path.with_name(path.name + ".progress")
        self.identity = json.loads(json.dumps(identity))
        self.rows = self.unreadable = self.bytes = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of what could not be written it has said so before
                self._file.close()
            self._file = None

    def begin(self, resume: bool, force: bool) -> None:
        """Make ready to grow: from the start, or from where an interrupted run was.

        Raises OutputError when such a run is there and neither `resume` nor `force` says what to do with
        it, or when it is still running; ResumeError when it was about something else.
        """
        if self.path.is_dir():
            raise OutputError(
                f"{self.path}: is a folder, which a table does not replace; choose another place"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_there = self.progress.exists() and self.partial.exists()
        if is_there and not resume and not force:
            raise OutputError(
                f"{self.partial}: of an interrupted run; go on with --resume or start afresh with --force"
            )
        self._file = open_alone(self.partial)
        if self._file is None:
            raise OutputError(f"{self.partial}: another process is writing it; wait, or choose another place")
        if is_there and resume:
            self._go_on(self._file)
        else:
            self.progress.unlink(missing_ok=True)  # first: it must never count another run's bytes
            self._file.truncate(0)

    def _go_on(self, file: IO[bytes]) -> None:
        try:
            found = json.loads(self.progress.read_bytes())
            identity, self.rows, self.unreadable, self.bytes = (
                found[name] for name in ("identity", "rows", "unreadable", "bytes")
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ResumeError(f"{self.progress}: damaged ({error}); start afresh with --force") from None
        other = [name for name, value in self.identity.items() if identity.get(name) != value]
        if other or self.partial.stat().st_size < self.bytes:
            what = f"another {other[0]}" if other else "less than was written"
            raise ResumeError(f"{self.partial}: of a run with {what}; start afresh with --force")
        file.truncate(self.bytes)

    def grow(self, content: str, rows: int, unreadable: int) -> None:
        """Add the lines of `rows` more rows, durably."""
        encoded = content.encode("utf-8", "replace")
        if self.path.name.endswith(".gz"):
            encoded = gzip.compress(encoded, mtime=0)
        assert self._file is not None
        try:
            self._file.write(encoded)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            if not self.rows:
                self.discard()
            going_on = "; then go on with --resume" if self.rows else ""
            raise OSError(error.errno, f"{error.strerror}{going_on}", str(self.path)) from None
        self.rows += rows
        self.unreadable += unreadable
        self.bytes += len(encoded)
        state = {
            "identity": self.identity,
            "rows": self.rows,
            "unreadable": self.unreadable,
            "bytes": self.bytes,
        }
        write_durably(self.progress, json.dumps(state).encode())

    def finish(self) -> None:
        """Let the output appear."""
        self._close()
        self.partial.replace(self.path)
        self.progress.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what was written so far."""
        self._close()
        self.partial.unlink(missing_ok=True)
        self.progress.unlink(missing_ok=True)

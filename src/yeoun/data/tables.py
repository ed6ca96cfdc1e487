"""The rows of a file as a dataset, and what to do with bad ones."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .columns import pick_columns, with_message
from .readers import Row, as_cell, read_rows
from .rows import Dataset, label_indices, labelled, labelled_with_several
from .texts import TextWriter

BAD_ROWS_ALLOWED = 0.01


@dataclass(frozen=True)
class Table:
    """The rows that could be read, and the columns of the file they came from (a corpus has none).

    bad_rows: the numbers, from 1 after the header, of those that could not be read, ascending.
    """

    dataset: Dataset
    text_column: str | None = None
    label_column: str | None = None
    bad_rows: tuple[int, ...] = ()

    @property
    def row_numbers(self) -> npt.NDArray[np.int64]:
        """The number of each row of the dataset in its file, from 1 after the header."""
        return np.setdiff1d(np.arange(1, len(self.dataset) + len(self.bad_rows) + 1), self.bad_rows)


def read_dataset(
    path: Path,
    text: str | None = None,
    label: str | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """Return the labelled texts of a file.

    text, label: the columns; guessed where only one guess is sensible. Of the text several may be named, with
    commas between them, which become a message (`columns.with_message`). names: the labels of a model, beside
    which no other label is accepted. A label cell that holds a list, as in ["a", "b"], makes a file of rows
    with several labels each. Raises DataError for an unreadable file, a missing or ambiguous column, no rows,
    more than 1 % bad rows, or an unknown label.
    """
    labels: list[str | list[str]] = []
    first_bad: Row | None = None
    bad_rows: list[int] = []
    columns: tuple[str, str] | None = None
    with TextWriter() as texts:
        for row in read_rows(path):
            if row.error is None and columns is None:
                columns = pick_columns(path, list(row.cells), text, label)
            read = _read(row, columns, labels)
            if isinstance(read, Row):
                first_bad = first_bad or read
                bad_rows.append(read.number)
            else:
                texts.append(read[0])
                labels.append(read[1])
        whole = texts.finish()
    rows = len(labels) + len(bad_rows)
    if not rows:
        raise DataError(f"{path}: no rows; expected a header and at least one row")
    if first_bad is not None and len(bad_rows) > BAD_ROWS_ALLOWED * rows:
        raise DataError(
            f"{path}, line {first_bad.line}: {first_bad.error}; {len(bad_rows)} of {rows} rows cannot be read"
            f" ({_first(bad_rows)}) and at most 1 % may be so; mend or remove them"
        )
    assert columns is not None
    try:
        dataset = _dataset(whole, labels, names)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return Table(dataset, *columns, bad_rows=tuple(bad_rows))


def _first(numbers: Sequence[int], most: int = 10) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return f"row{'s' * (len(numbers) > 1)} {shown}{', ...' * (len(numbers) > most)}"


def _read(
    row: Row, columns: tuple[str, str] | None, before: Sequence[str | list[str]]
) -> tuple[str, str | list[str]] | Row:
    """Return the text and the label or labels of a row; or the row, with what is wrong with it."""
    if columns is not None:
        row = with_message(row, columns[0])
    if row.error is not None or columns is None:
        return row
    label = _label(row.cells.get(columns[1], "").strip())
    if label == "":
        return replace(row, error=f"no label in column {columns[1]!r}")
    if before and isinstance(label, list) != isinstance(before[0], list):
        found, first = ("one label", "a list") if isinstance(before[0], list) else ("a list", "one label")
        return replace(row, error=f"got {found}, where the first row has {first}")
    if columns[0] not in row.cells:
        return replace(row, error=f"no column {columns[0]!r}")
    return row.cells[columns[0]], label if isinstance(label, list) else sys.intern(label)


def _dataset(texts: Sequence[str], labels: list[str | list[str]], names: Sequence[str] | None) -> Dataset:
    lists = [label for label in labels if isinstance(label, list)]
    if lists:
        return labelled_with_several(texts, lists, names)
    single = [label for label in labels if isinstance(label, str)]
    if names is None:
        return labelled(texts, single)
    return Dataset(texts, label_indices(single, tuple(names)), tuple(names))


def _label(cell: str) -> str | list[str]:
    """Return the label in a cell, or the labels of a list in JSON or as Python prints it."""
    if not cell.startswith("["):
        return cell
    for read in (json.loads, ast.literal_eval):
        try:
            values = read(cell)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(values, list):
            return [label for value in values if (label := as_cell(value).strip())]
    return cell

"""The rows of a file as a dataset: which column is the text, which the label, what to do with bad rows."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .readers import Row, as_cell, read_rows
from .rows import Dataset, label_indices, labelled, labelled_with_several

TEXT_COLUMNS = ("text", "document", "review", "sentence", "content", "comment", "message", "body")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "rating", "y")
BAD_ROWS_ALLOWED = 0.01


@dataclass(frozen=True)
class Table:
    """The rows that could be read, and the columns of the file they came from (a corpus has none)."""

    dataset: Dataset
    text_column: str | None
    label_column: str | None
    bad_rows: int


def read_dataset(
    path: Path,
    text: str | None = None,
    label: str | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """Return the labelled texts of a file.

    text, label: the columns; guessed where only one guess is sensible. names: the labels of a model,
    beside which no other label is accepted. A label cell that holds a list, as in ["a", "b"], makes a file
    of rows with several labels each. Raises DataError for an unreadable file, a missing or
    ambiguous column, no rows, more than 1 % bad rows, or an unknown label.
    """
    texts: list[str] = []
    labels: list[str | list[str]] = []
    bad: list[Row] = []
    columns: tuple[str, str] | None = None
    for row in read_rows(path):
        if row.error is None and columns is None:
            columns = pick_columns(path, list(row.cells), text, label)
        if row.error is not None or columns is None:
            bad.append(row)
            continue
        label_of_row = _label(row.cells.get(columns[1], "").strip())
        if label_of_row == "":
            bad.append(Row(row.number, row.line, {}, f"no label in column {columns[1]!r}"))
        elif labels and isinstance(label_of_row, list) != isinstance(labels[0], list):
            found, first = ("one label", "a list") if isinstance(labels[0], list) else ("a list", "one label")
            bad.append(Row(row.number, row.line, {}, f"got {found}, where the first row has {first}"))
        elif columns[0] not in row.cells:
            bad.append(Row(row.number, row.line, {}, f"no column {columns[0]!r}"))
        else:
            texts.append(row.cells[columns[0]])
            labels.append(label_of_row)
    if not texts and not bad:
        raise DataError(f"{path}: no rows; expected a header and at least one row")
    if len(bad) > BAD_ROWS_ALLOWED * (len(texts) + len(bad)):
        raise DataError(
            f"{path}, line {bad[0].line}: {bad[0].error}; {len(bad)} of {len(texts) + len(bad)} rows are"
            " like it and at most 1 % may be; mend or remove them"
        )
    assert columns is not None
    return Table(_dataset(texts, labels, names), *columns, bad_rows=len(bad))


def _dataset(texts: list[str], labels: list[str | list[str]], names: Sequence[str] | None) -> Dataset:
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


def pick_columns(path: Path, columns: list[str], text: str | None, label: str | None) -> tuple[str, str]:
    """Return the text and the label column: those asked for, or the only sensible guess."""
    if len(columns) == 1:
        raise DataError(f"{path}: one column only, {columns[0]!r}; expected a text and a --label column")
    label = pick_column(path, columns, label, LABEL_COLUMNS, "label", other=text)
    return pick_column(path, columns, text, TEXT_COLUMNS, "text", other=label), label


def pick_column(
    path: Path,
    columns: list[str],
    asked: str | None,
    known: tuple[str, ...],
    role: str,
    other: str | None = None,
) -> str:
    """Return the column of a role. Raises DataError naming the columns when it is not clear."""
    if asked is not None:
        if asked not in columns:
            raise DataError(f"{path}: no column {asked!r}; expected one of {', '.join(columns)}")
        return asked
    free = [c for c in columns if c != other]
    likely = [c for c in free if c.strip().lower() in known] or (free if len(free) == 1 else [])
    if len(likely) != 1:
        raise DataError(
            f"{path}: cannot tell the {role} column among {', '.join(columns)}; name it with --{role}"
        )
    return likely[0]

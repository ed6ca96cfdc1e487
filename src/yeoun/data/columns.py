"""Which column of a file is the text, and which the label; and several columns as one text, a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import DataError
from .readers import Row

TEXT_COLUMNS = ("text", "document", "review", "sentence", "content", "comment", "message", "body")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "rating", "y")


def pick_columns(path: Path, columns: list[str], text: str | None, label: str | None) -> tuple[str, str]:
    """Return the text and the label column: those asked for, or the only sensible guess."""
    if len(columns) == 1:
        raise DataError(f"{path}: one column only, {columns[0]!r}; expected a text and a --label column")
    label = pick_column(path, columns, label, LABEL_COLUMNS, "label", other=text)
    return pick_text_column(path, columns, text, other=label), label


def pick_text_column(path: Path, columns: list[str], asked: str | None, other: str | None = None) -> str:
    """Return the text column, or several with commas between them, which `with_message` makes one of.

    Raises DataError naming the columns when it is not clear."""
    parts = _parts(columns, asked)
    if len(parts) < 2:
        return pick_column(path, columns, asked, TEXT_COLUMNS, "text", other)
    needed = parts[-1:] if rows_have_own_columns(path) else parts
    for part in needed:
        pick_column(path, columns, part, (), "text")
    return ",".join(parts)


def rows_have_own_columns(path: Path) -> bool:
    """Return whether each row of the file may have columns of its own, as an object of JSON lines may."""
    return ".jsonl" in map(str.lower, path.suffixes)


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
    free = [c for c in columns if c not in _parts(columns, other)]
    likely = [c for c in free if c.strip().lower() in known] or (free if len(free) == 1 else [])
    if len(likely) != 1:
        raise DataError(
            f"{path}: cannot tell the {role} column among {', '.join(columns)}; name it with --{role}"
        )
    return likely[0]


def with_message(row: Row, column: str) -> Row:
    """Return the row with a cell `column`, where that names several: a message of them (RFC 5322), a line
    `name: value` for each, and below an empty one the last, without which the row cannot be read. A title
    (`text.titles`) is then read as one."""
    heads = column.split(",")
    body = heads.pop()
    if column in row.cells or not heads or row.error is not None:
        return row
    if body not in row.cells:
        return replace(row, cells={}, error=f"no column {body!r}")
    lines = [f"{_joined(name, '-')}: {_joined(row.cells.get(name, ''), ' ')}" for name in heads]
    return replace(row, cells={**row.cells, column: "\n".join([*lines, "", row.cells[body]])})


def _joined(text: str, by: str) -> str:
    return by.join(text.split())


def _parts(columns: Sequence[str], asked: str | None) -> list[str]:
    """Return the columns that `asked` names: itself, or several with commas between them."""
    if asked is None or asked in columns:
        return [] if asked is None else [asked]
    return [part if part in columns else part.strip() for part in asked.split(",")]

"""Files to rows. READERS by suffix; `.gz` may follow each.

A reader yields one `Row` at a time, good or bad, so that no file has to fit in memory. The encoding is
UTF-8 (with or without a byte-order mark) or else CP949.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ..errors import DataError
from .rows import Dataset, label_indices, labelled

TEXT_COLUMNS = ("text", "document", "review", "sentence", "content", "comment", "message", "body")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "rating", "y")
BAD_ROWS_ALLOWED = 0.01
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Row:
    """A row as it was read: its number (from 1, after the header), its line, its cells by column.

    A row that cannot be read has no cells and says why in `error`.
    """

    number: int
    line: int
    cells: dict[str, str]
    error: str | None = None


def _read_csv(path: Path) -> Iterator[Row]:
    return _quoted(path, ",")


def _read_tsv(path: Path) -> Iterator[Row]:
    return _quoted(path, "\t")


def _quoted(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with _open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        number, line = 0, 1
        try:
            for cells in reader:
                if header is None:
                    header = _checked_header(path, cells)
                elif cells or len(header) == 1:  # elsewhere a blank line is no row
                    number += 1
                    yield _row(number, line, header, cells or [""])
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {line}: {error}; expected quotes to be closed and doubled inside a"
                " quoted cell (a tab-separated file without quoting may be named .txt)"
            ) from None


def _read_txt(path: Path) -> Iterator[Row]:
    """A tab in the first line makes a table, without quoting; else each line is one text."""
    with _open_text(path) as file:
        first = file.readline()
        if "\t" not in first:
            lines = [first] if first else []
            for number, text in enumerate((line for part in (lines, file) for line in part), 1):
                yield Row(number, number, {"text": text.rstrip("\r\n")})
            return
        header = _checked_header(path, first.rstrip("\r\n").split("\t"))
        for number, text in enumerate(file, 1):
            yield _row(number, number + 1, header, text.rstrip("\r\n").split("\t"))


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".txt": _read_txt,
}


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, by its suffix. Raises DataError when it cannot be read as such."""
    try:
        found, is_folder = path.exists(), path.is_dir()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if is_folder or not found:
        raise DataError(f"{path}: {'a folder' if is_folder else 'no such file'}; expected a file")
    suffixes = [s.lower() for s in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    if suffix not in READERS:
        known = " ".join(READERS)
        raise DataError(f"{path}: unknown kind of file {suffix!r}; expected {known}, also with .gz")
    return READERS[suffix](path)


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
    beside which no other label is accepted. Raises DataError for an unreadable file, a missing or
    ambiguous column, no rows, more than 1 % bad rows, or an unknown label.
    """
    texts: list[str] = []
    labels: list[str] = []
    bad: list[Row] = []
    columns: tuple[str, str] | None = None
    for row in read_rows(path):
        if row.error is None and columns is None:
            columns = pick_columns(path, list(row.cells), text, label)
        if row.error is not None or columns is None:
            bad.append(row)
            continue
        cell = row.cells[columns[1]].strip()
        if cell:
            texts.append(row.cells[columns[0]])
            labels.append(cell)
        else:
            bad.append(Row(row.number, row.line, {}, f"no label in column {columns[1]!r}"))
    if not texts and not bad:
        raise DataError(f"{path}: no rows; expected a header and at least one row")
    if len(bad) > BAD_ROWS_ALLOWED * (len(texts) + len(bad)):
        raise DataError(
            f"{path}, line {bad[0].line}: {bad[0].error}; {len(bad)} of {len(texts) + len(bad)} rows are"
            " like it and at most 1 % may be; mend or remove them"
        )
    assert columns is not None
    dataset = labelled(texts, labels)
    if names is not None:
        dataset = Dataset(texts, label_indices(labels, tuple(names)), tuple(names))
    return Table(dataset, *columns, bad_rows=len(bad))


def pick_columns(path: Path, columns: list[str], text: str | None, label: str | None) -> tuple[str, str]:
    """Return the text and the label column: those asked for, or the only sensible guess."""
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
    likely = [c for c in free if c.strip().lower() in known] or (
        free if len(free) == 1 < len(columns) else []
    )
    if not free:
        raise DataError(f"{path}: one column only, {columns[0]!r}; expected a {role} column beside it")
    if len(likely) != 1:
        raise DataError(
            f"{path}: cannot tell the {role} column among {', '.join(columns)}; name it with --{role}"
        )
    return likely[0]


def _checked_header(path: Path, cells: list[str]) -> list[str]:
    if len(set(cells)) != len(cells):
        raise DataError(f"{path}, line 1: column names occur twice in {cells}; expected each once")
    return cells


def _row(number: int, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(number, line, {}, f"got {len(cells)} cells, expected {len(header)}")
    return Row(number, line, dict(zip(header, cells, strict=True)))


def _open_binary(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return path.open("rb")


def _open_text(path: Path) -> IO[str]:
    encoding = _encoding(path)
    return io.TextIOWrapper(_open_binary(path), encoding=encoding, newline="")


def _encoding(path: Path) -> str:
    """Return the encoding in which the whole file can be read; read through once, in blocks."""
    try:
        return next(name for name in ("utf-8-sig", "cp949") if _decodes(path, name))
    except StopIteration:
        raise DataError(f"{path}: neither UTF-8 nor CP949; expected text in one of them") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: broken gzip ({error}); expected a whole file: fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _decodes(path: Path, encoding: str) -> bool:
    size = 0
    with _open_binary(path) as file:
        decoder = codecs.getincrementaldecoder(encoding)()
        while block := file.read(_BLOCK):
            size += len(block)
            if b"\0" in block:
                raise DataError(f"{path}: binary content (a zero byte); expected text")
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return False
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    if not size:
        raise DataError(f"{path}: empty file; expected a header and at least one row")
    return True

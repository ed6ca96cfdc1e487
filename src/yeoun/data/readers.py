"""Files to rows. READERS by suffix; `.gz` may follow each but parquet. A folder has a folder per class.

A reader yields one `Row` at a time, good or bad, so that no file has to fit in memory. The encoding is
what a byte-order mark says (UTF-8 or UTF-16), else UTF-8, else CP949 where that makes Korean of it.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataError

_BLOCK = 1 << 20
_BATCH = 4_096  # rows of a parquet file that are read together
_ENCODINGS = ("utf-8-sig", "cp949")
# The two bytes of a character in CP949; in the group those that EUC-KR has not: syllables that hardly occur.
_WIDE = re.compile(rb"([\x81-\xa0].|[\xa1-\xfe][\x41-\xa0])|[\xa1-\xfe]{2}", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A row as it was read: its number (from 1, after the header), its line, its cells by column.

    A cell that is no text in the file stands as its JSON (`true`, `3`, `["a", "b"]`), a missing one as
    nothing. A row that cannot be read has no cells and says why in `error`. values: what a typed file has in
    the place of its cells; None of a file of text.
    """

    number: int
    line: int
    cells: dict[str, str]
    error: str | None = None
    values: dict[str, Any] | None = None


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
                    header = _checked_header(path, cells) if cells else None
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
        number = 0
        for line, text in enumerate(file, 2):
            if text.strip("\r\n") or len(header) == 1:  # elsewhere a blank line is no row
                number += 1
                yield _row(number, line, header, text.rstrip("\r\n").split("\t"))


def _read_jsonl(path: Path) -> Iterator[Row]:
    """One JSON object a line; a blank line is no row."""
    with _open_text(path) as file:
        number = 0
        for line, content in enumerate(file, 1):
            if not content.strip():
                continue
            number += 1
            try:
                cells = json.loads(content)
                if isinstance(cells, dict):
                    row = _typed_row(number, line, cells)
                else:
                    row = Row(number, line, {}, f"got {as_cell(cells)[:40]!r}, expected a JSON object")
            except (ValueError, RecursionError) as error:
                row = Row(number, line, {}, f"not JSON ({error})")
            yield row


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(f"{path}: reading parquet needs pyarrow; pip install 'yeoun[parquet]'") from None
    try:
        with ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for cells in batch.to_pylist():
                    number += 1
                    yield _typed_row(number, number, cells)
    except ArrowInvalid as error:
        raise DataError(f"{path}: not parquet ({error}); expected a whole parquet file") from None


def _typed_row(number: int, line: int, values: dict[str, Any]) -> Row:
    return Row(number, line, {name: as_cell(value) for name, value in values.items()}, values=values)


def as_cell(value: Any) -> str:
    """Return a value of a typed file as a cell: text as it is, nothing for null and NaN, else its JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, by its suffix, or of a folder with a folder per class.

    Raises DataError when it cannot be read as such.
    """
    try:
        found, is_folder = path.exists(), path.is_dir()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not found:
        raise DataError(f"{path}: no such file; expected a file, a folder or a named corpus")
    if is_folder:
        return _read_folder(path)
    suffixes = [s.lower() for s in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    if suffix not in READERS or suffixes[-2:] == [".parquet", ".gz"]:
        known = " ".join(READERS)
        raise DataError(
            f"{path}: unknown kind of file {suffix!r}; expected {known}, all but parquet also with .gz"
        )
    return READERS[suffix](path)


def _read_folder(path: Path) -> Iterator[Row]:
    """Each folder inside is a class, each file inside that a text, in the order of their names."""
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [(c, f) for c in classes for f in sorted(c.iterdir()) if f.is_file() and f.name[0] != "."]
    if not files:
        raise DataError(f"{path}: no files in folders; expected a folder per class with a file per text")
    names = {folder: _name(folder) for folder in classes}
    for number, (folder, file) in enumerate(files, 1):
        if not file.stat().st_size:
            yield Row(number, 1, {"text": "", "label": names[folder]})
            continue
        try:
            with _open_text(file) as content:
                yield Row(number, 1, {"text": content.read(), "label": names[folder]})
        except DataError as error:
            yield Row(number, 1, {}, str(error))


def _name(folder: Path) -> str:
    """Return the name of a folder, which an archive made elsewhere may have in CP949."""
    name = decode_line(os.fsencode(folder.name))
    if name is None:
        raise DataError(f"{folder}: a name neither in UTF-8 nor in CP949; rename the folder")
    return name


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
        with _open_binary(path) as file:
            marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return next(name for name in (("utf-16",) if marked else _ENCODINGS) if _decodes(path, name))
    except StopIteration:
        raise DataError(
            f"{path}: not text in UTF-8, UTF-16 or CP949; expected one of them: save it as UTF-8"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: broken gzip ({error}); expected a whole file: fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def decode_line(line: bytes) -> str | None:
    """Return a line of text in UTF-8, or in CP949 where that makes Korean of it; None for another one."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = line.decode("cp949")
    except UnicodeDecodeError:
        return None
    common, rare = _count_wide(text)
    return text if rare <= common else None


def _count_wide(text: str) -> tuple[int, int]:
    """Return how many characters of two bytes EUC-KR has, and how many CP949 alone."""
    found = _WIDE.findall(text.encode("cp949"))
    rare = sum(map(bool, found))
    return len(found) - rare, rare


def _decodes(path: Path, encoding: str) -> bool:
    size = common = rare = 0
    with _open_binary(path) as file:
        decoder = codecs.getincrementaldecoder(encoding)()
        while block := file.read(_BLOCK):
            size += len(block)
            if b"\0" in block and encoding != "utf-16":
                raise DataError(f"{path}: binary content (a zero byte); expected text")
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError:
                return False
            if encoding == "cp949":
                frequent, seldom = _count_wide(text)
                common, rare = common + frequent, rare + seldom
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    if not size:
        raise DataError(f"{path}: empty file; expected a header and at least one row")
    return rare <= common  # Windows-1252 has an apostrophe and a letter where CP949 has a rare syllable

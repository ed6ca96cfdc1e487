"""yeoun predict"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.columns import pick_text_column, rows_have_own_columns, with_message
from ..data.readers import Row, decode_line, read_rows
from ..errors import DataError, OutputError, UsageError
from .display import emit, in_words, note

if TYPE_CHECKING:
    from ..bulk import Labelled
    from ..bundle import ModelBundle

_TOLD = 5  # rows that could not be read of which it says why


def run(options: argparse.Namespace) -> None:
    """Label the texts given, of a file, or of standard input, in order."""
    from ..bundle import ModelBundle

    if bool(options.texts) == bool(options.input):
        raise UsageError("expected either texts or --input FILE (- for standard input)")
    output = options.output
    if output and options.json:
        raise UsageError("expected one of --json and --output (a .jsonl name writes JSON lines)")
    if options.resume and (options.texts or options.input == "-" or output in (None, "-")):
        raise UsageError("--resume: expected --input FILE and the --output FILE of an interrupted run")
    if output:
        _kind(output)
    goes_on = options.resume and Path(f"{output}.progress").exists()  # also one that is to replace a file
    if output and output != "-" and Path(output).exists() and not options.force and not goes_on:
        finished = ", and no interrupted run is left to go on with" if options.resume else ""
        raise OutputError(f"{output}: exists already{finished}; choose another place or use --force")
    rows, column, columns = _rows(options)
    bundle = ModelBundle.load(Path(options.bundle))
    if not output:
        unreadable, total = _print(_labelled(options, bundle, rows, column), column, options.json)
    elif output == "-":
        unreadable, total = _stream(_labelled(options, bundle, rows, column), columns)
    else:
        unreadable, total = _write(options, bundle, rows, column, columns)
    if unreadable:
        note(f"{unreadable} of {total} rows could not be read")


def _rows(options: argparse.Namespace) -> tuple[Iterable[Row], str, list[str]]:
    """Return the rows, the text column, and all columns."""
    if options.texts or options.input == "-":
        return _lines(options.texts), "text", ["text"]
    path = Path(options.input)
    rows, before = read_rows(path), []
    for row in rows:
        before.append(row)
        if row.error is None:
            break
    first = before[-1] if before and before[-1].error is None else None
    if first is None:
        raise DataError(f"{path}: no rows that can be read; expected a header and at least one row")
    column = pick_text_column(path, list(first.cells), options.text)
    if not options.text:
        note(f"text column {column!r}")
    columns = list(first.cells)
    if rows_have_own_columns(path):
        columns = list(dict.fromkeys(name for row in read_rows(path) for name in row.cells))
    return (with_message(row, column) for row in chain(before, rows)), column, columns


def _lines(texts: Sequence[str]) -> Iterator[Row]:
    """Yield the texts as rows, or without any the lines of standard input."""
    source: Iterable[str | bytes] = texts or getattr(sys.stdin, "buffer", sys.stdin)
    for number, line in enumerate(source, 1):
        text = decode_line(line.removeprefix(BOM_UTF8)) if isinstance(line, bytes) else line
        if text is None:
            yield Row(number, number, {}, "not text in UTF-8 or CP949")
        else:
            yield Row(number, number, {"text": text if texts else text.rstrip("\r\n")})


def _labelled(
    options: argparse.Namespace, bundle: ModelBundle, rows: Iterable[Row], column: str
) -> Iterator[Labelled]:
    from ..bulk import label_rows

    return label_rows(bundle, rows, column, options.precision, options.runtime, options.abstain_below)


def _print(chunks: Iterator[Labelled], column: str, as_json: bool) -> tuple[int, int]:
    unreadable = total = 0
    for row, answer in (pair for chunk in chunks for pair in chunk):
        total += 1
        if answer is None:
            unreadable += 1
            if as_json:
                emit({"error": row.error, "row": row.number})
            else:
                print(f"row {row.number}: {row.error}")
        elif as_json:
            emit(answer.as_dict())
        else:
            text = " ".join(row.cells[column].split())
            print(f"{text}\n  {in_words(answer)}")
    return unreadable, total


def _stream(chunks: Iterator[Labelled], columns: list[str]) -> tuple[int, int]:
    from ..bulk import head_of, lines_of

    unreadable = total = 0
    sys.stdout.write(head_of(".csv", columns))
    for chunk in chunks:
        sys.stdout.write(lines_of(".csv", chunk, columns))
        unreadable += _tell_unreadable(chunk, unreadable)
        total += len(chunk)
    return unreadable, total


def _tell_unreadable(chunk: Labelled, before: int) -> int:
    """Return how many rows of the chunk could not be read; of the first ones, `before` counted, say why."""
    rows = [row for row, answer in chunk if answer is None]
    for row in rows[: max(0, _TOLD - before)]:
        note(f"row {row.number}: {row.error}")
    return len(rows)


def _write(
    options: argparse.Namespace, bundle: ModelBundle, rows: Iterable[Row], column: str, columns: list[str]
) -> tuple[int, int]:
    """Write the rows with their answers to the output, which appears whole; return how many could not be
    read, and how many there are."""
    from ..bulk import GrowingFile, head_of, lines_of

    kind = _kind(options.output)
    output = GrowingFile(Path(options.output), _identity(options, column))

    def left() -> Iterator[Row]:
        yield from islice(rows, output.rows, None)

    labelled = _labelled(options, bundle, left(), column)  # which refuses before anything is written
    with output:
        output.begin(options.resume, options.force)
        try:
            if output.bytes == 0 and (head := head_of(kind, columns)):
                output.grow(head, 0, 0)
            if output.rows:
                note(f"{output.rows:,} rows are there already")
            started, before = time.perf_counter(), output.rows
            for chunk in labelled:
                unreadable = _tell_unreadable(chunk, output.unreadable)
                output.grow(lines_of(kind, chunk, columns), len(chunk), unreadable)
                if sys.stderr.isatty():
                    rate = (output.rows - before) / (time.perf_counter() - started)
                    live = f"\r\033[K{output.rows:,} rows, {rate:,.0f} a second"
                    print(live, end="", file=sys.stderr, flush=True)
        except DataError:  # the input itself: going on would stop there again
            output.discard()
            raise
        output.finish()
    note(f"{output.rows} rows written to {options.output}")
    return output.unreadable, output.rows


def _identity(options: argparse.Namespace, column: str) -> dict[str, Any]:
    """Return what an interrupted run has to share with one that goes on."""
    from ..bulk import CHARACTERS
    from ..inference import CHUNK

    source = Path(options.input or "")
    is_file = bool(options.input) and source.is_file()
    return {
        "input": options.input,
        "input's size": source.stat().st_size if is_file else None,
        "input's time": source.stat().st_mtime_ns if is_file else None,
        "model": hashlib.sha256((Path(options.bundle) / "config.json").read_bytes()).hexdigest(),
        "text column": column,
        "precision": options.precision,
        "runtime": options.runtime,
        "abstain below": options.abstain_below,
        "chunk of rows": CHUNK,
        "chunk of characters": CHARACTERS,
    }


def _kind(output: str) -> str:
    """Return the suffix of a writer. Raises UsageError for another one."""
    from ..bulk import KINDS

    kind = ".csv" if output == "-" else Path(output.removesuffix(".gz")).suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"--output {output}: expected a name ending in {' '.join(KINDS)}, or -")
    return kind

"""yeoun predict"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.readers import Row, read_rows
from ..data.tables import TEXT_COLUMNS, pick_column
from ..errors import DataError, OutputError, UsageError
from .display import emit, in_words, note

if TYPE_CHECKING:
    from ..inference import Prediction


def run(options: argparse.Namespace) -> None:
    """Label the texts given, of a file, or of standard input, in order."""
    from ..bundle import ModelBundle
    from ..inference import predict

    if bool(options.texts) == bool(options.input):
        raise UsageError("expected either texts or --input FILE (- for standard input)")
    output = options.output
    if output and options.json:
        raise UsageError("expected one of --json and --output (a .jsonl name writes JSON lines)")
    if output:
        _kind(output)
    if output and output != "-" and Path(output).exists() and not options.force:
        raise OutputError(f"{output}: exists already; choose another place or use --force")
    rows, column = _rows(options)
    bundle = ModelBundle.load(Path(options.bundle))
    readable = [row for row in rows if row.error is None]
    answers = predict(bundle, [row.cells[column] for row in readable], options.precision, options.runtime)
    if len(readable) < len(rows):
        note(f"{len(rows) - len(readable)} of {len(rows)} rows could not be read")
    if output:
        _write_table(output, rows, answers)
    else:
        _print(rows, column, answers, options.json)


def _rows(options: argparse.Namespace) -> tuple[list[Row], str]:
    if options.texts or options.input == "-":
        lines = options.texts or [line.rstrip("\r\n") for line in sys.stdin]
        return [Row(number, number, {"text": text}) for number, text in enumerate(lines, 1)], "text"
    path = Path(options.input)
    rows = list(read_rows(path))
    first = next((row for row in rows if row.error is None), None)
    if first is None:
        raise DataError(f"{path}: no rows that can be read; expected a header and at least one row")
    column = pick_column(path, list(first.cells), options.text, TEXT_COLUMNS, "text")
    if not options.text:
        note(f"text column {column!r}")
    return [_with_text(row, column) for row in rows], column


def _with_text(row: Row, column: str) -> Row:
    if row.error is None and column not in row.cells:
        return Row(row.number, row.line, {}, f"no column {column!r}")
    return row


def _print(rows: Sequence[Row], column: str, answers: Sequence[Prediction], as_json: bool) -> None:
    remaining = iter(answers)
    for row in rows:
        if row.error is not None:
            if as_json:
                emit({"error": row.error, "row": row.number})
            else:
                print(f"row {row.number}: {row.error}")
            continue
        answer = next(remaining)
        if as_json:
            emit(asdict(answer))
        else:
            text = " ".join(row.cells[column].split())
            print(f"{text}\n  {in_words(answer)}")


def _write_table(output: str, rows: Sequence[Row], answers: Sequence[Prediction]) -> None:
    """Write the rows' columns with label and probability behind them; a file by one rename.

    The input's own columns of these names become `input_label` and `input_probability`. A row that
    could not be read keeps its place, without cells.
    """
    from ..bundle import write_durably

    columns = list(dict.fromkeys(column for row in rows for column in row.cells))
    named = [f"input_{c}" if c in ("label", "probability") else c for c in columns]
    table = [[*named, "label", "probability"]]
    remaining = iter(answers)
    for row in rows:
        answer = next(remaining) if row.error is None else None
        given = [row.cells.get(c, "") for c in columns]
        table.append([*given, *(_cells(answer) if answer else ("", ""))])
    content = WRITERS[_kind(output)](table)
    if output == "-":
        sys.stdout.write(content)
        return
    encoded = content.encode("utf-8", "replace")
    write_durably(Path(output), gzip.compress(encoded, mtime=0) if output.endswith(".gz") else encoded)
    note(f"{len(rows)} rows written to {output}")


def _cells(answer: Prediction) -> tuple[str, str]:
    """Return label and probability; several as JSON lists, which training reads as such."""
    if isinstance(answer.label, str):
        return answer.label, f"{answer.probability:.6f}"
    several = [round(answer.probabilities[label], 6) for label in answer.label]
    return json.dumps(answer.label, ensure_ascii=False), json.dumps(several)


def _quoted(table: list[list[str]], delimiter: str) -> str:
    text = io.StringIO(newline="")
    has_return = any("\r" in cell for line in table for cell in line)  # which csv would leave unquoted
    if has_return:
        csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    else:
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(table)
    return text.getvalue()


def _unquoted(table: list[list[str]]) -> str:
    lines = ("\t".join(" ".join(cell.splitlines()).replace("\t", " ") for cell in line) for line in table)
    return "".join(line + "\n" for line in lines)


def _json_lines(table: list[list[str]]) -> str:
    header, *lines = table
    objects = (dict(zip(header, line, strict=True)) for line in lines)
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)


WRITERS: dict[str, Callable[[list[list[str]]], str]] = {
    ".csv": lambda table: _quoted(table, ","),
    ".tsv": lambda table: _quoted(table, "\t"),
    ".txt": _unquoted,
    ".jsonl": _json_lines,
}


def _kind(output: str) -> str:
    """Return the suffix of a writer. Raises UsageError for another one."""
    kind = ".csv" if output == "-" else Path(output.removesuffix(".gz")).suffix.lower()
    if kind not in WRITERS:
        raise UsageError(f"--output {output}: expected a name ending in {' '.join(WRITERS)}, or -")
    return kind

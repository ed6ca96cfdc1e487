"""yeoun doctor"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..data.sources import read_builtin, read_source
from ..data.tables import Table
from ..errors import DataError, UsageError, YeounError
from ..testing import check_padding_invariance
from .display import describe, emit, note

if TYPE_CHECKING:
    from ..doctor import Finding

_EXAMPLES = 4
_ASKED = 30  # texts that a model is asked


def run(options: argparse.Namespace) -> None:
    """Print what is wrong with rows, or whether padding changes a model's answers."""
    if options.model and options.test:
        raise UsageError("--test: expected without --model, whose texts come from SOURCE")
    if not (options.source or options.model):
        raise UsageError("expected a SOURCE, whose rows are examined, or --model MODULE:CALLABLE")
    predict = _load(options.model) if options.model else None
    table = _read(options.source, options) if options.source else Table(read_builtin())
    if predict is None:
        from ..doctor import examine

        findings = examine(table, _read(options.test, options) if options.test else None)
        rows = len(table.dataset)
    else:
        findings, rows = _ask(predict, table)
    if options.json:
        emit({"rows": rows, "findings": [finding.as_dict() for finding in findings]})
        return
    print(f"{rows:,} rows, {len(findings) or 'no'} finding{'s' * (len(findings) != 1)}")
    for finding in findings:
        _show(finding, table)


def _read(source: str, options: argparse.Namespace) -> Table:
    table = read_source(source, options.text, options.label, options.data_dir)
    describe(table, guessed=not (options.text and options.label))
    return table


def _load(spec: str) -> Callable[..., Any]:
    """Return the callable that MODULE:CALLABLE names; the module may lie in the working directory."""
    module, _, name = spec.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"--model {spec}: {error}; expected MODULE:CALLABLE, as in my_model:predict"
        ) from None
    if not callable(found):
        raise UsageError(f"--model {spec}: got {type(found).__name__}, expected what takes a list of texts")
    return cast(Callable[..., Any], found)


def _ask(predict: Callable[..., Any], table: Table) -> tuple[list[Finding], int]:
    """Return what the padding check finds on an even sample of the texts, and how many these are."""
    from ..doctor.padding import padding

    places = np.unique(np.linspace(0, len(table.dataset) - 1, _ASKED).round().astype(np.int64))
    try:
        seen = check_padding_invariance(predict, table.dataset.take(places).texts)
    except YeounError:
        raise
    except Exception as error:  # of the callable, which is anybody's
        where = extract_tb(error.__traceback__)[-1]
        raise DataError(
            f"--model: {type(error).__name__} in {where.filename}, line {where.lineno}: {error};"
            " expected probabilities for a list of texts"
        ) from error
    finding = padding(seen, table.row_numbers[places])
    if finding is None:
        note(str(seen))
    return [] if finding is None else [finding], len(places)


def _show(finding: Finding, table: Table) -> None:
    """Print a finding: some of its rows, and what it advises."""
    print(f"\n{finding.kind}: {len(finding.rows):,} row{'s' * (len(finding.rows) != 1)}")
    places = {row: place for place, row in enumerate(table.row_numbers.tolist())}
    for i, row in enumerate(finding.rows[:_EXAMPLES]):
        beside = ""
        if finding.like:
            beside = f" (like {'test ' * (finding.kind == 'leak')}row {finding.like[i]})"
        if finding.suggested:
            label = table.dataset.named(table.dataset.targets[places[row]])
            beside = f" ({label}, rather {finding.suggested[i]}?)"
        text = " ".join(table.dataset.texts[places[row]].split()) if row in places else "could not be read"
        print(f"  row {row}{beside}: {text[:72]}{'...' if len(text) > 72 else ''}")
    print(f"  {finding.advice[0].upper()}{finding.advice[1:]}.")

"""What is wrong with rows, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable

from ..data.tables import Table
from .copies import conflicts, duplicates, leaks, near_duplicates
from .examination import Examination, Finding
from .labels import label_errors
from .texts import empty, encoding, imbalance, truncated

__all__ = ["CHECKS", "Examination", "Finding", "examine"]

CHECKS: dict[str, Callable[[Examination], Finding | None]] = {
    "duplicate": duplicates,
    "near-duplicate": near_duplicates,
    "leak": leaks,
    "conflict": conflicts,
    "empty": empty,
    "encoding": encoding,
    "truncated": truncated,
    "imbalance": imbalance,
    "label-error": label_errors,
}


def examine(source: Table, test: Table | None = None) -> list[Finding]:
    """Return what the checks find in the rows of `source`; with `test`, also which of them stand there."""
    examined = Examination(source, test)
    return [finding for check in CHECKS.values() if (finding := check(examined)) is not None]

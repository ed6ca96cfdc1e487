"""A model, anybody's, whose answers change with the padding of its batches."""

from __future__ import annotations

from ..testing import PaddingCheck
from .examination import Finding, Places


def padding(seen: PaddingCheck, numbers: Places) -> Finding | None:
    """Return the rows whose answer changed, None where none did. numbers: the row of each text asked."""
    rows = numbers[list(seen.changed)].tolist()
    return Finding("padding", rows, str(seen)) if rows else None

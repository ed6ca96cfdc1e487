"""Rows that look odd one by one: empty, broken, cut off, of a rare label."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ..data.rows import statistics
from ..presets import resolve
from ..text.indexer import TextIndexer
from .examination import Examination, Finding

_TIMES = 10  # as many rows as a label has, from which on it is called rare
_TEXTS = 20_000  # from which the vocabulary is made that counts tokens
_ODD = re.compile(
    "[\ufffd\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # replaced, halved, control
    "|[\xc2-\xf4][\x80-\xbf\u0152-\u0178\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]+"  # UTF-8 read as Latin
    "|[\xa1-\xfe]{4,}"  # CP949 read as Latin
)


def empty(examined: Examination) -> Finding | None:
    """Return the rows without any text."""
    places = np.flatnonzero(examined.is_empty[: len(examined.rows)])
    advice = "each is empty or blank, and teaches only how frequent its label is. Fill or remove them"
    return examined.find("empty", places, advice)


def encoding(examined: Examination) -> Finding | None:
    """Return the rows that could not be read, and those whose characters were read in a wrong encoding."""
    odd = [place for place, text in enumerate(examined.rows.texts) if is_broken(text)]
    unread = examined.source.bad_rows
    rows = sorted([*unread, *examined.numbers[odd].tolist()])
    faults = {
        "could not be read (too few or too many cells, or no label)": len(unread),
        "hold control characters or what a wrong encoding leaves behind": len(odd),
    }
    said = " and ".join(f"{count:,} {fault}" for fault, count in faults.items() if count)
    return Finding("encoding", rows, f"{said}. Mend them where they come from") if rows else None


def is_broken(text: str) -> bool:
    """Return whether `text` holds a replaced or control character, half a character, or characters that make
    sense only when written as Latin and read as UTF-8 or CP949."""
    return any(_is_misread(found[0]) for found in _ODD.finditer(text))


def _is_misread(found: str) -> bool:
    if len(found) == 1:
        return True
    for written, read in (("cp1252", "utf-8"), ("latin-1", "utf-8"), ("latin-1", "cp949")):
        try:
            meant = found.encode(written).decode(read)
        except UnicodeError:
            continue
        if read == "utf-8" or all("가" <= character <= "힣" for character in meant):
            return True
    return False


def truncated(examined: Examination) -> Finding | None:
    """Return the rows of whose text the default preset does not read all."""
    rows = examined.rows
    config = resolve("balanced", statistics(rows)).text
    limit = config.maximum_length
    is_long = np.array([len(text) > limit for text in rows.texts], bool)  # a token has a character or more
    places = np.flatnonzero(is_long & ~examined.is_empty[: len(rows)])
    if not len(places):
        return None
    whole = replace(config, maximum_length=0, minimum_count=1)
    indexer = TextIndexer.fit(rows.texts[:: len(rows) // _TEXTS + 1], whole)
    lengths = np.diff(indexer.index(rows.take(places).texts).offsets)
    places = places[lengths > limit]
    advice = (
        f"each has more than the {limit} tokens that the default preset reads, which skips the middle:"
        f" {len(places) / len(rows):.1%} of all rows, up to {lengths.max():,} tokens. Where what decides may"
        " stand there, set text.maximum_length"
    )
    return examined.find("truncated", places, advice)


def imbalance(examined: Examination) -> Finding | None:
    """Return the rows of labels that are rare beside the most frequent one."""
    rows = examined.rows
    if rows.labels is None:
        return None
    counts = np.array([len(rows.rows_with(label)) for label in range(len(rows.label_names))], np.int64)
    there = np.flatnonzero(counts)
    if len(there) == 1 and not rows.is_multilabel:
        only = rows.label_names[int(there[0])]
        return examined.find(
            "imbalance",
            np.arange(len(rows)),
            f"all have one label, {only!r}. Find rows of another to learn from",
        )
    rare = np.flatnonzero((counts > 0) & (counts * _TIMES <= counts.max(initial=0)))
    places = np.unique([row for label in rare for row in rows.rows_with(int(label))]).astype(np.int64)
    named = ", ".join(f"{rows.label_names[label]!r} ({counts[label]:,})" for label in rare[:5])
    advice = (
        f"their labels are rare: {named}{', ...' if len(rare) > 5 else ''}, where the most frequent has"
        f" {counts.max(initial=0):,} rows. Find more of them, judge by macro F1, or train with"
        " train.class_weight=balanced"
    )
    return examined.find("imbalance", places, advice)

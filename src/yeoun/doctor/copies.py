"""Rows that stand there more than once: word for word, nearly, in the test rows, under another label.

Texts are the same when they are so without regard to case and white space. Empty ones are no copies.
"""

from __future__ import annotations

import numpy as np

from .examination import Examination, Finding, Places
from .similarity import SIMILAR


def duplicates(examined: Examination) -> Finding | None:
    """Return the rows that repeat an earlier one."""
    first = examined.first[: len(examined.rows)]
    places = np.flatnonzero(first < np.arange(len(first)))
    advice = (
        "each repeats the text of an earlier row, and counts once more. Remove them unless that is meant;"
        " training keeps copies on one side of its split"
    )
    return examined.find("duplicate", places, advice, first[places])


def near_duplicates(examined: Examination) -> Finding | None:
    """Return the rows that nearly repeat an earlier one."""
    earlier, later, _ = examined.similar
    inside = later < len(examined.rows)
    like = _nearest(later[inside], earlier[inside], len(examined.rows))
    places = np.flatnonzero(like >= 0)
    advice = (
        f"each shares at least {SIMILAR:.0%} of its pairs of neighbouring words (in Korean, characters) with"
        " an earlier row. Read some: edited copies are to be removed, formulas may stay"
    )
    return examined.find("near-duplicate", places, advice, like[places])


def leaks(examined: Examination) -> Finding | None:
    """Return the rows whose text stands in the test rows, too, or nearly."""
    if examined.test is None:
        return None
    first, rows = examined.first, len(examined.rows)
    test_row = _nearest(first[rows:], np.arange(rows, len(first)), len(first))  # with this very text
    one, other, _ = examined.similar
    one, other = np.concatenate([one, other]), np.concatenate([other, one])
    crosses = (one < rows) & (test_row[other] >= 0)
    near = _nearest(one[crosses], test_row[other[crosses]], len(first))
    like = np.where(test_row >= 0, test_row, near)[first[:rows]]
    places = np.flatnonzero(like >= 0)
    word_for_word = int((test_row[first[places]] >= 0).sum())
    is_leaked = np.zeros(len(first), bool)
    is_leaked[np.concatenate([first[:rows], other[crosses]])] = True
    leaked = int((is_leaked[first[rows:]] & ~examined.is_empty[rows:]).sum())
    advice = (
        f"each stands among the test rows, {word_for_word:,} word for word, the others nearly; of"
        f" {len(first) - rows:,} test rows {leaked:,} are met so, and flatter the figures. Remove these rows"
    )
    return examined.find("leak", places, advice, like[places])


def conflicts(examined: Examination) -> Finding | None:
    """Return the rows of the same text with different labels, those of a text together."""
    rows = examined.rows
    if rows.labels is None:
        return None
    first = examined.first[: len(rows)]
    label = np.unique(rows.targets, axis=0, return_inverse=True)[1].ravel()
    differs = label != label[first]
    other = _nearest(first[differs], np.flatnonzero(differs), len(rows))
    places = np.flatnonzero(other[first] >= 0)
    places = places[np.argsort(first[places], kind="stable")]
    like = np.where(differs, first, other[first])[places]
    advice = (
        "each has a text that stands there with another label, too. Decide which is right, or remove both"
    )
    return examined.find("conflict", places, advice, like)


def _nearest(places: Places, like: Places, total: int) -> Places:
    """Return what stands first in `like` for each of `total` places, -1 where nothing does."""
    nearest = np.full(total, -1)
    nearest[places[::-1]] = like[::-1]  # of several values for one place the last is kept
    return nearest

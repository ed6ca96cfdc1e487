"""Pairs of texts that are nearly the same, all of them: an exact join, not a sample of it.

A text is the set of its pairs of neighbouring words, of Korean text neighbouring characters; two texts are
as similar as the share of their pairs that both have (Jaccard). Where that is at least 80 %, some pair is
among the rarest fifth of both (prefix filtering: Chaudhuri et al. 2006, Bayardo et al. 2007). So only texts
that meet there are compared, and none is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..evaluation.linear import analyzer_of
from ..text.ngrams import chunks
from ..text.runs import hash_runs

SIMILAR = 0.8  # from which on two texts are called nearly the same
_MEETINGS = 5_000_000  # of texts in their rarest pairs, that are looked at together
_COMPARED = 100_000  # pairs of texts that are compared together
Rows = npt.NDArray[np.int64]


class Pairs(NamedTuple):
    """Two texts each, by their places, `first` < `second`, int64 [pairs], and their `similarity`, 0 to 1."""

    first: Rows
    second: Rows
    similarity: npt.NDArray[np.float64]


def similar_pairs(texts: Sequence[str], threshold: float = SIMILAR) -> Pairs:
    """Return every two texts whose similarity is at least `threshold`, the most similar first.

    texts: none of them blank. One of a single word is like no other.
    """
    sets = _sets(texts)
    sizes = np.diff(sets.indptr)
    rarest = _rarest(sets, sizes, threshold)
    by_pair = rarest.T.tocsr()
    meetings = (rarest @ np.diff(by_pair.indptr)).cumsum()
    starts = np.flatnonzero(np.diff(meetings // _MEETINGS, prepend=-1))
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for start, end in pairwise([*starts, len(texts)]):
        met = (rarest[start:end] @ by_pair).tocoo()
        first, second = met.row.astype(np.int64) + start, met.col.astype(np.int64)
        smaller, larger = np.minimum(sizes[first], sizes[second]), np.maximum(sizes[first], sizes[second])
        worth_it = np.flatnonzero((first < second) & (smaller >= threshold * larger))
        for at in range(0, len(worth_it), _COMPARED):
            pairs = worth_it[at : at + _COMPARED]
            found.append(_compared(sets, first[pairs], second[pairs], threshold))
    first, second, similarity = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(-similarity, kind="stable")
    return Pairs(first[order], second[order], similarity[order])


def _sets(texts: Sequence[str]) -> Any:
    """Return which pairs each text has, a sparse matrix of ones [texts, pairs], the rarest pair in front."""
    import scipy.sparse

    words, characters = (0, 2) if analyzer_of(texts) == "char" else (2, 0)
    rows, hashes, before = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)], 0
    for chunk in chunks(texts):
        for length, (row, found) in enumerate(hash_runs(chunk, words, characters, jamo=False), 1):
            if length == 2:
                rows.append(row + before)
                hashes.append(found)
        before += len(chunk)
    different, columns = np.unique(np.concatenate(hashes), return_inverse=True)
    offsets = np.bincount(np.concatenate(rows) + 1, minlength=len(texts) + 1).cumsum()
    ones = np.ones(len(columns), np.float32)
    sets = scipy.sparse.csr_matrix((ones, columns, offsets), shape=(len(texts), len(different)))
    sets.sum_duplicates()
    sets.data.fill(1)
    by_rarity = np.argsort(np.bincount(sets.indices, minlength=len(different)), kind="stable")
    place = np.empty_like(by_rarity)
    place[by_rarity] = np.arange(len(by_rarity))
    sets.indices = place[sets.indices].astype(sets.indices.dtype)
    sets.has_sorted_indices = False
    sets.sort_indices()
    return sets


def _rarest(sets: Any, sizes: npt.NDArray[np.int32], threshold: float) -> Any:
    """Return of each text as many of its rarest pairs as no similar text can lack all of, without those that
    only it has."""
    import scipy.sparse

    kept = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1  # 1e-9: 0.8 * 35 is above 28
    place = np.arange(sets.nnz) - np.repeat(sets.indptr[:-1], sizes)
    has_company = np.bincount(sets.indices, minlength=sets.shape[1]) > 1
    is_kept = (place < np.repeat(kept, sizes)) & has_company[sets.indices]
    offsets = np.concatenate([np.zeros(1, np.int64), is_kept.cumsum()])[sets.indptr]
    return scipy.sparse.csr_matrix((sets.data[is_kept], sets.indices[is_kept], offsets), shape=sets.shape)


def _compared(sets: Any, first: Rows, second: Rows, threshold: float) -> Pairs:
    shared = np.asarray(sets[first].multiply(sets[second]).sum(1)).ravel().astype(np.float64)
    sizes = np.diff(sets.indptr)
    similarity = shared / (sizes[first] + sizes[second] - shared)
    close = similarity >= threshold
    return Pairs(first[close], second[close], similarity[close])

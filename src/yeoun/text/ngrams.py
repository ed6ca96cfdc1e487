"""N-grams of words and of characters, straight from the texts, as weighted features of a linear model.

They are the runs of `text.runs`; the bucket of a run's hash is one of 2^24. Those of a text's title, which
says what it is about, are features once more, apart from the text's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..config import TextConfig
from .normalization import align, normalize
from .runs import Hashes, Lines, Rows, letters_of, mixed, read_lines, runs_of

_BITS = 24
_FIRST_BITS = 22  # of bundles that do not say: format 1
_CHUNK = 2**17  # characters of texts that are counted together, so few that a core keeps them near
Buckets = npt.NDArray[np.int64]


class Features(NamedTuple):
    """The weighted features of texts, ragged: text i has those from `offsets[i]` to `offsets[i + 1]`.

    ids: int32 [features]. values: float32 [features], each text's of length 1, and so are its title's.
    offsets: int64 [texts + 1].
    """

    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]


class Located(NamedTuple):
    """The known n-grams of one text where they stand, each as often as it occurs.

    ids: int32. values: float64, the part of the feature's value in the text that falls to this occurrence.
    starts, ends: int64, of the text's visible characters (`NgramIndexer.spans`) the first and past the last.
    """

    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


@dataclass(frozen=True)
class NgramIndexer:
    """The n-grams that at least two training texts had, and how rare each of them was.

    words, characters: the longest runs. buckets: int32 [features], rising. idf: float32 [features], the
    smoothed inverse document frequency ln((1 + texts) / (1 + texts with it)) + 1. bits: there are 2^bits
    buckets, each of them as many of 2^24 that follow each other; and as many of titles. jamo: whether Hangul
    is read by its letters.
    """

    words: int
    characters: int
    buckets: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    bits: int = _BITS
    jamo: bool = True

    @classmethod
    def fit(cls, texts: Sequence[str], config: TextConfig, most: int = 2 ** (_BITS + 1)) -> NgramIndexer:
        """Return the indexer of the training texts, of at most so many n-grams; the rarest go."""
        words, characters = config.word_ngrams, config.character_ngrams
        seen_in = np.zeros(2 ** (_BITS + 1), np.int32)
        for chunk in chunks(texts):
            _, buckets, _ = count_ngrams(chunk, words, characters)
            np.add.at(seen_in, buckets, np.int32(1))
        kept = np.flatnonzero(seen_in >= 2)
        if len(kept) > most:
            kept = np.sort(kept[np.argsort(-seen_in[kept], kind="stable")[:most]])
        idf = np.log((1 + len(texts)) / (1 + seen_in[kept])) + 1
        return cls(words, characters, kept.astype(np.int32), idf.astype(np.float32))

    @classmethod
    def of(cls, config: TextConfig, arrays: Mapping[str, npt.NDArray[Any]]) -> NgramIndexer:
        """Return the indexer of what `arrays` gave."""
        bits = int(arrays["bits"]) if "bits" in arrays else _FIRST_BITS
        jamo = bool(arrays.get("jamo", False))  # of the first two formats
        return cls(config.word_ngrams, config.character_ngrams, arrays["buckets"], arrays["idf"], bits, jamo)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what a bundle stores."""
        return {
            "buckets": self.buckets,
            "idf": self.idf,
            "bits": np.array(self.bits, np.int32),
            "jamo": np.array(self.jamo, np.int32),
        }

    def index(self, texts: Sequence[str]) -> Features:
        """Return the known n-grams of each text and, apart, of its title, (1 + ln count) * idf, either scaled
        to length 1."""
        return join_features([self._index(chunk) for chunk in chunks(texts)])

    def _index(self, texts: Sequence[str]) -> Features:
        counted = count_ngrams(texts, self.words, self.characters, self.jamo, self._ids)
        return self._weighted(*counted, len(texts))

    def _weighted(self, rows: Rows, ids: Buckets, counts: Rows, texts: int) -> Features:
        grown = 1 + np.log(np.arange(1, counts.max(initial=0) + 1))
        values = grown[counts - 1] * self.idf[ids]
        part = rows if self.of_texts == len(self) else rows + texts * (ids >= self.of_texts)
        lengths = np.sqrt(np.bincount(part, values * values))
        values /= lengths[part]
        offsets = np.concatenate([[0], np.bincount(rows, minlength=texts).cumsum()])
        return Features(ids.astype(np.int32), values.astype(np.float32), offsets)

    def locate(self, text: str) -> Located:
        """Return the known n-grams of `text` where they stand; one of blanks alone ends where it starts."""
        lines = read_lines([text], self.jamo)
        before = np.concatenate([[0], lines.is_visible.cumsum()])
        found = [np.zeros((3, 0), np.int64)]
        for starts, ends, buckets in _ngrams(lines, self.words, self.characters, len(self._ids) > 2**_BITS):
            ids = self._ids[buckets]
            found.append(np.stack([ids, before[starts], before[ends]])[:, ids >= 0])
        ids, starts, ends = np.concatenate(found, axis=1)
        different, which, counts = np.unique(ids, return_inverse=True, return_counts=True)
        values = self._weighted(np.zeros_like(different), different, counts, 1).values / counts
        return Located(ids.astype(np.int32), values[which], starts, ends)

    def spans(self, text: str) -> npt.NDArray[np.int64]:
        """Return where in `text`, as typed, each visible character starts and ends that `locate` counts,
        int64 [visible characters, 2]; those that compose into one share a span, and so do the letters of a
        syllable."""
        alignment = align(text)
        visible = [(i, v) for i, c in enumerate(normalize(text)) for v in c.lower() if not v.isspace()]
        spans = [(i, i + 1) if alignment is None else alignment.original_span(i, i + 1) for i, _ in visible]
        letters = letters_of(np.array([ord(v) for _, v in visible], np.uint32)) if self.jamo else 1
        return np.array(spans, np.int64).reshape(-1, 2).repeat(letters, axis=0)

    def index_masked(self, located: Located, masked: npt.NDArray[np.bool_]) -> Features:
        """Return the features of a text's variants: those of its `located` n-grams that touch no character
        that is `masked` [variants, visible characters], scaled to length 1."""
        parts = []
        for variant in masked:
            hidden = np.concatenate([[0], variant.cumsum()])
            kept = located.ids[hidden[located.starts] == hidden[located.ends]]
            ids, counts = np.unique(kept, return_counts=True)
            parts.append(self._weighted(np.zeros_like(ids), ids, counts, 1))
        return join_features(parts)

    @cached_property
    def _ids(self) -> npt.NDArray[np.int32]:
        """The feature of each of 2^24 buckets, -1 for one that is not known; and of the titles' behind them,
        where any of these is known."""
        titles = self.of_texts < len(self)
        ids = np.full(2**self.bits * (2 if titles else 1), -1, np.int32)
        ids[self.buckets] = np.arange(len(self.buckets))
        return ids if self.bits == _BITS else ids.repeat(2 ** (_BITS - self.bits))

    @cached_property
    def of_texts(self) -> int:
        """How many of the features are of texts; those of titles are behind them."""
        return int(np.searchsorted(self.buckets, 2**self.bits))

    def __len__(self) -> int:
        return len(self.buckets)


def count_ngrams(
    texts: Sequence[str],
    words: int,
    characters: int,
    jamo: bool = True,
    ids: npt.NDArray[np.int32] | None = None,
) -> tuple[Rows, Buckets, npt.NDArray[np.int64]]:
    """Return each different n-gram of each text: its row, its bucket and how often it occurs, by row and
    bucket.

    words, characters: the longest runs. jamo: whether Hangul is read by its letters. ids: int32 [buckets],
    what to return in place of a bucket; those of which it is negative are left out, and those of titles where
    it has none of their buckets.
    """
    keys, lines = [np.zeros(0, np.int64)], read_lines(texts, jamo)
    found: npt.NDArray[np.integer]
    for starts, _, found in _ngrams(lines, words, characters, ids is None or len(ids) > 2**_BITS):
        rows = lines.row[starts]
        if ids is not None:
            found = ids[found]
            known = np.flatnonzero(found >= 0)
            rows, found = rows[known], found[known]
        keys.append(rows << (_BITS + 1) | found)
    ordered = np.sort(np.concatenate(keys))
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    different = ordered[starts]
    return different >> (_BITS + 1), different & (2 ** (_BITS + 1) - 1), np.diff(starts, append=len(ordered))


def join_features(parts: Sequence[Features]) -> Features:
    """Return the features of all parts' texts, in their order."""
    ids, values, offsets = zip(*parts, strict=True)
    lengths = np.concatenate([np.diff(each) for each in offsets])
    return Features(np.concatenate(ids), np.concatenate(values), np.concatenate([[0], lengths.cumsum()]))


def chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts in order, so many at a time as are counted together; an empty chunk may end them."""
    waiting, characters = [], 0
    for text in texts:
        waiting.append(text)
        characters += len(text) + 3
        if characters >= _CHUNK:
            yield waiting
            waiting, characters = [], 0
    yield waiting


def _ngrams(lines: Lines, words: int, characters: int, titles: bool) -> Iterator[tuple[Rows, Rows, Buckets]]:
    """Yield start, end and bucket of the runs of one length together. titles: and, apart, of those in
    titles."""
    is_title = lines.is_title if titles else None
    for starts, ends, hashes in runs_of(lines, words, characters):
        buckets = _buckets(hashes)
        yield starts, ends, buckets
        if is_title is not None:
            inside = np.flatnonzero(is_title[starts] & is_title[ends - 1])
            yield starts[inside], ends[inside], buckets[inside] + 2**_BITS


def _buckets(hashes: Hashes) -> Buckets:
    return (mixed(hashes) >> np.uint64(64 - _BITS)).astype(np.int64)

"""N-grams of words and of characters, straight from the texts, as weighted features of a linear model.

A text is lower-cased and its white space made single spaces. A word is a run of letters and digits, any
other visible character stands for itself. Character n-grams run over everything, a space at both ends
included. All texts of a chunk lie in one array of code points, so that a feature costs a few vector
operations: a run's hash is a polynomial in its characters (Karp & Rabin 1987), its bucket one of 2^24.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..config import TextConfig
from .normalization import align, normalize, plain

_BITS = 24
_FIRST_BITS = 22  # of bundles that do not say: format 1
_CHUNK = 2**19  # characters of texts that are counted together, at some 200 bytes each
_BASE = np.uint64(0x0000_0101_0000_01B3)  # of the polynomials
_ODD = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xBF58_476D_1CE4_E5B9))  # that mix a hash (splitmix64)
_LONGEST_WORD = 4_096  # characters; those behind count as the last of them
_BLANK, _NEWLINE = 32, 10

Rows = npt.NDArray[np.int64]
Buckets = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint32]


class Features(NamedTuple):
    """The weighted features of texts, ragged: text i has those from `offsets[i]` to `offsets[i + 1]`.

    ids: int32 [features]. values: float32 [features], each text's of length 1. offsets: int64 [texts + 1].
    """

    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]


class Located(NamedTuple):
    """The known n-grams of one text where they stand, each as often as it occurs.

    ids: int32. values: float64, the part of the feature's value in the text that falls to this occurrence.
    starts, ends: int64, of the text's visible characters (`visible_spans`) the first and past the last one.
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
    buckets, each of them as many of 2^24 that follow each other.
    """

    words: int
    characters: int
    buckets: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    bits: int = _BITS

    @classmethod
    def fit(cls, texts: Sequence[str], config: TextConfig, most: int = 2**_BITS) -> NgramIndexer:
        """Return the indexer of the training texts, of at most so many n-grams; the rarest go."""
        words, characters = config.word_ngrams, config.character_ngrams
        seen_in = np.zeros(2**_BITS, np.int32)
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
        return cls(config.word_ngrams, config.character_ngrams, arrays["buckets"], arrays["idf"], bits)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what a bundle stores."""
        return {"buckets": self.buckets, "idf": self.idf, "bits": np.array(self.bits, np.int32)}

    def index(self, texts: Sequence[str]) -> Features:
        """Return the known n-grams of each text, (1 + ln count) * idf, scaled to length 1."""
        return join_features([self._index(chunk) for chunk in chunks(texts)])

    def _index(self, texts: Sequence[str]) -> Features:
        return self._weighted(*count_ngrams(texts, self.words, self.characters, self._ids), len(texts))

    def _weighted(self, rows: Rows, ids: Buckets, counts: Rows, texts: int) -> Features:
        values = (1 + np.log(counts)) * self.idf[ids]
        lengths = np.sqrt(np.bincount(rows, values * values, minlength=texts))
        values /= lengths[rows]
        offsets = np.concatenate([[0], np.bincount(rows, minlength=texts).cumsum()])
        return Features(ids.astype(np.int32), values.astype(np.float32), offsets)

    def locate(self, text: str) -> Located:
        """Return the known n-grams of `text` where they stand; one of blanks alone ends where it starts."""
        codes, row = _lines([text])
        is_visible = (codes != _BLANK) & (codes != _NEWLINE)
        before = np.concatenate([[0], is_visible.cumsum()])
        found = [np.zeros((3, 0), np.int64)]
        for starts, ends, hashes in _runs(codes, row, self.words, self.characters):
            ids = self._ids[_buckets(hashes)]
            found.append(np.stack([ids, before[starts], before[ends]])[:, ids >= 0])
        ids, starts, ends = np.concatenate(found, axis=1)
        different, which, counts = np.unique(ids, return_inverse=True, return_counts=True)
        values = self._weighted(np.zeros_like(different), different, counts, 1).values / counts
        return Located(ids.astype(np.int32), values[which], starts, ends)

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
        """The feature of each of 2^24 buckets, -1 for one that is not known."""
        ids = np.full(2**self.bits, -1, np.int32)
        ids[self.buckets] = np.arange(len(self.buckets))
        return ids if self.bits == _BITS else ids.repeat(2 ** (_BITS - self.bits))

    def __len__(self) -> int:
        return len(self.buckets)


def count_ngrams(
    texts: Sequence[str], words: int, characters: int, ids: npt.NDArray[np.int32] | None = None
) -> tuple[Rows, Buckets, npt.NDArray[np.int64]]:
    """Return each different n-gram of each text: its row, its bucket and how often it occurs, by row and
    bucket.

    words, characters: the longest runs. ids: int32 [buckets], what to return in place of a bucket; those of
    which it is negative are left out.
    """
    keys = [np.zeros(0, np.int64)]
    for rows, hashes in hash_runs(texts, words, characters):
        found: npt.NDArray[np.integer] = _buckets(hashes)
        if ids is not None:
            found = ids[found]
            is_known = found >= 0
            rows, found = rows[is_known], found[is_known]
        keys.append(rows << _BITS | found)
    ordered = np.sort(np.concatenate(keys))
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    different = ordered[starts]
    return different >> _BITS, different & (2**_BITS - 1), np.diff(starts, append=len(ordered))


def visible_spans(text: str) -> npt.NDArray[np.int64]:
    """Return where in `text`, as typed, each character starts and ends that `NgramIndexer.locate` counts,
    int64 [visible characters, 2]; those that compose into one share a span."""
    alignment = align(text)
    places = [i for i, c in enumerate(normalize(text)) for lower in c.lower() if not lower.isspace()]
    spans = [(i, i + 1) if alignment is None else alignment.original_span(i, i + 1) for i in places]
    return np.array(spans, np.int64).reshape(-1, 2)


def join_features(parts: Sequence[Features]) -> Features:
    """Return the features of all parts' texts, in their order."""
    ids, values, offsets = zip(*parts, strict=True)
    lengths = np.concatenate([np.diff(each) for each in offsets])
    return Features(np.concatenate(ids), np.concatenate(values), np.concatenate([[0], lengths.cumsum()]))


def hash_runs(texts: Sequence[str], words: int, characters: int) -> Iterator[tuple[Rows, Hashes]]:
    """Yield row and hash of every run of one word, of two, up to `words`, then of as many characters; rows
    rise within each length."""
    codes, row = _lines(texts)
    for starts, _, hashes in _runs(codes, row, words, characters):
        yield row[starts], hashes


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


def _lines(texts: Iterable[str]) -> tuple[Codes, Rows]:
    """Return the code points of all texts, each on a line of its own between blanks, and the text of each."""
    codes = np.frombuffer("".join(f" {plain(text)} \n" for text in texts).encode("utf-32-le"), np.uint32)
    return codes, np.cumsum(codes == _NEWLINE) - (codes == _NEWLINE)


def _runs(codes: Codes, row: Rows, words: int, characters: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    """Yield start, end and hash of the runs of words, then of characters, those of one length together."""
    return chain(_word_runs(codes, row, words), _character_runs(codes, row, characters))


def _word_runs(codes: Codes, row: Rows, longest: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    kinds = _kinds()[codes]
    is_letter = kinds == _LETTER
    follows = np.concatenate([np.zeros(1, bool), is_letter[:-1]])
    starts = np.flatnonzero((is_letter & ~follows) | (kinds == _SIGN))
    if not len(starts) or not longest:
        return
    word = (np.bincount(starts, minlength=len(codes)).cumsum() - 1).clip(0)
    place = (np.arange(len(codes)) - starts[word]).clip(0, _LONGEST_WORD - 1)
    terms = np.where(kinds == _SPACE, 0, codes).astype(np.uint64) * _powers()[place]
    # Mixed, since in a sum of polynomials "he is" would equal "me in": h + s is m + n.
    hash_of_word = _mixed(np.add.reduceat(terms, starts))
    row_of_word = row[starts]
    ends = np.flatnonzero((is_letter & ~np.append(is_letter[1:], False)) | (kinds == _SIGN)) + 1
    hashes = np.zeros(len(starts), np.uint64)
    for length in range(1, longest + 1):
        runs = len(starts) - length + 1
        if runs <= 0:
            return
        hashes = hashes[:runs] * _BASE + hash_of_word[length - 1 :]
        whole = np.flatnonzero(row_of_word[length - 1 :] == row_of_word[:runs])
        yield starts[whole], ends[whole + length - 1], hashes[whole] + np.uint64(length)


def _character_runs(codes: Codes, row: Rows, longest: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    if not len(codes) or not longest:
        return
    behind = np.flatnonzero(codes == _NEWLINE)[row] - np.arange(len(codes))  # characters until the line ends
    wide = codes.astype(np.uint64)
    hashes = np.ones(len(codes), np.uint64)  # so that a NUL in front counts
    for length in range(1, longest + 1):
        runs = max(0, len(codes) - length + 1)
        hashes = hashes[:runs] * _BASE + wide[length - 1 :]
        is_whole = behind[:runs] >= length
        if length == 1:
            is_whole &= codes != _BLANK
        whole = np.flatnonzero(is_whole)
        yield whole, whole + length, hashes[whole] + np.uint64(1000 + length)


def _buckets(hashes: Hashes) -> Buckets:
    return (_mixed(hashes) >> np.uint64(64 - _BITS)).astype(np.int64)


def _mixed(hashes: Hashes) -> Hashes:
    mixed = hashes * _ODD[0]
    mixed ^= mixed >> np.uint64(29)
    return mixed * _ODD[1]


_SPACE, _LETTER, _SIGN = 0, 1, 2


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """Return what each code point is: white space, a letter, digit or mark on one, or a sign (as all above
    the first plane)."""
    kinds = np.full(0x11_0000, _SIGN, np.uint8)
    for code in range(0x1_0000):
        character = chr(code)
        if unicodedata.category(character)[0] in "LNM" or character == "_":
            kinds[code] = _LETTER
        elif character.isspace():
            kinds[code] = _SPACE
    return kinds


@cache
def _powers() -> Hashes:
    return np.cumprod(np.full(_LONGEST_WORD, _BASE), dtype=np.uint64)

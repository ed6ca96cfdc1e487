"""N-grams of words and of characters, straight from the texts, as weighted features of a linear model.

A text is lower-cased and its white space made single spaces. A word is a run of letters and digits, any
other visible character stands for itself. Character n-grams run over everything, a space at both ends
included; they begin with a character and end with one, but of Hangul with any letter (jamo) of a syllable,
since that is where endings change. All texts of a chunk lie in one array of code points, so that a feature
costs a few vector operations: a run's hash is a polynomial in its code points (Karp & Rabin 1987), its
bucket one of 2^24.
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
_CHUNK = 2**17  # characters of texts that are counted together, so few that a core keeps them near
_BASE = np.uint64(0x0000_0101_0000_01B3)  # of the polynomials
_ODD = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xBF58_476D_1CE4_E5B9))  # that mix a hash (splitmix64)
_LONGEST_WORD = 4_096  # code points; those behind count as the last of them
_BLANK, _NEWLINE = 32, 10
_SYLLABLES, _FIRST_SYLLABLE = 11_172, 0xAC00  # of Hangul, by initial, vowel and final consonant:
_FINALS, _VOWELS_AND_FINALS = 28, 21 * 28  # no final is the first of them
_INITIAL, _VOWEL, _NO_FINAL = 0x1100, 0x1161, 0x11A7  # code points

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
    buckets, each of them as many of 2^24 that follow each other. jamo: whether Hangul is read by its letters.
    """

    words: int
    characters: int
    buckets: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    bits: int = _BITS
    jamo: bool = True

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
        """Return the known n-grams of each text, (1 + ln count) * idf, scaled to length 1."""
        return join_features([self._index(chunk) for chunk in chunks(texts)])

    def _index(self, texts: Sequence[str]) -> Features:
        counted = count_ngrams(texts, self.words, self.characters, self.jamo, self._ids)
        return self._weighted(*counted, len(texts))

    def _weighted(self, rows: Rows, ids: Buckets, counts: Rows, texts: int) -> Features:
        grown = 1 + np.log(np.arange(1, counts.max(initial=0) + 1))
        values = grown[counts - 1] * self.idf[ids]
        lengths = np.sqrt(np.bincount(rows, values * values, minlength=texts))
        values /= lengths[rows]
        offsets = np.concatenate([[0], np.bincount(rows, minlength=texts).cumsum()])
        return Features(ids.astype(np.int32), values.astype(np.float32), offsets)

    def locate(self, text: str) -> Located:
        """Return the known n-grams of `text` where they stand; one of blanks alone ends where it starts."""
        lines = _lines([text], self.jamo)
        is_visible = (lines.codes != _BLANK) & (lines.codes != _NEWLINE)
        before = np.concatenate([[0], is_visible.cumsum()])
        found = [np.zeros((3, 0), np.int64)]
        for starts, ends, hashes in _runs(lines, self.words, self.characters):
            ids = self._ids[_buckets(hashes)]
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
        letters = _letters(np.array([ord(v) for _, v in visible], np.uint32)) if self.jamo else 1
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
        """The feature of each of 2^24 buckets, -1 for one that is not known."""
        ids = np.full(2**self.bits, -1, np.int32)
        ids[self.buckets] = np.arange(len(self.buckets))
        return ids if self.bits == _BITS else ids.repeat(2 ** (_BITS - self.bits))

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
    what to return in place of a bucket; those of which it is negative are left out.
    """
    keys = [np.zeros(0, np.int64)]
    for rows, hashes in hash_runs(texts, words, characters, jamo):
        found: npt.NDArray[np.integer] = _buckets(hashes)
        if ids is not None:
            found = ids[found]
            known = np.flatnonzero(found >= 0)
            rows, found = rows[known], found[known]
        keys.append(rows << _BITS | found)
    ordered = np.sort(np.concatenate(keys))
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    different = ordered[starts]
    return different >> _BITS, different & (2**_BITS - 1), np.diff(starts, append=len(ordered))


def join_features(parts: Sequence[Features]) -> Features:
    """Return the features of all parts' texts, in their order."""
    ids, values, offsets = zip(*parts, strict=True)
    lengths = np.concatenate([np.diff(each) for each in offsets])
    return Features(np.concatenate(ids), np.concatenate(values), np.concatenate([[0], lengths.cumsum()]))


def hash_runs(texts: Sequence[str], words: int, characters: int, jamo: bool) -> Iterator[tuple[Rows, Hashes]]:
    """Yield row and hash of every run of one word, of two, up to `words`, then of characters, those of as
    many letters together; rows rise within each length. jamo: whether Hangul is read by its letters."""
    lines = _lines(texts, jamo)
    for starts, _, hashes in _runs(lines, words, characters):
        yield lines.row[starts], hashes


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


class Lines(NamedTuple):
    """Texts, each on a line of its own between blanks. codes: code points, of Hangul by letters where these
    are read. row, character: of each code point the text and the character, counted over all."""

    codes: Codes
    row: Rows
    character: Rows


def _lines(texts: Iterable[str], jamo: bool) -> Lines:
    codes = np.frombuffer("".join(f" {plain(text)} \n" for text in texts).encode("utf-32-le"), np.uint32)
    character = np.arange(len(codes))
    if jamo:
        letters = _letters(codes)
        codes, character = _spelled(codes, letters), character.repeat(letters)
    return Lines(codes, np.cumsum(codes == _NEWLINE) - (codes == _NEWLINE), character)


def _spelled(codes: Codes, letters: npt.NDArray[np.int64]) -> Codes:
    """Return the code points with every syllable of Hangul by its `letters`, as Unicode decomposes it."""
    spelled, first = codes.repeat(letters), letters.cumsum() - letters
    (syllables,) = np.nonzero(letters > 1)
    at, syllable = first[syllables], codes[syllables] - np.uint32(_FIRST_SYLLABLE)
    spelled[at] = _INITIAL + syllable // _VOWELS_AND_FINALS
    spelled[at + 1] = _VOWEL + syllable % _VOWELS_AND_FINALS // _FINALS
    has_final = letters[syllables] == 3
    spelled[at[has_final] + 2] = _NO_FINAL + syllable[has_final] % _FINALS
    return spelled


def _letters(codes: Codes) -> npt.NDArray[np.int64]:
    """Return how many letters each character has: two or three a syllable of Hangul, else one."""
    syllable = codes - np.uint32(_FIRST_SYLLABLE)  # of others a large number
    is_syllable = syllable < _SYLLABLES
    return 1 + is_syllable.astype(np.int64) + (is_syllable & (syllable % _FINALS > 0))


def _runs(lines: Lines, words: int, characters: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    """Yield start, end and hash of the runs of words, then of characters, those of one length together."""
    return chain(_word_runs(lines, words), _character_runs(lines, characters))


def _word_runs(lines: Lines, longest: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    codes, row, _ = lines
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


def _character_runs(lines: Lines, longest: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    codes, row, character = lines
    if not len(codes) or not longest:
        return
    begins = np.flatnonzero(np.diff(character, prepend=-1))
    ends = np.append(begins, [len(codes)] * longest)[longest:]  # of the longest run from each character on
    room = np.minimum(ends, np.flatnonzero(codes == _NEWLINE)[row[begins]]) - begins
    wide = codes.astype(np.uint64)
    hashes, length = np.ones(len(begins), np.uint64), 0  # so that a NUL in front counts
    while True:
        length += 1
        if len(whole := np.flatnonzero(room >= length)) < len(room):
            begins, room, hashes = begins[whole], room[whole], hashes[whole]
        if not len(begins):
            return
        hashes = hashes * _BASE + wide[begins + (length - 1)]
        starts, found = begins, hashes
        if length == 1:
            is_visible = np.flatnonzero(codes[begins] != _BLANK)
            starts, found = begins[is_visible], hashes[is_visible]
        yield starts, starts + length, found + np.uint64(1000 + length)


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

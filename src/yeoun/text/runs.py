"""Runs of words and of characters, hashed, straight from the texts.

A text is lower-cased and its white space made single spaces. A word is a run of letters and digits, any
other visible character stands for itself. Runs of characters go over everything, a space at both ends
included; they begin with a character and end with one, but of Hangul with any letter (jamo) of a syllable,
since that is where endings change. All texts that are read together lie in one array of code points, so that
a run costs a few vector operations: its hash is a polynomial in its code points (Karp & Rabin 1987).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .normalization import normalize, plain
from .titles import title_span

_BASE = np.uint64(0x0000_0101_0000_01B3)  # of the polynomials
_ODD = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xBF58_476D_1CE4_E5B9))  # that mix a hash (splitmix64)
_LONGEST_WORD = 4_096  # code points; those behind count as the last of them
_BLANK, _NEWLINE = 32, 10
_SYLLABLES, _FIRST_SYLLABLE = 11_172, 0xAC00  # of Hangul, by initial, vowel and final consonant:
_FINALS, _VOWELS_AND_FINALS = 28, 21 * 28  # no final is the first of them
_INITIAL, _VOWEL, _NO_FINAL = 0x1100, 0x1161, 0x11A7  # code points

Rows = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint32]


def hash_runs(texts: Sequence[str], words: int, characters: int, jamo: bool) -> Iterator[tuple[Rows, Hashes]]:
    """Yield row and hash of every run of one word, of two, up to `words`, then of characters, those of as
    many letters together; rows rise within each length. jamo: whether Hangul is read by its letters."""
    lines = read_lines(texts, jamo)
    for starts, _, hashes in runs_of(lines, words, characters):
        yield lines.row[starts], hashes


class Lines(NamedTuple):
    """Texts, each on a line of its own between blanks. codes: code points, of Hangul by letters where these
    are read. row, character: of each code point the text and the character, counted over all. is_title: bool
    [code points], which belong to a text's title or are the blanks around it; None where no text has one."""

    codes: Codes
    row: Rows
    character: Rows
    is_title: npt.NDArray[np.bool_] | None

    @property
    def is_visible(self) -> npt.NDArray[np.bool_]:
        """Which code points can be seen, bool [code points]."""
        return np.asarray((self.codes != _BLANK) & (self.codes != _NEWLINE))


def read_lines(texts: Iterable[str], jamo: bool) -> Lines:
    """Return the texts on lines. jamo: whether Hangul is read by its letters."""
    lines, titles, length = [], [], 0
    for text in map(normalize, texts):
        lines.append(f" {plain(text)} \n")
        if (span := title_span(text)) is not None:
            before = length + 1 + len(plain(text[: span[0]]))
            title = len(plain(text[slice(*span)])) + text[span[0] - 1].isspace()
            titles.append(slice(before, before + title + 1))
        length += len(lines[-1])
    codes = np.frombuffer("".join(lines).encode("utf-32-le"), np.uint32)
    character = np.arange(len(codes))
    if jamo:
        letters = letters_of(codes)
        codes, character = _spelled(codes, letters), character.repeat(letters)
    row = np.cumsum(codes == _NEWLINE) - (codes == _NEWLINE)
    return Lines(codes, row, character, _within(titles, length)[character] if titles else None)


def _within(parts: Sequence[slice], length: int) -> npt.NDArray[np.bool_]:
    within = np.zeros(length, bool)
    for part in parts:
        within[part] = True
    return within


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


def letters_of(codes: Codes) -> npt.NDArray[np.int64]:
    """Return how many letters each character has: two or three a syllable of Hangul, else one."""
    syllable = codes - np.uint32(_FIRST_SYLLABLE)  # of others a large number
    is_syllable = syllable < _SYLLABLES
    return 1 + is_syllable.astype(np.int64) + (is_syllable & (syllable % _FINALS > 0))


def runs_of(lines: Lines, words: int, characters: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    """Yield start, end and hash of the runs of words, then of characters, those of one length together."""
    return chain(_word_runs(lines, words), _character_runs(lines, characters))


def _word_runs(lines: Lines, longest: int) -> Iterator[tuple[Rows, Rows, Hashes]]:
    codes, row = lines.codes, lines.row
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
    hash_of_word = mixed(np.add.reduceat(terms, starts))
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
    codes, row, character = lines.codes, lines.row, lines.character
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


def mixed(hashes: Hashes) -> Hashes:
    """Return the hashes with their bits mixed, the highest ones best."""
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

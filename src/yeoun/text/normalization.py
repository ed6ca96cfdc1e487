"""Unicode normalisation (NFC), and the way back from a normalised text to the text as typed.

The offsets that `tokenizers` gives after its own NFC are wrong for text that composes (decomposed
Hangul, letters with combining accents). So texts are normalised here, before it, and `Alignment` maps
each normalised character to the stretch of the original that it came from.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

_COUNTED = 10_000  # characters of a text
_SYLLABLE = re.compile("[가-힣]")


def normalize(text: str, fold_repeats: int = 0) -> str:
    """Return `text` in NFC; a lone surrogate, which no encoding can carry, becomes `?`.

    fold_repeats: a character that occurs more often in a row is cut to so many; 0 leaves it.
    """
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    if fold_repeats:
        text = _repeats(fold_repeats).sub(lambda match: match[1] * fold_repeats, text)
    return text


def plain(text: str) -> str:
    """Return a normalised `text` in lower case, its white space made single spaces."""
    return " ".join(text.lower().split())


@cache
def _repeats(allowed: int) -> re.Pattern[str]:
    return re.compile(rf"(.)\1{{{allowed},}}", re.DOTALL)


def hangul_share(texts: Sequence[str], sample: int = 2000) -> float:
    """Return the share of Hangul syllables among the letters of an even sample of `texts`, of each of which
    at most 10,000 characters count."""
    hangul = letters = 0
    for text in texts[:: max(1, len(texts) // sample)]:
        some = normalize(text[:_COUNTED])
        letters += sum(map(str.isalpha, some))
        hangul += len(_SYLLABLE.findall(some))
    return hangul / max(1, letters)


@dataclass(frozen=True)
class Alignment:
    """For each character of a normalised text, where its stretch of the original starts and ends."""

    starts: list[int]
    ends: list[int]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's span of the normalised span `[start, end)`."""
        if start == end:
            at = self.starts[start] if start < len(self.starts) else self.ends[-1]
            return at, at
        return self.starts[start], self.ends[end - 1]


def align(text: str, fold_repeats: int = 0) -> Alignment | None:
    """Return how `normalize(text, fold_repeats)` lies on `text`; None where the two are the same,
    character by character. Of folded repeats the last one kept stands for all that were cut."""
    composed = _align_composed(text)
    if not fold_repeats:
        return composed
    starts: list[int] = []
    ends: list[int] = []
    whole = normalize(text)
    run = 0
    for position, character in enumerate(whole):
        run = run + 1 if position and character == whole[position - 1] else 1
        start, end = composed.original_span(position, position + 1) if composed else (position, position + 1)
        if run <= fold_repeats:
            starts.append(start)
            ends.append(end)
        else:
            ends[-1] = end
    return Alignment(starts, ends)


def _align_composed(text: str) -> Alignment | None:
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return None
    composing = _composing_characters()
    cuts = [i for i, c in enumerate(text) if not (unicodedata.combining(c) or c in composing)]
    bounds = sorted({0, *cuts, len(text)})
    starts: list[int] = []
    ends: list[int] = []
    for start, end in pairwise(bounds):
        for _ in unicodedata.normalize("NFC", text[start:end]):
            starts.append(start)
            ends.append(end)
    return Alignment(starts, ends)


@cache
def _composing_characters() -> frozenset[str]:
    """Return the characters that may join the one before them: the second halves of all canonical
    decompositions, and the vowels and final consonants of Hangul."""
    joining = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if parts and not parts[0].startswith("<"):
            if len(parts) == 2:
                joining.add(chr(int(parts[1], 16)))
            if unicodedata.combining(unicodedata.normalize("NFD", chr(code))[0]):
                joining.add(chr(code))
    return frozenset(joining)

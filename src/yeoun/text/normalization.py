"""Unicode normalisation (NFC), and the way back from a normalised text to the text as typed.

The offsets that `tokenizers` gives after its own NFC are wrong for text that composes (decomposed
Hangul, letters with combining accents). So texts are normalised here, before it, and `Alignment` maps
each normalised character to the stretch of the original that it came from.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise


def normalize(text: str) -> str:
    """Return `text` in NFC; a lone surrogate, which no encoding can carry, becomes `?`."""
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    return text


def hangul_share(texts: Sequence[str], sample: int = 2000) -> float:
    """Return the share of Hangul syllables among the letters of an even sample of `texts`."""
    some = "".join(texts[:: max(1, len(texts) // sample)])
    letters = [c for c in normalize(some) if c.isalpha()]
    return sum("가" <= c <= "힣" for c in letters) / max(1, len(letters))


@dataclass(frozen=True)
class Alignment:
    """For each character of a normalised text, where its stretch of the original starts and ends."""

    starts: list[int]
    ends: list[int]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's span of the normalised span `[start, end)`, which is not empty."""
        return self.starts[start], self.ends[end - 1]


def align(text: str) -> Alignment | None:
    """Return how `normalize(text)` lies on `text`; None where the two are the same, character by
    character."""
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

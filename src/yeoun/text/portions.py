"""Texts a portion at a time, so that neither many nor long ones fill memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_TEXTS, _CHARACTERS = 10_000, 2**22  # that are cut together, at some 40 bytes a character


def portions(
    texts: Iterable[T],
    size: Callable[[Any], int] = len,
    most: int = _TEXTS,
    characters: int = _CHARACTERS,
) -> Iterator[list[T]]:
    """Yield the texts in order, at most so many together, of which all but the last come to fewer than so
    many characters. size: those of a text. No portion is empty."""
    waiting: list[T] = []
    held = 0
    for text in texts:
        waiting.append(text)
        held += size(text)
        if len(waiting) == most or held >= characters:
            yield waiting
            waiting, held = [], 0
    if waiting:
        yield waiting

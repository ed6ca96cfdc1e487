"""Texts that lie on the disk and are read as they are asked for, so that rows may outgrow memory."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from threading import Lock
from typing import IO, overload

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
LARGE = 2**26  # characters, from which texts stay on the disk


class SharedFile:
    """A file that any thread reads from, closed when nobody has it any more.

    It is read, not mapped: pages of a mapped file count as this process's memory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = Lock()
        weakref.finalize(self, file.close)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)


class TextsOnDisk(Sequence[str]):
    """Some texts of a temporary file, in an order of their own.

    A whole slice comes as a list, since whoever asks for one is about to read it; `take` gives other rows
    without reading any.
    """

    def __init__(self, file: SharedFile, offsets: Rows, rows: Rows) -> None:
        """file: of all texts. offsets: int64 [texts + 1], where each of them begins. rows: int64, which of
        them are here."""
        self._file = file
        self._offsets = offsets
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self._text(number) for number in self._rows[row]]
        return self._text(self._rows[row])

    def __iter__(self) -> Iterator[str]:
        return map(self._text, self._rows)

    def take(self, rows: Rows) -> TextsOnDisk:
        """Return the texts of these rows, in this order."""
        return TextsOnDisk(self._file, self._offsets, self._rows[rows])

    def _text(self, number: np.int64) -> str:
        start, end = int(self._offsets[number]), int(self._offsets[number + 1])
        return self._file.read(start, end).decode("utf-8", "surrogatepass")


class JoinedTexts(Sequence[str]):
    """Texts of several sequences one behind the other, none of them read before it is asked for."""

    def __init__(self, *parts: Sequence[str]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        part = int(np.searchsorted(self._ends, row, "right"))
        return self._parts[part][row - (int(self._ends[part - 1]) if part else 0)]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)


class TextWriter:
    """Texts as they come in: in memory, and from LARGE characters on in a temporary file, which nobody else
    sees and which goes with this process."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._characters = 0
        self._file: IO[bytes] | None = None
        self._lengths = array("i")

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, text: str) -> None:
        """Add a text."""
        if self._file is not None:
            self._write(self._file, text)
            return
        self._texts.append(text)
        self._characters += len(text)
        if self._characters > LARGE:
            self._file = tempfile.TemporaryFile(prefix="yeoun-texts-")  # noqa: SIM115 - closed on exit
            for earlier in self._texts:
                self._write(self._file, earlier)
            self._texts = []

    def _write(self, file: IO[bytes], text: str) -> None:
        content = text.encode("utf-8", "surrogatepass")
        file.write(content)
        self._lengths.append(len(content))

    def finish(self) -> list[str] | TextsOnDisk:
        """Return the texts."""
        if self._file is None:
            return self._texts
        file, self._file = self._file, None  # whoever has the texts closes it
        lengths = np.frombuffer(self._lengths, np.int32)
        offsets = np.concatenate([np.zeros(1, np.int64), lengths.cumsum(dtype=np.int64)])
        return TextsOnDisk(SharedFile(file), offsets, np.arange(len(lengths)))

"""Word vectors in text files: read to start an embedding from, written for other programs.

The formats of word2vec and fastText (a first line with rows and width) and of GloVe (none): a word, then
its numbers, between spaces.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import DataError

Vectors = npt.NDArray[np.float32]


def read_vectors(path: Path, words: Sequence[str], width: int) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Return `(vectors [words, width], found [words])`; rows of words that the file lacks are zero.

    The file is memory-mapped and read once; only wanted lines are parsed. Of a word that occurs twice
    the first vector counts. Raises DataError for a missing file, another width, or a broken line.
    """
    wanted = {word.encode(): i for i, word in enumerate(words)}
    vectors = np.zeros((len(words), width), np.float32)
    found = np.zeros(len(words), bool)
    for number, line in _lines(path):
        word, _, numbers = line.partition(b" ")
        row = wanted.get(word)
        if row is None or found[row] or (number == 1 and len(line.split()) == 2):
            continue
        try:
            with np.errstate(over="ignore"):  # which is refused below
                values = np.array(numbers.split(), np.float32)
        except ValueError:
            raise DataError(f"{path}, line {number}: not a word and its numbers") from None
        if not np.isfinite(values).all():
            raise DataError(f"{path}, line {number}: a number that is infinite or none; expected finite ones")
        if len(values) != width:
            raise DataError(
                f"{path}, line {number}: {len(values)} numbers, expected {width}; set"
                f" model.embedding_size={len(values)}"
            )
        vectors[row], found[row] = values, True
    return vectors, found


def vectors_text(words: Sequence[str], vectors: Vectors) -> str:
    """Return the word2vec text format of `vectors` [words, width]; words with white space are left out."""
    kept = [i for i, word in enumerate(words) if word and not any(c.isspace() for c in word)]
    lines = [f"{len(kept)} {vectors.shape[1]}"]
    lines += [" ".join([words[i], *(f"{value:.6g}" for value in vectors[i])]) for i in kept]
    return "\n".join(lines) + "\n"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if not path.is_file() or not path.stat().st_size:
        raise DataError(f"{path}: no such file or empty; expected word vectors as text")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        number = 0
        while line := mapped.readline():
            number += 1
            yield number, line.rstrip(b"\r\n ")

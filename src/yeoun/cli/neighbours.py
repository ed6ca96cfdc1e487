"""yeoun neighbours"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..errors import DataError
from .display import emit


def run(options: argparse.Namespace) -> None:
    """Print the words whose learned vectors point the way that WORD's does (cosine)."""
    from ..bundle import ModelBundle

    words, vectors = ModelBundle.load(Path(options.bundle)).word_vectors()
    word = options.word if options.word in words else options.word.lower()
    if word not in words:
        raise DataError(f"{options.word!r} is not in the model's vocabulary of {len(words)} tokens")
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit[words.index(word)]
    order = [i for i in np.argsort(-cosine, kind="stable") if words[i] != word][: options.count]
    if options.json:
        emit({"word": word, "neighbours": [{"text": words[i], "cosine": float(cosine[i])} for i in order]})
        return
    for i in order:
        print(f"{cosine[i]:7.4f}  {words[i]}")

"""yeoun embeddings"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import OutputError
from .display import note


def run(options: argparse.Namespace) -> None:
    """Write the learned vector of each word in the word2vec text format."""
    from ..bundle import ModelBundle
    from ..files import write_durably
    from ..text.vectors import vectors_text

    output = Path(options.output)
    if output.exists() and not options.force:
        raise OutputError(f"{output}: exists already; choose another place or use --force")
    bundle = ModelBundle.load(Path(options.bundle))
    words, vectors = bundle.word_vectors()
    write_durably(output, vectors_text(words, vectors).encode())
    note(f"{len(words)} vectors of {vectors.shape[1]} numbers written to {output}")

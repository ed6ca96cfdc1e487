"""Occlusion (Zeiler & Fergus 2014): how far the logit falls when a token is taken out.

Each variant of the text is read as a whole, so that both halves are heard. What tokens do together, as in
"not bad", no single one shows: the scores need not add up to anything, and the gap says how far off they are.
"""

from __future__ import annotations

import numpy as np

from ..bundle import ModelBundle
from .ablation import ablate, logits_of
from .explanation import Scored, Scores, relative_gap
from .ngrams import ngram_logits
from .reading import Reading

_POSITIONS = 2**17  # tokens of all variants together, about; in a longer text neighbours share a window
_FEWEST = 32  # windows of such a text


def explain_by_occlusion(bundle: ModelBundle, reading: Reading, contrast: Scores) -> Scored:
    """Return by how much the logit of the label falls without each piece; those of a window share alike."""
    pieces = len(reading)
    most = max(_FEWEST, _POSITIONS // max(1, pieces))
    window = np.arange(pieces) // max(1, -(-pieces // most))
    sizes = np.bincount(window)
    gone = np.zeros((2 + len(sizes), pieces), bool)  # nothing, everything, each window
    gone[1] = True
    gone[2 + window, np.arange(pieces)] = True
    gone[:, : reading.first] = False
    store = ablate(bundle, [reading], [gone], "mask")
    whole = logits_of(bundle, store) @ contrast
    scores = (whole[0] - whole[2:])[window] / sizes[window]
    gap = relative_gap(float(scores.sum()), float(whole[0] - whole[1]))
    if store.features is None:
        return Scored(scores, None, gap)
    of_ngrams = ngram_logits(bundle, store.features, contrast)
    ngrams = (of_ngrams[0] - of_ngrams[2:])[window] / sizes[window]
    return Scored(scores - ngrams, ngrams, gap)

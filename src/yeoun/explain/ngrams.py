"""What each piece of a text adds to the score of its n-grams: exact, since that score is a sum.

A known n-gram adds its weight times its value in this text, whose values are scaled to length 1. Each
occurrence has its part of that; an occurrence divides it among its visible characters, a character among the
pieces that share it. So the pieces of a text add up to the score without its bias.
"""

from __future__ import annotations

import numpy as np

from ..bundle import ModelBundle
from ..text.ngrams import Features
from .explanation import Scores
from .reading import Reading, divided


def ngram_scores(bundle: ModelBundle, reading: Reading, contrast: Scores) -> Scores | None:
    """Return what the n-grams of each piece add to the logit of the label, None for a model without them."""
    if reading.ngrams is None:
        return None
    located, spans = reading.ngrams.located, reading.ngrams.spans
    weight = bundle.weights["ngrams.weight"][located.ids]
    added = located.values * (weight @ contrast[-weight.shape[1] :])
    characters = divided(added, located.starts, located.ends, len(spans))
    return reading.over_pieces(divided(characters, spans[:, 0], spans[:, 1], len(reading.text)))


def ngram_logits(bundle: ModelBundle, features: Features, contrast: Scores) -> Scores:
    """Return what each text's n-grams add to the logit of the label, float64 [texts]."""
    weight = bundle.weights["ngrams.weight"][features.ids]
    texts = np.repeat(np.arange(len(features.offsets) - 1), np.diff(features.offsets))
    added = features.values * (weight @ contrast[-weight.shape[1] :])
    return np.asarray(np.bincount(texts, added, len(features.offsets) - 1), np.float64)

"""Texts with pieces taken out: many variants of many texts, read in a few batches.

Two ways. `delete`: tokens go, and n-grams are counted anew in the text without their characters. `mask`: the
average word takes their places (`neutral`), and n-grams that touch their characters go, so that no new
neighbours meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from ..bundle import ModelBundle
from ..data.tokens import TokenStore
from ..inference import Floats, answer, class_logits, torch_forward
from ..text.ngrams import Features, join_features
from .neutral import neutral_id, neutral_network
from .reading import Masks, Reading

TokenIds = npt.NDArray[np.int32]
Way = Callable[[ModelBundle, Reading, Masks], tuple[list[TokenIds], Features | None]]


def delete(bundle: ModelBundle, reading: Reading, gone: Masks) -> tuple[list[TokenIds], Features | None]:
    """Return the token ids and n-grams of a text's variants, each without its `gone` [variants, pieces]."""
    token_ids = [reading.token_ids[reading.is_token & ~each] for each in gone]
    if bundle.ngrams is None:
        return token_ids, None
    texts = ["".join(compress(reading.text, ~reading.characters(each))) for each in gone]
    return token_ids, bundle.ngrams.index(texts)


def mask(bundle: ModelBundle, reading: Reading, gone: Masks) -> tuple[list[TokenIds], Features | None]:
    """Return the token ids and n-grams of a text's variants, whose `gone` [variants, pieces] are average."""
    masked = np.where(gone, np.int32(neutral_id(bundle)), reading.token_ids)
    token_ids = list(masked[:, reading.is_token])
    if bundle.ngrams is None or reading.ngrams is None:
        return token_ids, None
    located, spans = reading.ngrams
    hidden = np.array([reading.characters(each)[spans[:, 0]] for each in gone])
    return token_ids, bundle.ngrams.index_masked(located, hidden)


WAYS: dict[str, Way] = {"delete": delete, "mask": mask}


def ablate(bundle: ModelBundle, readings: Sequence[Reading], gone: Sequence[Masks], way: str) -> TokenStore:
    """Return the variants of each text in which the pieces `gone` [variants, pieces] are taken out."""
    parts = [WAYS[way](bundle, *each) for each in zip(readings, gone, strict=True)]
    rows = [row for token_ids, _ in parts for row in token_ids]
    features = [each for _, each in parts if each is not None]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return TokenStore(np.concatenate(rows), offsets, join_features(features) if features else None)


def logits_of(bundle: ModelBundle, store: TokenStore) -> Floats:
    """Return the logits of the store's rows, float32 [rows, classes]."""
    logits = answer(store, bundle.configuration.text, torch_forward(neutral_network(bundle)))
    return logits if bundle.is_multilabel else class_logits(logits)

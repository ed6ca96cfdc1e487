"""Reading: one text as a model reads it, in the pieces that explanations score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..bundle import ModelBundle
from ..data.batches import Batch, collate
from ..data.tokens import TokenStore
from ..text.ngrams import Located
from .explanation import Scores

Places = npt.NDArray[np.int64]
Masks = npt.NDArray[np.bool_]
_NO_TOKEN = -1


class Ngrams(NamedTuple):
    """The known n-grams of a text, and the spans [visible characters, 2] of the characters they count."""

    located: Located
    spans: Places


@dataclass(frozen=True)
class Reading:
    """The tokens of `text` in their order; among them, where n-grams are read as well, the stretches that
    they alone read, since these were cut off or belong to no token.

    starts, ends: int64 [pieces], the spans. token_ids: int32 [pieces], of such a stretch -1. first: the piece
    with which the text itself begins, behind the start token where there is one.
    """

    text: str
    starts: Places
    ends: Places
    token_ids: npt.NDArray[np.int32]
    first: int
    ngrams: Ngrams | None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def is_token(self) -> Masks:
        """Which pieces the network reads, bool [pieces]."""
        return np.asarray(self.token_ids != _NO_TOKEN)

    def over_pieces(self, of_characters: Scores) -> Scores:
        """Return the sum over each piece of what each code point has; pieces that share one share alike."""
        shared = of_characters / np.maximum(1, _coverage(self.starts, self.ends, len(self.text)))
        total = np.concatenate([[0.0], shared.cumsum()])
        return np.asarray(total[self.ends] - total[self.starts], np.float64)

    def characters(self, pieces: Masks) -> Masks:
        """Return which code points of the text these pieces cover, bool [characters]."""
        covered: Masks = _coverage(self.starts[pieces], self.ends[pieces], len(self.text)) > 0
        return covered


def read(bundle: ModelBundle, text: str) -> Reading:
    """Return `text` as the model reads it."""
    tokens = bundle.indexer.tokens(text)
    starts, ends = (np.array([getattr(t, name) for t in tokens], np.int64) for name in ("start", "end"))
    token_ids, ngrams = np.array([t.token_id for t in tokens], np.int32), None
    if bundle.ngrams is not None:
        ngrams = Ngrams(bundle.ngrams.locate(text), bundle.ngrams.spans(text))
        is_counted = _coverage(ngrams.spans[:, 0], ngrams.spans[:, 1], len(text)) > 0
        is_alone = is_counted & (_coverage(starts, ends, len(text)) == 0)
        edges = np.flatnonzero(np.diff(is_alone, prepend=False, append=False))
        starts, ends = np.append(starts, edges[::2]), np.append(ends, edges[1::2])
        token_ids = np.append(token_ids, np.full(len(edges) // 2, _NO_TOKEN, np.int32))
        order = np.argsort(starts, kind="stable")
        starts, ends, token_ids = starts[order], ends[order], token_ids[order]
    return Reading(text, starts, ends, token_ids, int(bundle.configuration.text.start_token), ngrams)


def alone(bundle: ModelBundle, reading: Reading) -> tuple[Batch, Places]:
    """Return the batch of this text alone, and the step at which each of its tokens is read."""
    config, token_ids = bundle.configuration.text, reading.token_ids[reading.is_token]
    store = TokenStore(token_ids, np.array([0, len(token_ids)]))
    batch = collate(store, np.array([0]), None, config.pad_to, config.pad_side)
    places = np.arange(len(token_ids))
    if bundle.configuration.model.inputs == "counts":
        return batch, places * 0
    if config.pad_side == "front" and config.pad_to != "none":
        places += batch.token_ids.shape[1] - len(token_ids)
    return batch, places


def _coverage(starts: Places, ends: Places, length: int) -> Places:
    """Return how many of the spans cover each of so many characters."""
    steps = np.bincount(starts, minlength=length + 1) - np.bincount(ends, minlength=length + 1)
    return np.asarray(steps.cumsum()[:length], np.int64)


def divided(values: Scores, starts: Places, ends: Places, length: int) -> Scores:
    """Return what falls to each of `length` places when each value is divided over its span."""
    each = values / np.maximum(1, ends - starts)
    steps = np.bincount(starts, each, length + 1) - np.bincount(ends, each, length + 1)
    return np.asarray(steps.cumsum()[:length], np.float64)

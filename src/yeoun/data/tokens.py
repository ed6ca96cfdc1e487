"""TokenStore: the token ids and n-gram features of many texts, flat, with row offsets. Nothing is padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..text.indexer import Indexed
from ..text.ngrams import Features


@dataclass(frozen=True)
class TokenStore:
    """Row i holds `token_ids[offsets[i]:offsets[i + 1]]`.

    token_ids: int32 [tokens]. offsets: int64 [rows + 1]. features: the n-grams of each row, for a model that
    reads them.
    """

    token_ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    features: Features | None = None

    @classmethod
    def of(cls, indexed: Indexed, features: Features | None = None) -> TokenStore:
        """Return the store of what `TextIndexer.index` and `NgramIndexer.index` gave of the same texts."""
        return cls(indexed.token_ids, indexed.offsets, features)

    @classmethod
    def joined(cls, stores: Sequence[TokenStore]) -> TokenStore:
        """Return the token ids of all `stores`, one behind the other, without features."""
        lengths = np.concatenate([store.lengths for store in stores])
        ids = np.concatenate([store.token_ids for store in stores])
        return cls(ids, np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]))

    def at_least(self, tokens: int) -> TokenStore:
        """Return the token ids of the rows that have so many, without features."""
        return self.take(self.lengths >= tokens)

    def take(self, is_taken: npt.NDArray[np.bool_]) -> TokenStore:
        """Return the token ids of some rows, bool [rows], without features."""
        lengths = self.lengths[is_taken]
        offsets = np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])
        return TokenStore(self.token_ids[np.repeat(is_taken, self.lengths)], offsets)

    def cut(self, counts: npt.NDArray[np.int64]) -> TokenStore:
        """Return the rows cut into so many even pieces each, int64 [rows], without features."""
        row = np.repeat(np.arange(len(self)), counts)
        piece = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
        starts = self.offsets[row] + self.lengths[row] * piece // counts[row]
        return TokenStore(self.token_ids, np.concatenate([starts, self.offsets[-1:]]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property  # asked for at every batch
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row, int64 [rows]."""
        return np.diff(self.offsets)

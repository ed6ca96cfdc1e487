"""TokenStore: the token ids of many texts, flat, with row offsets. Nothing is padded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TokenStore:
    """Row i holds `token_ids[offsets[i]:offsets[i + 1]]`.

    token_ids: int32 [tokens]. offsets: int64 [rows + 1].
    """

    token_ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property  # asked for at every batch
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row, int64 [rows]."""
        return np.diff(self.offsets)

"""What an encoder gives, each direction in the order in which it read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .masking import reverse


@dataclass(frozen=True)
class Encoded:
    """The outputs [T, N, H] of one or two directions; at steps past a row's length they hold anything.

    ahead: step t has read the tokens up to t. behind: step t has read a row of length L from its end to token
    L - 1 - t, so that both directions end at step L - 1. index: the reversal that turns one order into the
    other.
    """

    ahead: Tensor
    behind: Tensor | None = None
    index: Tensor | None = None

    @property
    def directions(self) -> list[Tensor]:
        """The outputs of each direction, in its own order."""
        return [self.ahead] if self.behind is None else [self.ahead, self.behind]

    def joined(self) -> Tensor:
        """Return the outputs [T, N, D] in the order of the tokens, the halves of D being the directions."""
        if self.behind is None:
            return self.ahead
        assert self.index is not None
        return torch.cat([self.ahead, reverse(self.behind, self.index)], dim=2)

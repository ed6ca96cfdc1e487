"""Noise on words, embeddings and units, in training only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import UNKNOWN_ID
from .shards import randomness


def word_dropout(token_ids: Tensor, share: float, training: bool) -> Tensor:
    """Return `token_ids` [T, N] with a `share` of positions replaced by the unknown token."""
    if not training or share == 0.0:
        return token_ids
    return token_ids.masked_fill(torch.rand(token_ids.shape, device=token_ids.device) < share, UNKNOWN_ID)


def locked_dropout(embedded: Tensor, share: float, training: bool) -> Tensor:
    """Return `embedded` [T, N, E] with the same units dropped at every step of a text
    (Gal & Ghahramani 2016)."""
    if not training or share == 0.0:
        return embedded
    return _drop(embedded, share, (1, *embedded.shape[1:]))


def drop(outputs: Tensor, share: float, training: bool) -> Tensor:
    """Return `outputs` of any shape with a `share` of units dropped, each by itself."""
    if not training or share == 0.0:
        return outputs
    return _drop(outputs, share, outputs.shape)


def _drop(units: Tensor, share: float, shape: Sequence[int]) -> Tensor:
    kept = torch.rand(shape, generator=randomness(), device=units.device) >= share
    return units * (kept / (1.0 - share)).to(units.dtype)

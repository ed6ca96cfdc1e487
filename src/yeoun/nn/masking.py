"""Masks, and the reversal of each row within its own length.

Reversal makes a backward direction out of a second forward pass: row n of length L has its first L
steps flipped, its padding stays behind. Later padding cannot reach earlier steps of a forward pass, so
both directions are exact without packing. Flipping twice gives the row back (an involution), which is
why the backward pass of a reversal is the same gather.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def real_positions(lengths: Tensor, steps: int) -> Tensor:
    """Return a bool mask [T, N]: True where position t of row n is a token, t < lengths[n]."""
    return torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths.unsqueeze(0)


def reversal_index(lengths: Tensor, steps: int) -> Tensor:
    """Return the flat permutation [T * N] that flips each row of a [T, N, ...] tensor in its length."""
    time = torch.arange(steps, device=lengths.device).unsqueeze(1)
    source = torch.where(time < lengths, lengths - 1 - time, time)
    rows = torch.arange(len(lengths), device=lengths.device)
    return (source * len(lengths) + rows).flatten()


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sequence: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return sequence.flatten(0, 1).index_select(0, index).view_as(sequence)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        return gradient.flatten(0, 1).index_select(0, index).view_as(gradient), None


def reverse(sequence: Tensor, index: Tensor) -> Tensor:
    """Return `sequence` [T, N, D] with each row flipped within its length, by its `reversal_index`."""
    flipped: Tensor = _Reverse.apply(sequence, index)  # type: ignore[no-untyped-call]
    return flipped

"""From the outputs over time to one vector per text. Each pooling reads real positions only.

`POOLINGS[name](D)` takes what an encoder gave and `lengths` [N] and returns [N, D] (`mean-max`: [N, 2D]) in
fp32. A text without a token pools to zeros. Sums and maxima do not ask for an order, so each direction's
outputs are reduced as it read them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .encoded import Encoded
from .masking import real_positions

Pooling = Callable[[Encoded, Tensor], Tensor]


def _at(outputs: Tensor, step: Tensor) -> Tensor:
    rows = torch.arange(outputs.shape[1], device=outputs.device)
    return outputs[step.clamp(min=0), rows].float()


def _zero_where_empty(pooled: Tensor, lengths: Tensor) -> Tensor:
    return torch.where((lengths > 0).unsqueeze(1), pooled, pooled.new_zeros(()))


def last(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return each direction's final state."""
    ends = [_at(outputs, lengths - 1) for outputs in encoded.directions]
    return _zero_where_empty(torch.cat(ends, dim=1), lengths)


def last_position(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return both directions' output at the last token; the backward half has read only that token."""
    at_last = [_at(encoded.ahead, lengths - 1)]
    if encoded.behind is not None:
        at_last.append(_at(encoded.behind, torch.zeros_like(lengths)))
    return _zero_where_empty(torch.cat(at_last, dim=1), lengths)


class _SumAndMaximum(torch.autograd.Function):
    """The sum and the maximum [N, H] over the real steps of `outputs` [T, N, H], in fp32 or more.

    The maximum's gradient goes to the first step that has it. Only the steps that are padding to some row are
    masked, and the gradient is written once.
    """

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(True)
        ctx.shape, ctx.dtype = outputs.shape, outputs.dtype
        shared, wide = _shared(lengths), torch.promote_types(outputs.dtype, torch.float32)
        total = outputs[:shared].sum(0, dtype=wide)
        maximum, place = outputs.new_full(total.shape, -torch.inf), lengths.new_zeros(total.shape)
        if shared:
            maximum, place = outputs[:shared].max(0)
        if shared < len(outputs):
            padding = _padding(lengths, outputs)
            total += outputs[shared:].masked_fill(padding, 0.0).sum(0, dtype=wide)
            later, later_place = outputs[shared:].masked_fill(padding, -torch.inf).max(0)
            place = torch.where(later > maximum, later_place + shared, place)
            maximum = torch.maximum(maximum, later)
        ctx.save_for_backward(place, lengths)
        return total, maximum.to(wide)

    @staticmethod
    def backward(ctx: Any, of_total: Tensor, of_maximum: Tensor) -> tuple[Tensor, None]:
        place, lengths = ctx.saved_tensors
        gradient = of_total.to(ctx.dtype).expand(ctx.shape).contiguous()
        shared = _shared(lengths)
        if shared < len(gradient):
            gradient[shared:].masked_fill_(_padding(lengths, gradient), 0.0)
        columns = torch.arange(place.numel(), device=place.device)
        at_maximum = of_maximum.to(gradient.dtype).flatten()
        gradient.flatten(1).index_put_((place.flatten(), columns), at_maximum, accumulate=True)
        return gradient, None


def _shared(lengths: Tensor) -> int:
    """Return how many steps are real to every row."""
    return int(lengths.min()) if len(lengths) else 0


def _padding(lengths: Tensor, outputs: Tensor) -> Tensor:
    """Return where the steps that not every row has are padding: bool [steps, N, 1]."""
    return ~real_positions(lengths, len(outputs))[_shared(lengths) :].unsqueeze(2)


def _reduced(encoded: Encoded, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return sum and maximum [N, D] over the tokens."""
    reduced = [_SumAndMaximum.apply(outputs, lengths) for outputs in encoded.directions]  # type: ignore[no-untyped-call]
    total, maximum = (torch.cat(each, dim=1) for each in zip(*reduced, strict=True))
    return total, _zero_where_empty(maximum, lengths)


def total(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return the sum over the tokens."""
    return _reduced(encoded, lengths)[0]


def mean(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return the mean over the tokens."""
    return total(encoded, lengths) / lengths.clamp(min=1).unsqueeze(1)


def maximum(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return the maximum over the tokens, unit by unit."""
    return _reduced(encoded, lengths)[1]


def mean_max(encoded: Encoded, lengths: Tensor) -> Tensor:
    """Return the mean and the maximum side by side."""
    summed, largest = _reduced(encoded, lengths)
    return torch.cat([summed / lengths.clamp(min=1).unsqueeze(1), largest], dim=1)


class Attention(nn.Module):
    """A sum weighted by learned relevance: `ReLU(o) > Linear(D, D/2) > ReLU > Linear(D/2, 1) > softmax`
    over the tokens. The weights add up to 1 over a text's tokens and are exactly 0 on padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, max(1, width // 2))
        self.score = nn.Linear(max(1, width // 2), 1)

    def weights(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the attention weights [T, N] of `outputs` [T, N, D] (fp32), in the order of the tokens."""
        scores = self.score(self.hidden(outputs.relu()).relu()).squeeze(2)
        real = real_positions(lengths, len(outputs))
        scores = scores.masked_fill(~real, -torch.inf)
        scores = torch.where(real.any(0), scores, scores.new_zeros(()))  # softmax of nothing is NaN
        return scores.softmax(0).masked_fill(~real, 0.0)

    def forward(self, encoded: Encoded, lengths: Tensor) -> Tensor:
        outputs = encoded.joined().float()
        real = real_positions(lengths, len(outputs)).unsqueeze(2)
        weights = self.weights(outputs, lengths).unsqueeze(2)
        return (weights * outputs.masked_fill(~real, 0.0)).sum(0)


POOLINGS: dict[str, Callable[[int], Pooling]] = {
    "last": lambda width: last,
    "last-position": lambda width: last_position,
    "sum": lambda width: total,
    "mean": lambda width: mean,
    "max": lambda width: maximum,
    "mean-max": lambda width: mean_max,
    "attention": Attention,
}

"""From the outputs over time to one vector per text. Each pooling reads real positions only.

`POOLINGS[name]` takes `outputs` [T, N, D] and `lengths` [N] and returns [N, D] (`mean-max`: [N, 2D]).
A text without a token pools to zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .masking import real_positions

Pooling = Callable[[Tensor, Tensor, bool], Tensor]


def _at(outputs: Tensor, position: Tensor) -> Tensor:
    return outputs[position, torch.arange(outputs.shape[1], device=outputs.device)]


def _zero_where_empty(pooled: Tensor, lengths: Tensor) -> Tensor:
    return torch.where((lengths > 0).unsqueeze(1), pooled, pooled.new_zeros(()))


def last(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return each direction's final state: forward at the last token, backward at the first."""
    pooled = _at(outputs, (lengths - 1).clamp(min=0))
    if bidirectional:
        half = outputs.shape[2] // 2
        pooled = torch.cat([pooled[:, :half], outputs[0, :, half:]], dim=1)
    return _zero_where_empty(pooled, lengths)


def last_position(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return both directions' output at the last token; the backward half has read only that token."""
    return _zero_where_empty(_at(outputs, (lengths - 1).clamp(min=0)), lengths)


def total(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return the sum over the tokens."""
    return outputs.masked_fill(~real_positions(lengths, len(outputs)).unsqueeze(2), 0.0).sum(0)


def mean(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return the mean over the tokens."""
    return total(outputs, lengths, bidirectional) / lengths.clamp(min=1).unsqueeze(1)


def maximum(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return the maximum over the tokens, unit by unit."""
    masked = outputs.masked_fill(~real_positions(lengths, len(outputs)).unsqueeze(2), -torch.inf)
    return _zero_where_empty(masked.amax(0), lengths)


def mean_max(outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """Return the mean and the maximum side by side."""
    both = [pool(outputs, lengths, bidirectional) for pool in (mean, maximum)]
    return torch.cat(both, dim=1)


class Attention(nn.Module):
    """A sum weighted by learned relevance: `ReLU(o) > Linear(D, D/2) > ReLU > Linear(D/2, 1) > softmax`
    over the tokens. The weights add up to 1 over a text's tokens and are exactly 0 on padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, max(1, width // 2))
        self.score = nn.Linear(max(1, width // 2), 1)

    def weights(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the attention weights [T, N]."""
        scores = self.score(self.hidden(outputs.relu()).relu()).squeeze(2)
        real = real_positions(lengths, len(outputs))
        scores = scores.masked_fill(~real, -torch.inf)
        scores = torch.where(real.any(0), scores, scores.new_zeros(()))  # softmax of nothing is NaN
        return scores.softmax(0).masked_fill(~real, 0.0)

    def forward(self, outputs: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
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

"""Convolutions over words as another way to read an embedded sequence (Kim 2014)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .dropout import drop
from .encoded import Encoded
from .masking import real_positions

WIDTHS = (3, 4, 5)


class ConvolutionLayer(nn.Module):
    """Filters over 3, 4 and 5 neighbouring words: `inputs` [N, E, T] to ReLU outputs [N, 3H, T]."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.empty(hidden, inputs, width) for width in WIDTHS)
        self.bias = nn.Parameter(torch.zeros(len(WIDTHS) * hidden))
        for weight in self.weights:
            nn.init.xavier_uniform_(weight)

    def forward(self, inputs: Tensor) -> Tensor:
        scores = []
        for width, weight in zip(WIDTHS, self.weights, strict=True):
            padded = functional.pad(inputs, ((width - 1) // 2, width // 2))
            scores.append(functional.conv1d(padded, weight.to(inputs.dtype)))
        return (torch.cat(scores, dim=1) + self.bias.to(inputs.dtype).unsqueeze(1)).relu()


class ConvolutionStack(nn.Module):
    """Layers of filters: `inputs` [T, N, E] and `lengths` [N] to outputs, of width 3H.

    Words past a row's length are zeros to every layer, as those before its first are.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.width = hidden * len(WIDTHS)
        sizes = [inputs] + [self.width] * (layers - 1)
        self.layers = nn.ModuleList(ConvolutionLayer(size, hidden) for size in sizes)
        self.dropout = dropout

    def named_layers(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield `(name, layer)` in the order of the forward pass."""
        for depth, layer in enumerate(self.layers, 1):
            yield f"{depth} over {', '.join(map(str, WIDTHS))} words", layer

    def forward(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        real = real_positions(lengths, len(inputs)).T.unsqueeze(1)
        outputs = inputs.permute(1, 2, 0)
        for depth, layer in enumerate(self.layers):
            if depth:
                outputs = drop(outputs, self.dropout, self.training)
            outputs = layer(outputs.masked_fill(~real, 0.0))
        return Encoded(outputs.permute(2, 0, 1))

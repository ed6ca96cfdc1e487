"""Stacks of recurrent layers on torch's dense fused kernels, exact for every length, never packed.

Each direction is a forward pass of its own; the backward one runs over rows reversed within their
length (see `masking`). On a CPU the LSTM kernel is fused, in fp32 and bf16; RNN and GRU have none.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .cells import GATES, CellWeights
from .dropout import drop
from .encoded import Encoded
from .masking import reversal_index, reverse

# On a GPU a layer's weights, which are parameters of their own, are laid side by side at every call.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk", UserWarning)


class RecurrentLayer(nn.Module):
    """One direction of one layer: `inputs` [T, N, E] to hidden states [T, N, H].

    With `initialization` "keras": Glorot uniform input weights, orthogonal recurrent weights, zero
    biases, a forget bias of 1, and one trained bias (torch's kernels add two; the second stays zero),
    two for GRU, as Keras has them there.
    With "torch": everything uniform within 1 / sqrt(H), two biases.
    """

    def __init__(self, encoder: str, inputs: int, hidden: int, initialization: str) -> None:
        super().__init__()
        self.encoder = encoder
        stacked = GATES[encoder] * hidden
        self.weight_input = nn.Parameter(torch.empty(stacked, inputs))
        self.weight_hidden = nn.Parameter(torch.empty(stacked, hidden))
        self.bias_input = nn.Parameter(torch.zeros(stacked))
        is_keras = initialization == "keras"
        has_one_bias = is_keras and encoder != "gru"
        self.bias_hidden = nn.Parameter(torch.zeros(stacked), requires_grad=not has_one_bias)
        with torch.no_grad():
            (self._initialize_as_keras if is_keras else self._initialize_as_torch)(hidden)

    def _initialize_as_keras(self, hidden: int) -> None:
        nn.init.xavier_uniform_(self.weight_input)
        # Keras draws the [H, G * H] matrix orthogonal as a whole, not gate by gate.
        nn.init.orthogonal_(self.weight_hidden)
        if self.encoder == "lstm":
            self.bias_input[hidden : 2 * hidden] = 1.0

    def _initialize_as_torch(self, hidden: int) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    @property
    def weights(self) -> CellWeights:
        return CellWeights(self.weight_input, self.weight_hidden, self.bias_input, self.bias_hidden)

    def forward(self, inputs: Tensor) -> Tensor:
        weights = [w.to(inputs.dtype) for w in self.weights]
        zero = inputs.new_zeros(1, inputs.shape[1], self.weight_hidden.shape[1])
        # has_biases, num_layers, dropout, train, bidirectional, batch_first
        settings = (True, 1, 0.0, self.training, False, False)
        if self.encoder == "lstm":
            return torch.lstm(inputs, [zero, zero], weights, *settings)[0]
        run = {"gru": torch.gru, "rnn": torch.rnn_tanh}[self.encoder]
        return run(inputs, zero, weights, *settings)[0]


class RecurrentStack(nn.Module):
    """Layers of one or two directions: `inputs` [T, N, E] and `lengths` [N] to the last layer's outputs."""

    def __init__(
        self,
        encoder: str,
        inputs: int,
        hidden: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
        initialization: str,
    ) -> None:
        super().__init__()
        self.width = hidden * (2 if bidirectional else 1)
        sizes = [inputs] + [self.width] * (layers - 1)
        self.forwards = nn.ModuleList(RecurrentLayer(encoder, size, hidden, initialization) for size in sizes)
        self.backwards = nn.ModuleList(
            RecurrentLayer(encoder, size, hidden, initialization) for size in (sizes if bidirectional else [])
        )
        self.dropout = dropout

    def named_layers(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield `(name, layer)` in the order of the forward pass."""
        for depth, ahead in enumerate(self.forwards):
            yield f"{depth + 1} forward", ahead
            if self.backwards:
                yield f"{depth + 1} backward", self.backwards[depth]

    def forward(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        index = reversal_index(lengths, len(inputs)) if self.backwards else None
        encoded = Encoded(inputs)
        for depth, ahead in enumerate(self.forwards):
            outputs = drop(encoded.joined(), self.dropout, self.training) if depth else inputs
            behind = None
            if index is not None:
                behind = self.backwards[depth](reverse(outputs, index))
            encoded = Encoded(ahead(outputs), behind, index)
        return encoded

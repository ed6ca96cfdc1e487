"""Word counts as a sequence of one step: a recurrent cell that reads a whole text at once, from a zero state.

What some published systems train. Nothing recurs, and the order of the words is lost. The cell's input
weights are a row of G * H numbers for each word, so that a text's share of its sums is the sum of its words'
rows: the dense product of the count vector, computed from the words that occur.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import UNKNOWN_ID
from .cells import CELLS, GATES, CellWeights, State
from .encoded import Encoded

NO_WORDS = UNKNOWN_ID + 1  # padding and unknown words are not counted


def count_weight(encoder: str, hidden: int, vocabulary_size: int) -> nn.Embedding:
    """Return the cell's input weights [words, G * H], started as torch starts a cell's."""
    weight = nn.Embedding(vocabulary_size - NO_WORDS, GATES[encoder] * hidden)
    nn.init.uniform_(weight.weight, -(hidden**-0.5), hidden**-0.5)
    return weight


def weigh_counts(token_ids: Tensor, lengths: Tensor, weight: Tensor) -> Tensor:
    """Return the counts' share of a cell's sums, [N, G * H], of `token_ids` [N, T]."""
    position = torch.arange(token_ids.shape[1], device=token_ids.device)
    counted = (token_ids >= NO_WORDS) & (position < lengths.unsqueeze(1))
    words = (token_ids - NO_WORDS).clamp(min=0)
    return functional.embedding_bag(words, weight, mode="sum", per_sample_weights=counted.to(weight.dtype))


class CountCell(nn.Module):
    """The rest of the cell: `inputs` [1, N, G * H] to its hidden state after one step, of width H.

    The recurrent weights are there, as in torch's layer, and meet a state of zeros.
    """

    def __init__(self, encoder: str, hidden: int) -> None:
        super().__init__()
        self.encoder, self.width = encoder, hidden
        stacked = GATES[encoder] * hidden
        self.weight_hidden = nn.Parameter(torch.empty(stacked, hidden))
        self.bias_input = nn.Parameter(torch.empty(stacked))
        self.bias_hidden = nn.Parameter(torch.empty(stacked))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def named_layers(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield `(name, layer)` in the order of the forward pass."""
        yield "1 step", self

    def forward(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        inputs = inputs.to(self.bias_input.dtype)  # the equations are not written for bf16
        zero = inputs.new_zeros(inputs.shape[1], self.width)
        of_input = inputs[0] + self.bias_input
        weights = CellWeights(inputs, self.weight_hidden, self.bias_input, self.bias_hidden)
        state, _ = CELLS[self.encoder](of_input, State(zero, zero), weights)
        return Encoded(state.hidden.unsqueeze(0))

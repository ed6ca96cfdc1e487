"""The recurrent cells written out as equations, one step at a time.

The reference that the fast layers are tested against, and the source of the gate trace. `x` is the
input [N, E], `h` the hidden state [N, H], `c` the LSTM's cell state [N, H]; `*` is elementwise. A step
takes the input's part of its sums, W x + b [N, G * H], since that needs no state. Weights are torch's:
`weight_input` W [G * H, E], `weight_hidden` U [G * H, H], biases b, d [G * H], the G gates stacked in the
order in which the functions below name them.

    RNN    h' = tanh(W x + b + U h + d)                                   (Elman 1990)
    LSTM   i, f, o = sigmoid(...), g = tanh(...) of W x + b + U h + d
           c' = f * c + i * g,  h' = o * tanh(c')          (Hochreiter & Schmidhuber 1997; Gers 2000)
    GRU    r, z = sigmoid(W x + b + U h + d),  n = tanh(W x + b + r * (U h + d))
           h' = (1 - z) * n + z * h                                       (Cho et al. 2014)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class CellWeights(NamedTuple):
    """One direction of one layer."""

    weight_input: Tensor
    weight_hidden: Tensor
    bias_input: Tensor
    bias_hidden: Tensor


class State(NamedTuple):
    """What a cell carries on; `cell` stays zero for RNN and GRU."""

    hidden: Tensor
    cell: Tensor


Gates = dict[str, Tensor]
Step = Callable[[Tensor, State, CellWeights], tuple[State, Gates]]


def weigh_input(inputs: Tensor, w: CellWeights) -> Tensor:
    """Return W x + b [..., G * H] of `inputs` [..., E]."""
    return inputs @ w.weight_input.T + w.bias_input


def rnn_step(of_input: Tensor, state: State, w: CellWeights) -> tuple[State, Gates]:
    """Return the next state of a simple recurrent cell, and no gates."""
    h = torch.tanh(of_input + state.hidden @ w.weight_hidden.T + w.bias_hidden)
    return State(h, state.cell), {}


def lstm_step(of_input: Tensor, state: State, w: CellWeights) -> tuple[State, Gates]:
    """Return the next state of an LSTM cell, and its gates input, forget, cell, output [N, H]."""
    stacked = of_input + state.hidden @ w.weight_hidden.T + w.bias_hidden
    i, f, g, o = stacked.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * state.cell + i * g
    return State(o * c.tanh(), c), {"input": i, "forget": f, "cell": g, "output": o}


def gru_step(of_input: Tensor, state: State, w: CellWeights) -> tuple[State, Gates]:
    """Return the next state of a GRU cell, and its gates reset, update, new [N, H]."""
    r_input, z_input, n_input = of_input.chunk(3, dim=1)
    r_hidden, z_hidden, n_hidden = (state.hidden @ w.weight_hidden.T + w.bias_hidden).chunk(3, dim=1)
    r, z = (r_input + r_hidden).sigmoid(), (z_input + z_hidden).sigmoid()
    n = (n_input + r * n_hidden).tanh()
    return State((1 - z) * n + z * state.hidden, state.cell), {"reset": r, "update": z, "new": n}


CELLS: dict[str, Step] = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def unroll(step: Step, inputs: Tensor, lengths: Tensor, weights: CellWeights) -> Tensor:
    """Return the hidden states [T, N, H] of `step` over `inputs` [T, N, E] from a zero state.

    A row's state stays as it is once its length is reached.
    """
    width = weights.weight_hidden.shape[1]
    zero = inputs.new_zeros(inputs.shape[1], width)
    state, hidden = State(zero, zero), []
    for t, of_input in enumerate(weigh_input(inputs, weights)):
        following, _ = step(of_input, state, weights)
        goes_on = (t < lengths).unsqueeze(1)
        state = State(*(torch.where(goes_on, a, b) for a, b in zip(following, state, strict=True)))
        hidden.append(state.hidden)
    return torch.stack(hidden)

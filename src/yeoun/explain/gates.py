"""The gates of a recurrent network over one text: every gate, cell state and hidden state at every token.

The written-out cells (`nn.cells`) walk over the text with the model's own weights, and keep what they
compute. What the gates are: the equations in `nn.cells`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..bundle import ModelBundle
from ..errors import ConfigError
from ..nn.cells import CELLS, State, weigh_input
from ..nn.recurrent import RecurrentLayer, RecurrentStack
from .explanation import LayerTrace, Scored, Scores
from .reading import Reading, alone


@torch.inference_mode()
def explain_by_gates(bundle: ModelBundle, reading: Reading, contrast: Scores) -> Scored:
    """Return the trace of every layer and direction; a token's score is how far it moved the last layer's
    hidden state (the distance from the state before it, in both directions together), whichever the label.

    Raises ConfigError for a network without recurrence.
    """
    network = bundle.network
    if not isinstance(network.encoder, RecurrentStack):
        raise ConfigError(
            f"method 'gates': this model reads {bundle.configuration.model.inputs} by"
            f" {bundle.configuration.model.encoder}, which has no gates over time; expected a recurrent"
            " network over an embedding"
        )
    batch, places = alone(bundle, reading)
    device = network.embedding.weight.device
    lengths = torch.from_numpy(batch.lengths).to(device)
    embedded = network.embed(torch.from_numpy(batch.token_ids).to(device), lengths)[: int(lengths[0])]
    traces, outputs = [], embedded
    for depth, ahead in enumerate(network.encoder.forwards):
        both = [_trace(ahead, outputs, depth + 1, "forward")]
        if network.encoder.backwards:
            layer = network.encoder.backwards[depth]
            both.append(_turned(_trace(layer, outputs.flip(0), depth + 1, "backward")))
        outputs = torch.cat([torch.from_numpy(trace.hidden.copy()).unsqueeze(1) for trace in both], dim=2)
        outputs = outputs.to(device)
        traces += both
    moved = sum(_moved(trace) for trace in traces if trace.layer == len(network.encoder.forwards))
    scores = np.zeros(len(reading))
    scores[reading.is_token] = np.atleast_1d(moved)[places]
    return Scored(scores, layers=tuple(trace.only(places) for trace in traces))


def _trace(layer: torch.nn.Module, inputs: Tensor, depth: int, direction: str) -> LayerTrace:
    assert isinstance(layer, RecurrentLayer)
    zero = inputs.new_zeros(1, layer.weight_hidden.shape[1])
    state, hidden, cells = State(zero, zero), [], []
    gates: dict[str, list[Tensor]] = {}
    for of_input in weigh_input(inputs, layer.weights):
        state, opened = CELLS[layer.encoder](of_input, state, layer.weights)
        for name, gate in opened.items():
            gates.setdefault(name, []).append(gate[0])
        hidden.append(state.hidden[0])
        cells.append(state.cell[0])
    width = zero.shape[1]
    return LayerTrace(
        layer=depth,
        direction=direction,
        gates={name: _stacked(values, width) for name, values in gates.items()},
        cell=_stacked(cells, width) if layer.encoder == "lstm" else None,
        hidden=_stacked(hidden, width),
    )


def _stacked(states: list[Tensor], width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return torch.stack(states).cpu().numpy() if states else np.zeros((0, width), np.float32)


def _turned(trace: LayerTrace) -> LayerTrace:
    """Return a backward trace in the order of the text."""
    return trace.only(slice(None, None, -1))


def _moved(trace: LayerTrace) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    states = trace.hidden if trace.direction == "forward" else trace.hidden[::-1]
    steps = np.diff(states, axis=0, prepend=np.zeros((1, states.shape[1]), np.float32))
    distance: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.linalg.norm(steps, axis=1)
    return distance if trace.direction == "forward" else distance[::-1]

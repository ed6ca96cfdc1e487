"""Each part of the network as nodes of a graph; what a function returns is the name of its last node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..config import ModelConfig
from .graph import Array, Graph

# The gates of torch's stacked weights in the order in which ONNX stacks them.
_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
_MINUS_INFINITY = np.float32(np.finfo(np.float32).min)


def recurrences(graph: Graph, config: ModelConfig) -> str:
    """Add the recurrent layers: outputs [T, N, D]."""
    outputs = graph.node("Gather", graph.weight("embedding.weight"), graph.time_first)
    ways = ("forwards", "backwards") if config.bidirectional else ("forwards",)
    # A row without a token is read as one of padding; the poolings leave it out.
    at_least_one = graph.node("Max", "lengths", graph.constant([1]))
    lengths = graph.node("Cast", at_least_one, {"to": graph.onnx.TensorProto.INT32})
    kind = config.encoder.upper()
    attributes: dict[str, Any] = {
        "hidden_size": config.hidden_size,
        "direction": "bidirectional" if config.bidirectional else "forward",
        **({"linear_before_reset": 1} if config.encoder == "gru" else {}),
    }
    for depth in range(config.layers):
        arrays = [
            np.stack([_ordered(graph, f"encoder.{way}.{depth}.{name}", config.encoder) for way in ways])
            for name in ("weight_input", "weight_hidden", "bias_input", "bias_hidden")
        ]
        given = [*arrays[:2], np.concatenate(arrays[2:], axis=1)]
        weights = [graph.constant(array, np.float32) for array in given]
        states = graph.node(kind, outputs, *weights, lengths, attributes)  # [T, directions, N, H]
        states = graph.node("Transpose", states, {"perm": [0, 2, 1, 3]})
        shape = graph.constant([0, 0, config.hidden_size * len(ways)])
        outputs = graph.node("Reshape", states, shape)
    return outputs


def _ordered(graph: Graph, name: str, encoder: str) -> Array:
    parts = np.split(graph.given[name], len(_ORDER[encoder]))
    return np.concatenate([parts[i] for i in _ORDER[encoder]])


def convolutions(graph: Graph, config: ModelConfig) -> str:
    """Add the convolution layers: outputs [T, N, 3H]."""
    outputs = graph.node("Gather", graph.weight("embedding.weight"), graph.time_first)
    for depth in range(config.layers):
        inputs = graph.node("Transpose", graph.only_real(outputs), {"perm": [1, 2, 0]})
        scores = []
        for i in range(3):
            weight = graph.weight(f"encoder.layers.{depth}.weights.{i}")
            width = graph.given[weight].shape[2]
            scores.append(graph.node("Conv", inputs, weight, {"pads": [(width - 1) // 2, width // 2]}))
        bias = graph.constant(graph.given[f"encoder.layers.{depth}.bias"][:, None], np.float32)
        together = graph.node("Add", graph.node("Concat", *scores, {"axis": 1}), bias)
        outputs = graph.node("Transpose", graph.node("Relu", together), {"perm": [2, 0, 1]})
    return outputs


def count_cell(graph: Graph, config: ModelConfig) -> str:
    """Add the one step of a cell over word counts, from a state of zeros: [N, H]."""
    first = graph.constant(2)
    words = graph.node("Max", graph.node("Sub", graph.time_first, first), graph.constant(0))
    weighed = graph.node("Gather", graph.weight("embedding.weight"), words)
    known = graph.node(
        "Unsqueeze", graph.node("Less", graph.constant(1), graph.time_first), graph.constant([2])
    )
    zero = graph.constant(0, np.float32)
    counted = graph.summed(graph.only_real(graph.node("Where", known, weighed, zero)))
    of_input, of_hidden = (graph.given[f"encoder.bias_{side}"] for side in ("input", "hidden"))
    parts = len(_ORDER[config.encoder])
    both = of_input + of_hidden
    if config.encoder == "gru":  # the new gate's recurrent bias is reset apart
        both[2 * config.hidden_size :] = of_input[2 * config.hidden_size :]
    sums = graph.node("Add", counted, graph.constant(both, np.float32))
    bounds = [graph.constant([i * config.hidden_size]) for i in range(parts + 1)]
    axis = graph.constant([1])
    gates = [graph.node("Slice", sums, bounds[i], bounds[i + 1], axis) for i in range(parts)]
    if config.encoder == "rnn":
        return graph.node("Tanh", sums)
    if config.encoder == "lstm":
        cell = graph.node("Mul", graph.node("Sigmoid", gates[0]), graph.node("Tanh", gates[2]))
        return graph.node("Mul", graph.node("Sigmoid", gates[3]), graph.node("Tanh", cell))
    reset, update = graph.node("Sigmoid", gates[0]), graph.node("Sigmoid", gates[1])
    recurrent = graph.constant(of_hidden[2 * config.hidden_size :], np.float32)
    new = graph.node("Tanh", graph.node("Add", gates[2], graph.node("Mul", reset, recurrent)))
    return graph.node("Mul", graph.node("Sub", graph.constant(1, np.float32), update), new)


def ngram_scores(graph: Graph, width: int) -> str:
    """Add the scores of the n-grams: [N, width], or [N, 1] with which zeros of the first class go."""
    weighed = graph.node("Gather", graph.weight("ngrams.weight"), "feature_ids")
    values = graph.node("Unsqueeze", "feature_values", graph.constant([1]))
    # A text's are the sum up to its end less that up to its start, in float64. ScatterND, which adds, loses
    # what two of the runtime's threads add to one text.
    added = graph.node("Cast", graph.node("Mul", weighed, values), {"to": graph.onnx.TensorProto.DOUBLE})
    behind = graph.node("Pad", added, graph.constant([0, 0, 1, 0]))
    before = graph.node("CumSum", behind, graph.constant(0), {"exclusive": 1})
    at = graph.node("Gather", before, "feature_offsets")
    first, second, last = graph.constant([0]), graph.constant([1]), graph.constant([2**62])
    ends = graph.node("Slice", at, second, last, first)
    starts = graph.node("Slice", at, first, graph.constant([-1]), first)
    summed = graph.node("Cast", graph.node("Sub", ends, starts), {"to": graph.onnx.TensorProto.FLOAT})
    bias = graph.weight("ngrams.bias")
    scores = graph.node("Add", summed, bias)
    if graph.given["ngrams.bias"].shape[0] == width:
        return scores
    return graph.node("Pad", scores, graph.constant([0, 1, 0, 0]))


def _last(graph: Graph, outputs: str, bidirectional: bool) -> str:
    at_end = _last_position(graph, outputs, bidirectional)
    if not bidirectional:
        return at_end
    at_start = graph.node("Gather", outputs, graph.constant(0), {"axis": 0})
    width = graph.node("Shape", at_end, {"start": 1})
    half, axis = graph.node("Div", width, graph.constant([2])), graph.constant([1])
    ahead = graph.node("Slice", at_end, graph.constant([0]), half, axis)
    behind = graph.zero_where_empty(graph.node("Slice", at_start, half, width, axis))
    return graph.node("Concat", ahead, behind, {"axis": 1})


def _last_position(graph: Graph, outputs: str, bidirectional: bool) -> str:
    one = graph.constant(1)
    position = graph.node("Max", graph.node("Sub", "lengths", one), graph.constant([0]))
    return graph.zero_where_empty(graph.at(outputs, position))


def _total(graph: Graph, outputs: str, bidirectional: bool) -> str:
    return graph.summed(graph.only_real(outputs))


def _mean(graph: Graph, outputs: str, bidirectional: bool) -> str:
    tokens = graph.node("Unsqueeze", graph.node("Max", "lengths", graph.constant([1])), graph.constant([1]))
    count = graph.node("Cast", tokens, {"to": graph.onnx.TensorProto.FLOAT})
    return graph.node("Div", _total(graph, outputs, bidirectional), count)


def _maximum(graph: Graph, outputs: str, bidirectional: bool) -> str:
    masked = graph.only_real(outputs, float(_MINUS_INFINITY))
    return graph.zero_where_empty(graph.node("ReduceMax", masked, {"axes": [0], "keepdims": 0}))


def _mean_max(graph: Graph, outputs: str, bidirectional: bool) -> str:
    both = [pool(graph, outputs, bidirectional) for pool in (_mean, _maximum)]
    return graph.node("Concat", *both, {"axis": 1})


def _attention(graph: Graph, outputs: str, bidirectional: bool) -> str:
    relevant = graph.node("Relu", outputs)
    for layer in ("hidden", "score"):
        weight = graph.constant(graph.given[f"pooling.{layer}.weight"].T, np.float32)
        product = graph.node("MatMul", relevant, weight)
        relevant = graph.node("Add", product, graph.weight(f"pooling.{layer}.bias"))
        relevant = graph.node("Relu", relevant) if layer == "hidden" else relevant
    weights = graph.node("Softmax", graph.only_real(relevant, float(_MINUS_INFINITY)), {"axis": 0})
    return graph.summed(graph.node("Mul", weights, graph.only_real(outputs)))


POOLINGS: dict[str, Callable[[Graph, str, bool], str]] = {
    "last": _last,
    "last-position": _last_position,
    "sum": _total,
    "mean": _mean,
    "max": _maximum,
    "mean-max": _mean_max,
    "attention": _attention,
}

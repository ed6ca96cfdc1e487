"""A trained network as an ONNX graph, for ONNX Runtime in place of torch, written node by node.

Inputs: token_ids int64 [N, T], lengths int64 [N]; output: logits float32 [N, C] (a sigmoid's [N, 1]), for any
N and T. The recurrent nodes honour `sequence_lens`, and the poolings read real positions only, as the network
does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .bundle import ModelBundle
from .config import ModelConfig
from .data.tokens import TokenStore
from .errors import ConfigError
from .inference import answer, decide_labels, onnx_forward, to_probabilities, torch_forward

OPSET = 17
# The gates of torch's stacked weights in the order in which ONNX stacks them.
_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
_MINUS_INFINITY = np.float32(np.finfo(np.float32).min)
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Check:
    """A graph beside torch on the same texts: the largest difference of a logit, the labels that differ."""

    texts: int
    largest_difference: float
    other_labels: int


def export_onnx(bundle: ModelBundle, weights: str = "fp32") -> bytes:
    """Return the network of `bundle` as an ONNX graph. Raises ConfigError without the extra `onnx`.

    weights: "fp32"; or "int8", stored in 8 bits with a scale for each row, and computed with in fp32, so
    that a text's neighbours cannot change its answer (scales of a whole batch's activations would).
    """
    config = bundle.configuration.model
    graph = _Graph(bundle.weights, weights)
    if config.inputs == "counts":
        pooled = _count_cell(graph, config)
    else:
        is_recurrent = config.encoder != "convolution"
        outputs = (_recurrences if is_recurrent else _convolutions)(graph, config)
        pooled = _POOLINGS[config.pooling](graph, outputs, is_recurrent and config.bidirectional)
    graph.node("Gemm", pooled, graph.weight("head.weight"), graph.weight("head.bias"), {"transB": 1})
    return graph.finish(1 if config.head == "sigmoid" else len(bundle.label_names))


def check(bundle: ModelBundle, graph: bytes, texts: Sequence[str]) -> Check:
    """Return how far the graph's logits lie from torch's on `texts`, and how many labels differ."""
    store = TokenStore(*bundle.indexer.index(texts)[:2])
    ours = answer(store, bundle.configuration.text, torch_forward(bundle.network))
    theirs = answer(store, bundle.configuration.text, onnx_forward(graph))
    labels = [
        decide_labels(bundle, to_probabilities(logits, bundle.is_multilabel)) for logits in (ours, theirs)
    ]
    same = labels[0] == labels[1]
    other = int((~(same.all(1) if bundle.is_multilabel else same)).sum())
    return Check(len(texts), float(np.abs(ours - theirs).max(initial=0.0)), other)


class _Graph:
    """Nodes and weights as they are added; each method returns the name of what it adds."""

    def __init__(self, given: Mapping[str, Array], weights: str) -> None:
        try:
            import onnx
        except ImportError:
            raise ConfigError("ONNX is not installed; pip install 'yeoun[onnx]'") from None
        self.onnx: Any = onnx
        self.given = given
        self.weights = weights
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = {}

    def node(self, kind: str, *inputs: str | dict[str, Any]) -> str:
        """Add a node; of its inputs a dict at the end holds its attributes."""
        names = [name for name in inputs if isinstance(name, str)]
        attributes = next((each for each in inputs if isinstance(each, dict)), {})
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, names, [name], **attributes))
        return name

    def constant(self, value: Any, kind: Any = np.int64) -> str:
        """Add a constant array."""
        name = f"constant_{len(self.arrays)}"
        self.arrays[name] = np.array(value, kind)
        return name

    def weight(self, name: str) -> str:
        """Add one of the network's weights under its own name."""
        self.arrays[name] = self.given[name]
        return name

    @cached_property
    def time_first(self) -> str:
        """The token ids [T, N]."""
        return self.node("Transpose", "token_ids", {"perm": [1, 0]})

    @cached_property
    def real(self) -> str:
        """Where a position is a token: bool [T, N, 1]."""
        steps = self.node("Gather", self.node("Shape", "token_ids"), self.constant(1))
        time = self.node("Range", self.constant(0), steps, self.constant(1))
        before = self.node("Less", self.node("Unsqueeze", time, self.constant([1])), "lengths")
        return self.node("Unsqueeze", before, self.constant([2]))

    @cached_property
    def has_tokens(self) -> str:
        """Whether a row has a token at all: bool [N, 1]."""
        return self.node("Greater", self.node("Unsqueeze", "lengths", self.constant([1])), self.constant(0))

    def zero_where_empty(self, pooled: str) -> str:
        return self.node("Where", self.has_tokens, pooled, self.constant(0, np.float32))

    def only_real(self, outputs: str, instead: float = 0.0) -> str:
        return self.node("Where", self.real, outputs, self.constant(instead, np.float32))

    def summed(self, outputs: str) -> str:
        return self.node("ReduceSum", outputs, self.constant([0]), {"keepdims": 0})

    def at(self, outputs: str, position: str) -> str:
        """The outputs [N, D] at a position [N] of each row."""
        rows = self.node("Range", self.constant(0), self.node("Size", "lengths"), self.constant(1))
        both = [self.node("Unsqueeze", each, self.constant([1])) for each in (position, rows)]
        return self.node("GatherND", outputs, self.node("Concat", *both, {"axis": 1}))

    def finish(self, width: int) -> bytes:
        """Return the graph whose last node is the logits [N, width]."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        self.nodes[-1].output[0] = "logits"
        inputs = [
            helper.make_tensor_value_info("token_ids", types.INT64, ["N", "T"]),
            helper.make_tensor_value_info("lengths", types.INT64, ["N"]),
        ]
        outputs = [helper.make_tensor_value_info("logits", types.FLOAT, ["N", width])]
        nodes: list[Any] = []
        stored: dict[str, Array] = {}
        for name, array in self.arrays.items():
            if self.weights == "int8" and array.dtype == np.float32 and array.ndim > 1:
                axis = array.ndim - 2
                rest = tuple(i for i in range(array.ndim) if i != axis)
                scale = np.abs(array).max(rest).clip(1e-12) / 127
                shape = [-1 if i == axis else 1 for i in range(array.ndim)]
                stored[f"{name}.int8"] = np.round(array / scale.reshape(shape)).astype(np.int8)
                stored[f"{name}.scale"] = scale.astype(np.float32)
                given = [f"{name}.int8", f"{name}.scale"]
                nodes.append(helper.make_node("DequantizeLinear", given, [name], axis=axis))
            else:
                stored[name] = array
        arrays = [
            self.onnx.numpy_helper.from_array(np.array(array, order="C"), name)
            for name, array in stored.items()
        ]
        graph = helper.make_graph(nodes + self.nodes, "yeoun", inputs, outputs, arrays)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _recurrences(graph: _Graph, config: ModelConfig) -> str:
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


def _ordered(graph: _Graph, name: str, encoder: str) -> Array:
    parts = np.split(graph.given[name], len(_ORDER[encoder]))
    return np.concatenate([parts[i] for i in _ORDER[encoder]])


def _convolutions(graph: _Graph, config: ModelConfig) -> str:
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


def _count_cell(graph: _Graph, config: ModelConfig) -> str:
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


def _last(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    at_end = _last_position(graph, outputs, bidirectional)
    if not bidirectional:
        return at_end
    at_start = graph.node("Gather", outputs, graph.constant(0), {"axis": 0})
    width = graph.node("Shape", at_end, {"start": 1})
    half, axis = graph.node("Div", width, graph.constant([2])), graph.constant([1])
    ahead = graph.node("Slice", at_end, graph.constant([0]), half, axis)
    behind = graph.zero_where_empty(graph.node("Slice", at_start, half, width, axis))
    return graph.node("Concat", ahead, behind, {"axis": 1})


def _last_position(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    one = graph.constant(1)
    position = graph.node("Max", graph.node("Sub", "lengths", one), graph.constant([0]))
    return graph.zero_where_empty(graph.at(outputs, position))


def _total(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    return graph.summed(graph.only_real(outputs))


def _mean(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    tokens = graph.node("Unsqueeze", graph.node("Max", "lengths", graph.constant([1])), graph.constant([1]))
    count = graph.node("Cast", tokens, {"to": graph.onnx.TensorProto.FLOAT})
    return graph.node("Div", _total(graph, outputs, bidirectional), count)


def _maximum(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    masked = graph.only_real(outputs, float(_MINUS_INFINITY))
    return graph.zero_where_empty(graph.node("ReduceMax", masked, {"axes": [0], "keepdims": 0}))


def _mean_max(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    both = [pool(graph, outputs, bidirectional) for pool in (_mean, _maximum)]
    return graph.node("Concat", *both, {"axis": 1})


def _attention(graph: _Graph, outputs: str, bidirectional: bool) -> str:
    relevant = graph.node("Relu", outputs)
    for layer in ("hidden", "score"):
        weight = graph.constant(graph.given[f"pooling.{layer}.weight"].T, np.float32)
        product = graph.node("MatMul", relevant, weight)
        relevant = graph.node("Add", product, graph.weight(f"pooling.{layer}.bias"))
        relevant = graph.node("Relu", relevant) if layer == "hidden" else relevant
    weights = graph.node("Softmax", graph.only_real(relevant, float(_MINUS_INFINITY)), {"axis": 0})
    return graph.summed(graph.node("Mul", weights, graph.only_real(outputs)))


_POOLINGS: dict[str, Callable[[_Graph, str, bool], str]] = {
    "last": _last,
    "last-position": _last_position,
    "sum": _total,
    "mean": _mean,
    "max": _maximum,
    "mean-max": _mean_max,
    "attention": _attention,
}

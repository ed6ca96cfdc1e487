"""An ONNX graph that grows node by node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

OPSET = 17
Array = npt.NDArray[Any]


class Graph:
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
        if "ngrams.weight" in self.arrays:
            inputs += [
                helper.make_tensor_value_info("feature_ids", types.INT64, ["F"]),
                helper.make_tensor_value_info("feature_values", types.FLOAT, ["F"]),
                helper.make_tensor_value_info("feature_offsets", types.INT64, ["N + 1"]),
            ]
        outputs = [helper.make_tensor_value_info("logits", types.FLOAT, ["N", width])]
        nodes: list[Any] = []
        stored: dict[str, Array] = {}
        for name, array in self.arrays.items():
            if self.weights == "int8" and name == "ngrams.weight":
                # In 16 bits: its rows are too short for a scale each.
                stored[f"{name}.half"] = array.astype(np.float16)
                nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=types.FLOAT))
            elif self.weights == "int8" and array.dtype == np.float32 and array.ndim > 1:
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

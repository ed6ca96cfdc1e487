"""Explanation: what every method returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

States = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TokenScore:
    """A token's share in the answer; `text == whole[start:end]`, offsets in code points."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class LayerTrace:
    """What one direction of one recurrent layer computed at each token, in the order of the text.

    layer: from 1. direction: forward or backward. gates: by name, each float32 [tokens, H], as `nn.cells`
    writes them (an RNN has none). cell: an LSTM's cell state [tokens, H], else None. hidden: [tokens, H].
    """

    layer: int
    direction: str
    gates: dict[str, States]
    cell: States | None
    hidden: States

    def only(self, tokens: slice) -> LayerTrace:
        """Return the trace of these tokens."""
        return LayerTrace(
            self.layer,
            self.direction,
            {name: gate[tokens] for name, gate in self.gates.items()},
            None if self.cell is None else self.cell[tokens],
            self.hidden[tokens],
        )

    def arrays(self) -> dict[str, States]:
        """Return gates and states by name, in the order in which they are computed."""
        cell = {} if self.cell is None else {"cell state": self.cell}
        return {**{f"{name} gate": gate for name, gate in self.gates.items()}, **cell, "hidden": self.hidden}


@dataclass(frozen=True)
class Explanation:
    """The answer to one text and a score for each of its tokens.

    gap: the part of the logit difference that the scores miss, as a fraction; None where the method
    has none (attention weights are no part of a logit). layers: what the layers computed, by `gates`.
    """

    label: str
    probability: float
    method: str
    tokens: tuple[TokenScore, ...]
    gap: float | None
    layers: tuple[LayerTrace, ...] = ()

    def only_layer(self, layer: int | None) -> Explanation:
        """Return the explanation with the traces of this layer (from 1), or of the last without one. Raises
        ConfigError for one that is not there."""
        there = sorted({trace.layer for trace in self.layers})
        chosen = layer or there[-1]
        if chosen not in there:
            raise ConfigError(f"layer {layer}: expected one of {', '.join(map(str, there))}")
        return replace(self, layers=tuple(trace for trace in self.layers if trace.layer == chosen))

    def as_dict(self) -> dict[str, Any]:
        """Return what `explain --json` prints: of the layers in here the `gates` and states by name, with the
        direction in front where there are two, each [tokens][units]."""
        plain = {name: value for name, value in asdict(replace(self, layers=())).items() if name != "layers"}
        is_two_way = len({trace.direction for trace in self.layers}) > 1
        gates = {
            f"{trace.direction} {name}" if is_two_way else name: np.round(values, 5).tolist()
            for trace in self.layers
            for name, values in trace.arrays().items()
        }
        return {**plain, **({"gates": gates} if gates else {})}

"""Explanation: what every method returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

States = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TokenScore:
    """A token's share in the answer; `text == whole[start:end]`, offsets in code points.

    ngrams: the part of the score that comes from n-grams, the rest being of the recurrent half; None where
    the method, or the model, has none.
    """

    text: str
    start: int
    end: int
    score: float
    ngrams: float | None = None


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

    def only(self, tokens: slice | npt.NDArray[np.int64]) -> LayerTrace:
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
class Scored:
    """What a method finds: what each half gives each piece of a text, float64 [pieces].

    ngrams: None where the method, or the model, has none. gap, layers: as in Explanation.
    """

    recurrent: Scores
    ngrams: Scores | None = None
    gap: float | None = None
    layers: tuple[LayerTrace, ...] = ()

    @property
    def scores(self) -> Scores:
        """What both halves together give each piece."""
        return self.recurrent if self.ngrams is None else self.recurrent + self.ngrams


def relative_gap(found: float, expected: float) -> float:
    """Return the part of `expected` that `found` misses."""
    return abs(found - expected) / max(1e-6, abs(expected))


@dataclass(frozen=True)
class Explanation:
    """The answer to one text and a score for each of its tokens, in logits of the label.

    With n-grams there are also scores of what they alone read: what was cut off, or is of no token. gap: the
    part of the logit difference between the text and a neutral one that the scores miss, as a fraction; None
    where the method has none (attention weights are no part of a logit). layers: what the layers computed, by
    `gates`. text: the whole text as typed.
    """

    label: str
    probability: float
    method: str
    tokens: tuple[TokenScore, ...]
    gap: float | None
    layers: tuple[LayerTrace, ...] = ()
    text: str = ""

    @property
    def halves(self) -> dict[str, float]:
        """What the recurrent half and the n-grams add to the logit; empty where there is one half."""
        if not self.tokens or self.tokens[0].ngrams is None:
            return {}
        ngrams = sum(token.ngrams or 0.0 for token in self.tokens)
        return {"recurrent": sum(token.score for token in self.tokens) - ngrams, "ngrams": ngrams}

    def only_layer(self, layer: int | None) -> Explanation:
        """Return the explanation with the traces of this layer (from 1), or of the last without one. Raises
        ConfigError for one that is not there."""
        there = sorted({trace.layer for trace in self.layers})
        chosen = layer or there[-1]
        if chosen not in there:
            raise ConfigError(f"layer {layer}: expected one of {', '.join(map(str, there))}")
        return replace(self, layers=tuple(trace for trace in self.layers if trace.layer == chosen))

    def as_dict(self) -> dict[str, Any]:
        """Return what `explain --json` prints: with n-grams the `halves`; of the layers in here the `gates`
        and states by name, with the direction in front where there are two, each [tokens][units]."""
        tokens = [{k: v for k, v in asdict(token).items() if v is not None} for token in self.tokens]
        plain = {
            "label": self.label,
            "probability": self.probability,
            "method": self.method,
            "tokens": tokens,
            "gap": self.gap,
            **({"halves": self.halves} if self.halves else {}),
        }
        is_two_way = len({trace.direction for trace in self.layers}) > 1
        gates = {
            f"{trace.direction} {name}" if is_two_way else name: np.round(values, 5).tolist()
            for trace in self.layers
            for name, values in trace.arrays().items()
        }
        return {**plain, **({"gates": gates} if gates else {})}

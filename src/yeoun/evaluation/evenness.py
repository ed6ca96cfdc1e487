"""A temperature of each text's own.

The scores of a short or odd text are all weak, since little in it is known, and with one temperature for all
texts it would seem more doubtful than it is. So the logits of more than two classes are divided by a power of
their own spread: a simple adaptive temperature (after Balanya et al. 2024). A share of each answer is then
given at twice the temperature (as in ensemble temperature scaling, Zhang et al. 2020): rows to come are less
like the training rows than those that were held out of them, and the surest answers are wrong more often than
one temperature can say. Neither changes a label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_LEAST = (
    0.3  # of the typical spread; in a text with less hardly anything is known, and that is not to be hidden
)


@dataclass(frozen=True)
class Evenness:
    """Logits are multiplied by (`typical` / their own spread) to the `power`; with 0 they stay what they are.
    A spread below 0.3 of `typical` counts as that.

    A row's spread is the root mean square of its logits around their mean; `typical` is that of many rows.
    `doubt` is the share of the probabilities that is given at twice the temperature.
    """

    power: float = 0.0
    typical: float = 1.0
    doubt: float = 0.0

    def even_out(self, logits: Floats) -> Floats:
        """Return the logits [rows, C], each row scaled by a number above 0."""
        if not self.power or not logits.size:
            return logits
        spreads = spread(logits).clip(_LEAST * self.typical)
        return np.asarray(logits * (self.typical / spreads) ** self.power, logits.dtype)

    def probabilities(self, logits: Floats) -> Floats:
        """Return the probabilities [rows, C] of the logits [rows, C]; each row's sum to 1."""
        evened, doubt = self.even_out(logits), np.float32(self.doubt)
        if not doubt:
            return _softmax(evened)
        return np.asarray((1 - doubt) * _softmax(evened) + doubt * _softmax(evened / np.float32(2)))


EVEN = Evenness()  # as they are


def spread(logits: Floats) -> Floats:
    """Return the root mean square of each row's logits [rows, C] around their mean, [rows, 1]."""
    return np.asarray(logits.std(1, keepdims=True))


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))

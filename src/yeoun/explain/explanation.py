"""Explanation: what every method returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TokenScore:
    """A token's share in the answer; `text == whole[start:end]`, offsets in code points."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Explanation:
    """The answer to one text and a score for each of its tokens.

    gap: the part of the logit difference that the scores miss, as a fraction; None where the method
    has none (attention weights are no part of a logit).
    """

    label: str
    probability: float
    method: str
    tokens: tuple[TokenScore, ...]
    gap: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return what `explain --json` prints."""
        return asdict(self)

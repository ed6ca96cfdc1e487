"""Why a text got its label: one score a token, as plain data."""

from __future__ import annotations

from collections.abc import Callable

from ..bundle import ModelBundle
from ..errors import ConfigError
from .attention import explain_by_attention
from .explanation import Explanation
from .gates import explain_by_gates

__all__ = ["EXPLAINERS", "Explanation", "explain"]

EXPLAINERS: dict[str, Callable[[ModelBundle, str], Explanation]] = {
    "attention": explain_by_attention,
    "gates": explain_by_gates,
}


def explain(bundle: ModelBundle, text: str, method: str = "attention") -> Explanation:
    """Return the explanation of `text` by `method`: of the recurrent half, where the model has n-grams, too.

    Raises ConfigError for an unknown method, or one that the model's network does not allow.
    """
    if method not in EXPLAINERS:
        raise ConfigError(f"unknown method {method!r}; expected one of {', '.join(EXPLAINERS)}")
    return EXPLAINERS[method](bundle, text)

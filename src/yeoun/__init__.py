"""Yeoun: recurrent text classifiers for which padding never changes an answer.

Importing the package imports nothing heavy; each public name loads what it needs when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .estimator import Model, RecurrentTextClassifier, load

__all__ = ["Model", "RecurrentTextClassifier", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".estimator", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

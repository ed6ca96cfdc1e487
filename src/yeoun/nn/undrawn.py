"""Networks made without weights, for those that get them from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_DRAWING = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)


class Undrawn(TorchFunctionMode):
    """Within it nobody's random numbers are drawn; use it on the device `meta`, where tensors are empty.

    There torch would draw nothing either, but first import its symbolic algebra: a second, more than all else
    that a loaded model takes.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if function in _DRAWING:
            return args[0] if args else given["tensor"]
        return function(*args, **given)

"""A batch's rows read side by side on a CPU, each shard of them on a thread of its own.

At each step of a text a recurrent kernel multiplies matrices too small to be worth dividing among threads, so
the rows are divided instead, and each shard goes through all steps by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import Function

SMALLEST = 16  # rows in a shard; with fewer a kernel wastes more than another thread gains
Kernel = Callable[[Tensor, list[Tensor]], Tensor]
T = TypeVar("T")


def in_shards(kernel: Kernel, inputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Return `kernel(inputs, weights)` [T, N, H] of `inputs` [T, N, E] with the N rows divided among threads.

    The kernel treats each row by itself; it gets the `weights` (fp32) in the dtype of `inputs`. Gradients of
    the weights are summed in fp32 and in the order of the shards, so that they are the same each time.
    """
    shards = min(torch.get_num_threads(), inputs.shape[1] // SMALLEST)
    if inputs.device.type != "cpu" or shards < 2:
        return kernel(inputs, [weight.to(inputs.dtype) for weight in weights])
    if torch.is_grad_enabled():
        outputs: Tensor = _Shards.apply(kernel, shards, inputs, *weights)  # type: ignore[no-untyped-call]
        return outputs
    cast = [weight.to(inputs.dtype) for weight in weights]
    return torch.cat(_at_once(lambda rows: kernel(rows, cast), _divide(inputs, shards)), dim=1)


class _Shards(Function):
    """Each shard keeps a graph of its own, so that the way back is divided too."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, shards: int, inputs: Tensor, *weights: Tensor) -> Tensor:
        cast = [weight.to(inputs.dtype) for weight in weights]
        needed = ctx.needs_input_grad[2:]

        def read(rows: Tensor) -> tuple[list[Tensor], Tensor]:
            leaves = [
                leaf.detach().requires_grad_(need) for leaf, need in zip([rows, *cast], needed, strict=True)
            ]
            with torch.enable_grad():
                return leaves, kernel(leaves[0], leaves[1:])

        ctx.read = _at_once(read, _divide(inputs, shards))
        return torch.cat([outputs.detach() for _, outputs in ctx.read], dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[2:]

        def read_back(part: tuple[tuple[list[Tensor], Tensor], Tensor]) -> list[Tensor | None]:
            (leaves, outputs), rows = part
            wanted = [leaf for leaf in leaves if leaf.requires_grad]
            found = iter(torch.autograd.grad(outputs, wanted, rows))
            return [next(found) if need else None for need in needed]

        parts = list(zip(ctx.read, _divide(gradient, len(ctx.read)), strict=True))
        del ctx.read
        of_inputs, *of_weights = zip(*_at_once(read_back, parts), strict=True)
        whole = torch.cat(of_inputs, dim=1) if needed[0] else None
        summed = [
            sum(each.float() for each in shards) if shards[0] is not None else None for shards in of_weights
        ]
        return None, None, whole, *summed


def _divide(rows: Tensor, shards: int) -> list[Tensor]:
    return [part.contiguous() for part in rows.chunk(shards, dim=1)]


def _at_once(work: Callable[[Any], T], parts: Sequence[Any]) -> list[T]:
    """Return the work on each part, all of them at the same time, each on one thread."""
    threads, records, infers = (
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )

    def alone(part: Any) -> T:
        torch.set_num_threads(1)
        with torch.inference_mode(infers), torch.set_grad_enabled(records):
            return work(part)

    try:
        return list(_pool(os.getpid(), threads).map(alone, parts))
    finally:
        torch.set_num_threads(threads)  # a thread's own number is also what new threads start with


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of this process; those of a parent are not there after a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="yeoun-shard")

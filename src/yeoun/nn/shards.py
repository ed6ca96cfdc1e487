"""A batch's rows read side by side on a CPU, each shard of them on a thread of its own.

At each step of a text a recurrent kernel multiplies matrices too small to be worth dividing among threads, so
the rows are divided instead, and each shard goes through all steps by itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.autograd.function import Function, once_differentiable

SMALLEST = 8  # rows in a shard; with fewer a kernel wastes more than another thread gains
Read = Callable[[Tensor, Tensor], Tensor]
T = TypeVar("T")


class _Thread(threading.local):
    """What a thread knows: how many cores its shards may take where torch itself is kept to one thread, and
    where a shard's random numbers come from."""

    cores: int | None = None
    generator: Generator | None = None


_here = _Thread()


@contextmanager
def cores_for_shards() -> Iterator[None]:
    """Keep torch to one thread but for the shards, which get the others. Else torch's threads wait awake
    between its operations, on the cores that the shards need."""
    before, threads = _here.cores, torch.get_num_threads()
    _here.cores = before or threads
    _compute_alone()
    try:
        yield
    finally:
        _here.cores = before
        torch.set_num_threads(threads)


def shared_cores() -> int:
    """Return how many threads may work at once."""
    return _here.cores or torch.get_num_threads()


def randomness() -> Generator | None:
    """Return where the random numbers of this shard come from, None outside shards: torch's own source."""
    return _here.generator


def by_rows(read: Read, inputs: Tensor, lengths: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """Return `read(inputs, lengths)` [N, D] of `inputs` [T, N, E] and `lengths` [N], the rows divided.

    `read` treats each row by itself. Its parameters, which are asked for only where they may learn, get the
    sum of their gradients in the order of the shards, so that it is the same each time.
    """
    cores = shared_cores()
    shards = min(cores, inputs.shape[1] // SMALLEST)
    if inputs.device.type != "cpu" or shards < 2:
        return read(inputs, lengths)
    if torch.is_grad_enabled():
        outputs: Tensor = _Shards.apply(read, cores, shards, inputs, lengths, *parameters)  # type: ignore[no-untyped-call]
        return outputs
    parts = zip(inputs.tensor_split(shards, dim=1), lengths.tensor_split(shards), strict=True)
    return torch.cat(at_once(cores, lambda part: read(*part), list(parts)))


class _Shards(Function):
    """Each shard keeps a graph of its own, so that the way back is divided too."""

    @staticmethod
    def forward(
        ctx: Any,
        read: Read,
        cores: int,
        shards: int,
        inputs: Tensor,
        lengths: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        needed = ctx.needs_input_grad[3]

        def begin(part: tuple[Tensor, Tensor, int]) -> tuple[Tensor, Tensor]:
            rows, steps, seed = part
            _here.generator = Generator().manual_seed(seed)
            with torch.enable_grad():
                rows = rows.detach().contiguous().requires_grad_(needed)
                return rows, read(rows, steps)

        seeds = torch.randint(2**62, (shards,)).tolist()
        parts = zip(inputs.tensor_split(shards, 1), lengths.tensor_split(shards), seeds, strict=True)
        ctx.cores, ctx.parameters = cores, parameters
        ctx.shards = at_once(cores, begin, list(parts))
        return torch.cat([outputs.detach() for _, outputs in ctx.shards])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        needed = [ctx.needs_input_grad[3], *ctx.needs_input_grad[5:]]
        shards, ctx.shards = ctx.shards, None
        if shards is None:
            raise RuntimeError("the way back through shards can be gone once; compute the outputs anew")

        def finish(part: tuple[tuple[Tensor, Tensor], Tensor]) -> list[Tensor | None]:
            (rows, outputs), its_gradient = part
            leaves = zip([rows, *ctx.parameters], needed, strict=True)
            found = iter(torch.autograd.grad(outputs, [leaf for leaf, need in leaves if need], its_gradient))
            return [next(found) if need else None for need in needed]

        parts = list(zip(shards, gradient.tensor_split(len(shards)), strict=True))
        of_rows, *of_parameters = zip(*at_once(ctx.cores, finish, parts), strict=True)
        whole = torch.cat(of_rows, dim=1) if needed[0] else None
        summed = (sum(each) if each[0] is not None else None for each in of_parameters)
        return None, None, None, whole, None, *summed


def at_once(cores: int, work: Callable[[Any], T], parts: Sequence[Any]) -> list[T]:
    """Return the work on each part, in their order; the parts side by side, each on one thread."""
    if cores < 2:
        return [work(part) for part in parts]
    records, infers = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def alone(part: Any) -> T:
        _here.generator = None
        with torch.inference_mode(infers), torch.set_grad_enabled(records):
            return work(part)

    return list(_pool(os.getpid(), cores).map(alone, parts))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of this process, each of which computes alone; after a fork they are others."""
    return ThreadPoolExecutor(threads, "yeoun-shard", _compute_alone)


def _compute_alone() -> None:
    """Have torch compute on this thread alone. New threads take over what a thread asked for last, so another
    one asks for what it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    asking = threading.Thread(target=torch.set_num_threads, args=(threads,))
    asking.start()
    asking.join()

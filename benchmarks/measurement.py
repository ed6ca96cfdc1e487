"""What the timings share: an even sample, and ways to do the same thing timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import numpy.typing as npt

ROUNDS = 5
Way = Callable[[], object]


def in_turns(ways: Mapping[str, Way], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return the seconds of each way in each round, after a round that does not count.

    In turns, so that whatever slows the machine for a while meets all of them alike.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for counted in [False] + [True] * rounds:
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds = time.perf_counter() - started
            print(f"{name}: {seconds:.3f} s{'' if counted else ' (to warm up)'}", flush=True)
            if counted:
                taken[name].append(seconds)
    return taken


def spread(seconds: list[float], steps: int = 1) -> dict[str, float]:
    """Return the median, the fastest and the slowest, in seconds for one of so many steps."""
    figures = {"seconds": median(seconds), "fastest": min(seconds), "slowest": max(seconds)}
    return {name: figure / steps for name, figure in figures.items()}


def times(seconds: list[float], reference: list[float]) -> float:
    """Return how many times the reference's seconds these are, the median over the rounds."""
    return median(a / b for a, b in zip(seconds, reference, strict=True))


def evenly(count: int, total: int) -> npt.NDArray[np.int64]:
    """Return `count` of `total` positions, each from the middle of one of as many equal parts."""
    count = min(count, total)
    return (2 * np.arange(count) + 1) * total // (2 * count)

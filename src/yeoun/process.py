"""What is asked of the process that all runs in. The first two are for programs, not for libraries."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys


def prepare_process() -> None:
    """Have this process start, wait and end quickly. Before anything heavy is imported."""
    # Threads that wait for each other awake take the cores from whoever else computes, many times over.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What is imported is no garbage: looking through it took a quarter of a second, most of it at the end.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)


def tune_process() -> None:
    """Have this process compute as fast as its machine allows. Before torch computes anything: what is
    computed stays what it was, but for numbers below 1e-38.

    Denormal numbers are taken for zero: gradients that vanish over a long text end in them, and a CPU is
    several times slower with them. Large tensors are asked for in huge pages (Linux): a third of a training
    step of long texts went into mapping small ones.
    """
    import torch

    torch.set_flush_denormal(True)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def return_memory() -> None:
    """Give memory that was freed back to the system, which the C library of Linux keeps by hundreds of
    megabytes after a vocabulary was made."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)

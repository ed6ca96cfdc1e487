"""What a run computes on, and what its bits depend on: device, precision, threads, versions."""

from __future__ import annotations

import platform
import threading
from typing import Any

import torch

from ..config import ModelConfig
from ..errors import ConfigError

RANDOM_NUMBERS = threading.RLock()  # torch has one source of them, so models are trained one after another


def resolve_device(device: str) -> str:
    """Return the device to train on. Raises ConfigError for one that is not there."""
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there.get(device):
        have = ", ".join(name for name, is_there in there.items() if is_there)
        raise ConfigError(f"device {device!r}: not on this machine; expected one of auto, {have}")
    return device


def resolve_precision(precision: str, device: str, model: ModelConfig) -> str:
    """Return "fp32" or "bf16": `auto` is bf16 for an LSTM on a CPU with bf16 arithmetic."""
    if precision not in ("auto", "fp32", "bf16"):
        raise ConfigError(f"precision {precision!r}: expected auto, fp32 or bf16")
    if precision != "auto":
        return precision
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    has_bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    is_fused = model.encoder == "lstm" and model.inputs == "embedding"
    return "bf16" if device == "cpu" and has_bf16 and is_fused else "fp32"


def conditions(seed: int, device: str, precision: str) -> dict[str, Any]:
    """Return what a run has to share with one that goes on from its state, beside its rows and settings."""
    return {
        "seed": seed,
        "precision": precision,
        "device": device,
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions and the kind of machine that bit-exactness depends on."""
    import numpy
    import scipy
    import sklearn
    import tokenizers

    from ..version import __version__

    return {
        "yeoun": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "tokenizers": tokenizers.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }

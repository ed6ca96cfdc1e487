"""How long does one short review take?

In a running process: 2,000 reviews of NSMC's test rows, one at a time, each by every model and runtime in
turn. And from nothing: `yeoun predict MODEL TEXT` as a process of its own, and what a start is made of.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from measurement import ROUNDS, Way, in_turns, spread
from models import exported
from record import record, result

from yeoun.bundle import ModelBundle
from yeoun.data.sources import read_source
from yeoun.inference import predict

TEXTS, FIRST = 2_000, 50  # measured, and before them those that warm up
RUNTIMES = ("torch", "onnx")


def main() -> None:
    if result("latency") is not None:
        return
    folders = {preset: exported(preset, "nsmc") for preset in ("fast", "balanced")}
    texts = [text for text in read_source("nsmc:test").dataset.texts if text.strip()]
    chosen = np.random.default_rng(0).permutation(len(texts))[: FIRST + TEXTS]
    texts = [texts[i] for i in chosen]
    answers = {}
    starts: dict[str, Way] = {
        "python alone": partial(python, "-c", "pass"),
        "import yeoun": partial(python, "-c", "import yeoun"),
        "yeoun --help": partial(python, "-m", "yeoun", "--help"),
    }
    for preset, folder in folders.items():
        bundle = ModelBundle.load(folder)
        starts[f"{preset}, model loaded"] = partial(load, folder)
        for runtime in RUNTIMES:
            name = f"{preset}, {runtime}"
            answers[name] = partial(predict, bundle, runtime=runtime)
            starts[f"yeoun predict, {name}"] = partial(
                python, "-m", "yeoun", "predict", folder, texts[0], "--runtime", runtime
            )
    milliseconds: dict[str, list[float]] = {name: [] for name in answers}
    for text in texts:
        for name, answer in answers.items():
            started = time.perf_counter()
            answer([text])
            milliseconds[name].append(1000 * (time.perf_counter() - started))
    record(
        "latency",
        {
            "texts": len(texts) - FIRST,
            "characters": float(np.mean([len(text) for text in texts[FIRST:]])),
            "rounds": ROUNDS,
            "milliseconds": {
                name: dict(
                    zip(("median", "percentile_99"), np.percentile(taken[FIRST:], (50, 99)), strict=True)
                )
                for name, taken in milliseconds.items()
            },
            "starts": {name: spread(seconds) for name, seconds in in_turns(starts).items()},
        },
    )


def python(*arguments: object) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def load(folder: Path) -> None:
    """Load a model and build its network."""
    _ = ModelBundle.load(folder).network


if __name__ == "__main__":
    main()

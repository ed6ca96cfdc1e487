"""How long does one short review take?

In a running process: 2,000 reviews of NSMC's test rows, one at a time, each model and runtime in a process of
its own, since the waiting threads of one runtime take the cores from another. And from nothing:
`yeoun predict MODEL TEXT`, and what a start is made of.
"""

from __future__ import annotations

import json
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
from yeoun.process import tune_process

TEXTS, FIRST = 2_000, 50  # measured, and before them those that warm up
RUNTIMES = ("torch", "onnx")


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(milliseconds_of(Path(sys.argv[1]), sys.argv[2])))
    elif result("latency") is None:
        compare()


def compare() -> None:
    folders = {preset: exported(preset, "nsmc") for preset in ("fast", "balanced")}
    texts = reviews()
    milliseconds = {}
    starts: dict[str, Way] = {
        "python alone": partial(python, "-c", "pass"),
        "import yeoun": partial(python, "-c", "import yeoun"),
        "yeoun --help": partial(python, "-m", "yeoun", "--help"),
    }
    for preset, folder in folders.items():
        starts[f"{preset}, model loaded"] = partial(load, folder)
        for runtime in RUNTIMES:
            name = f"{preset}, {runtime}"
            asked = subprocess.run(
                [sys.executable, __file__, folder, runtime], check=True, stdout=subprocess.PIPE
            )
            milliseconds[name] = json.loads(asked.stdout)
            starts[f"yeoun predict, {name}"] = partial(
                python, "-m", "yeoun", "predict", folder, texts[0], "--runtime", runtime
            )
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


def reviews() -> list[str]:
    texts = [text for text in read_source("nsmc:test").dataset.texts if text.strip()]
    chosen = np.random.default_rng(0).permutation(len(texts))[: FIRST + TEXTS]
    return [texts[i] for i in chosen]


def milliseconds_of(folder: Path, runtime: str) -> list[float]:
    """Return how long each review took."""
    tune_process()
    bundle, taken = ModelBundle.load(folder), []
    for text in reviews():
        started = time.perf_counter()
        predict(bundle, [text], runtime=runtime)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def python(*arguments: object) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def load(folder: Path) -> None:
    """Load a model and build its network."""
    _ = ModelBundle.load(folder).network


if __name__ == "__main__":
    main()

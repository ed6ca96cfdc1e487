"""What do the articles' largest systems, three layers of 768 units, reach at that size? A GPU's work.

`python benchmarks/full_size.py NAME [MINUTES]`: the run of `yeoun reproduce --full-size` with that name, one
result file in `benchmarks/results/recipes/full-size`. No epoch begins after MINUTES; how many were run stands
in the file. Nothing is kept of an interrupted run, whose state would be most of a gigabyte a minute.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from record import COMMIT, RESULTS, machine

from yeoun import runs
from yeoun.bundle import ModelBundle
from yeoun.process import tune_process
from yeoun.reproduce import reproduce
from yeoun.training import loop
from yeoun.training.fit import fit
from yeoun.training.machine import resolve_device
from yeoun.training.state import Progress, TrainingFolder

FOLDER = RESULTS / "recipes" / "full-size"


def main(name: str, minutes: float) -> None:
    tune_process()
    FOLDER.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    is_finished = loop.is_finished
    loop.is_finished = lambda run: is_finished(run) or time.monotonic() > end
    TrainingFolder.save = lambda *state: None  # type: ignore[method-assign]
    runs.fit = fit_and_stay  # type: ignore[attr-defined]
    stamp = {"commit": COMMIT, "machine": machine()}
    result = reproduce(name, 0, FOLDER, full_size=True, stamp=stamp, watch=tell)
    print(f"{name}: {result['test']['accuracy']:.4f}, {result['seconds']:.0f} s", flush=True)


def fit_and_stay(*given: Any, **named: Any) -> ModelBundle:
    """Return a model that answers where it was trained: a test part is a GPU's work, too."""
    bundle = fit(*given, **named)
    bundle.network.to(resolve_device("auto"))
    return bundle


def tell(progress: Progress) -> None:
    if progress.step == 0 and progress.history:
        print(progress.history[-1], flush=True)
    elif progress.step % 20 == 0:
        print(f"{progress.epoch} {progress.step}/{progress.steps} {progress.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1e9)

"""What do the published systems reach here, as published and repaired, beside the default preset?

The runs of `yeoun reproduce`, one result file each with the commit and the machine. Finished runs are not
run again, an interrupted one goes on; where a run of the first seed took under five minutes, two more follow.
"""

from __future__ import annotations

import sys

from record import COMMIT, RESULTS, machine

from yeoun.process import tune_process
from yeoun.reproduce import reproduce, result_of, run_names

FOLDER = RESULTS / "recipes"
SEEDS, SHORT = 3, 300


def main(names: list[str]) -> None:
    tune_process()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed in range(SEEDS):
        for name in run_names(names):
            first = result_of(FOLDER, name, 0)
            if seed == 0 or (first is not None and first["seconds"] < SHORT):
                stamp = {"commit": COMMIT, "machine": machine()}
                result = reproduce(name, seed, FOLDER, stamp=stamp)
                accuracy = (result["test"] or result["validation"])["accuracy"]
                print(f"{name} {seed}: {accuracy:.4f}, {result['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

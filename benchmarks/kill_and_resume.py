"""Does a training run that is killed at any instant end with exactly the uninterrupted run's weights?

Trains on 20,000 NSMC reviews, once without interruption, then in chains of kills: each attempt is sent
SIGKILL after a random time between nothing and the length of the whole run, then resumed, until it ends;
a new chain begins until there were 20 kills.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from record import RUNS, record

from yeoun.data.sources import read_source

KILLS = 20
SETTINGS = ("model.hidden_size=64", "train.epochs=4", "train.batch_size=32")


def command(source: Path, out: Path) -> list[str]:
    flags = [part for value in SETTINGS for part in ("--set", value)]
    return [
        *(sys.executable, "-m", "yeoun", "train", str(source), "--out", str(out)),
        *("--resume", "--seed", "5", *flags),
    ]


def digest(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def main(seed: int) -> None:
    folder = RUNS / "kill-and-resume"
    print(f"seed of the instants: {seed}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = folder / "reviews.txt"
    dataset = read_source("nsmc").dataset
    lines = [f"{t}\t{dataset.label_names[y]}" for t, y in zip(dataset.texts, dataset.targets, strict=True)]
    source.write_text("\n".join(["text\tlabel", *lines[:20000]]), encoding="utf-8")

    digests = []
    started = time.perf_counter()
    for name in ("whole", "again"):
        subprocess.run(command(source, folder / name), check=True, stdout=subprocess.DEVNULL)
        digests.append(digest(folder / name))
    length = (time.perf_counter() - started) / 2
    assert digests[0] == digests[1], "the same seed twice gave other weights"

    draw, kills, chains = random.Random(seed), [], 0
    while len(kills) < KILLS:
        chains += 1
        out = folder / f"chain-{chains}"
        while not out.exists():
            process = subprocess.Popen(command(source, out), stdout=subprocess.DEVNULL)
            try:
                instant = draw.random() * length if len(kills) < KILLS else None
                process.wait(timeout=instant)
                assert process.returncode == 0, process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills.append(round(instant / length, 3))
                print(f"kill {len(kills)} after {instant / length:.0%} of a run", flush=True)
        subprocess.run(command(source, out), check=True)  # removes what a late kill may have left
        assert digest(out) == digests[0], f"chain {chains} ended with other weights"
        assert not out.with_name(out.name + ".training").exists()
        print(f"chain {chains}: identical weights", flush=True)
    record(
        "kill-and-resume",
        {
            "seed": seed,
            "run_seconds": round(length, 1),
            "kills_as_share_of_a_run": kills,
            "chains": chains,
            "weights_sha256": digests[0],
            "identical": True,
        },
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20261121)

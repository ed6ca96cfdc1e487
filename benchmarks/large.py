"""Does memory stay flat on a file of five million rows, trained on and labelled?

NSMC's training rows, repeated with words of other rows put behind them, until there are so many. One epoch of
the preset `fast` and a labelling of the whole file, the resident memory of each command sampled twice a
second; the labelling is then killed after half that time, gone on with, and compared byte for byte.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from record import RUNS, record, result

from yeoun.data.sources import read_source

ROWS = int(os.environ.get("YEOUN_LARGE_ROWS", 5_000_000))


def main() -> None:
    name = f"large-{ROWS}"
    if result(name) is not None:
        return
    RUNS.mkdir(exist_ok=True)
    rows, model = RUNS / f"{name}.csv", RUNS / name
    write(rows)
    train = watched("train", rows, "--preset", "fast", "--set", "train.epochs=1", "--out", model, "--force")
    whole, cut = RUNS / f"{name}-whole.csv", RUNS / f"{name}-cut.csv"
    label = ("predict", model, "--input", rows, "--text", "text", "--force", "--output")
    predict = watched(*label, whole)
    kill_after(predict["seconds"] / 2, *label, cut)
    kept = json.loads(cut.with_name(f"{cut.name}.progress").read_bytes())["rows"]
    resumed = watched("predict", model, "--input", rows, "--text", "text", "--resume", "--output", cut)
    same = whole.read_bytes() == cut.read_bytes()
    figures = {"train": train, "predict": predict, "kept": kept, "resumed": resumed, "identical": same}
    record(name, {"rows": ROWS, "bytes": rows.stat().st_size, **figures})


def write(path: Path) -> None:
    if path.exists():
        return
    source = read_source("nsmc:train").dataset
    generator = np.random.default_rng(0)
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for start in range(0, ROWS, len(source)):
            others = generator.permutation(len(source))
            for i in range(min(len(source), ROWS - start)):
                borrowed = source.texts[others[i]].split()[:2] if start else []
                label = source.label_names[source.targets[i]]
                writer.writerow([" ".join([source.texts[i], *borrowed]), label])
    partial.replace(path)


def watched(*arguments: object) -> dict[str, object]:
    """Run a command; return its seconds and its resident memory over time, in megabytes."""
    started = time.perf_counter()
    run = start(*arguments)
    resident = []
    while run.poll() is None:
        resident.append(memory(run.pid))
        time.sleep(0.5)
    if run.returncode:
        raise SystemExit(f"{arguments[0]} failed")
    seconds = time.perf_counter() - started
    tenths = [max(part) for part in np.array_split(np.array(resident), 10) if len(part)]
    return {
        "seconds": round(seconds, 1),
        "peak_mb": max(resident),
        "peak_mb_by_tenth": [int(t) for t in tenths],
    }


def kill_after(seconds: float, *arguments: object) -> None:
    run = start(*arguments)
    time.sleep(seconds)
    run.send_signal(signal.SIGKILL)
    run.wait()


def start(*arguments: object) -> subprocess.Popen[bytes]:
    print("+ yeoun", *arguments, flush=True)
    return subprocess.Popen([sys.executable, "-m", "yeoun", *map(str, arguments)])


def memory(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


if __name__ == "__main__":
    main()

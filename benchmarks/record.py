"""Result files: one JSON object a finished run, with commit and machine; a finished run is not run again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
RUNS = Path(__file__).parent.parent / "runs"


def result(name: str) -> dict[str, Any] | None:
    """Return a finished run's result, None where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def record(name: str, values: dict[str, Any]) -> None:
    """Write a run's result with the commit and the machine it was measured on."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {"name": name, "commit": COMMIT, "machine": machine(), **values}
    partial = RESULTS / f"{name}.json.partial"
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(RESULTS / f"{name}.json")
    print(f"{name}: written to {RESULTS / name}.json", flush=True)


def yeoun(*arguments: object) -> dict[str, Any]:
    """Run a command of the program with --json and return what it printed."""
    command = [sys.executable, "-m", "yeoun", *map(str, arguments), "--json"]
    print("+ yeoun", *arguments, flush=True)
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    here = {"capture_output": True, "text": True, "cwd": Path(__file__).parent}
    commit = subprocess.run(command, **here).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", "../src"], **here).stdout.strip()
    return commit + ("-dirty" if changed else "")


COMMIT = _commit()  # as the run begins


def machine() -> dict[str, Any]:
    import torch

    cpu = next(
        (line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
    }


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []

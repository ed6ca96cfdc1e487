"""yeoun reproduce"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import OutputError
from .display import TrainingDisplay, note


def run(options: argparse.Namespace) -> None:
    """Run the published systems, one result file a run, and write their table and picture."""
    from ..files import write_durably
    from ..plots import recipes_picture
    from ..process import tune_process
    from ..reproduce import defects, points, reproduce, result_of, run_names, table

    tune_process()
    folder = Path(options.out) / ("full-size" if options.full_size else "")
    runs = [(name, seed) for name in run_names(options.names) for seed in range(options.seeds)]
    if (folder / "results.md").exists() and not any(folder.glob("*-[0-9]*.json")):
        raise OutputError(f"{folder}: holds a results.md and no runs; choose another place")
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in runs:
        if result_of(folder, name, seed) is None:
            note(f"{name}, seed {seed}")
            watch = TrainingDisplay()
            reproduce(name, seed, folder, options.data_dir, options.full_size, watch=watch)
    content = f"{table(folder)}\n\n{defects(folder)}"
    write_durably(folder / "results.md", (content + "\n").encode())
    for kind in ("png", "svg"):
        write_durably(folder / f"results.{kind}", recipes_picture(points(folder), kind))
    print(content)
    note(f"written to {folder}: results.md, results.png, results.svg")

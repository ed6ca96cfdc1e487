"""Does ONNX Runtime give torch's answers, and what do 8-bit weights cost?

The preset `balanced` on IMDb and NSMC. The largest difference of a logit and the labels that differ, on an
even sample of test texts by length; accuracy on all test rows; rows a second on such a sample; file sizes.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

from measurement import ROUNDS, evenly, in_turns, spread, times
from models import exported
from record import record, result

from yeoun.bundle import ModelBundle
from yeoun.data.sources import read_source
from yeoun.evaluation.metrics import measure
from yeoun.export import check
from yeoun.inference import RUNTIMES, predict_proba

CHECKED, TIMED = 5_000, {"imdb": 500, "nsmc": 5_000}  # texts


def main(corpora: list[str]) -> None:
    for corpus in corpora or TIMED:
        if result(f"onnx-{corpus}") is None:
            record(f"onnx-{corpus}", {"corpus": corpus, "preset": "balanced", **compare(corpus)})


def compare(corpus: str) -> dict[str, Any]:
    folder = exported("balanced", corpus)
    bundle, test = ModelBundle.load(folder), read_source(f"{corpus}:test").dataset
    by_length = sorted(test.texts, key=len)
    checked, timed = ([by_length[i] for i in evenly(n, len(by_length))] for n in (CHECKED, TIMED[corpus]))
    ways = {name: partial(predict_proba, bundle, timed, runtime=name) for name in RUNTIMES}
    seconds = in_turns(ways)
    runtimes: dict[str, Any] = {}
    for name, file in RUNTIMES.items():
        metrics = measure(predict_proba(bundle, test.texts, runtime=name), test.targets)
        runtimes[name] = {
            "bytes": (folder / file).stat().st_size,
            "accuracy": metrics.accuracy,
            **spread(seconds[name]),
            "rows_per_second": len(timed) / median(seconds[name]),
            "times_torch": times(seconds["torch"], seconds[name]),
            "check": asdict(check(bundle, bundle.graphs[file], checked)) if file in bundle.graphs else None,
        }
        print(corpus, name, runtimes[name], flush=True)
    return {"rounds": ROUNDS, "test_rows": len(test), "rows_timed": len(timed), "runtimes": runtimes}


if __name__ == "__main__":
    main(sys.argv[1:])

"""How many labels does text without labels save?

`fast` on draws of a corpus's training part, without and with all of its unlabelled texts, scored on 10,000
training rows that were not drawn; so the test part stays unseen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from record import record, result

from yeoun.data.rows import Dataset, statistics
from yeoun.data.sources import read_source
from yeoun.evaluation.significance import mcnemar_mid_p
from yeoun.inference import predict_proba
from yeoun.presets import resolve
from yeoun.training.fit import fit

CORPORA = ("nsmc", "imdb")
SIZES, DRAWS, SCORED = (500, 2_000, 8_000), 3, 10_000


def main(names: list[str]) -> None:
    for corpus in names or CORPORA:
        rows, texts = read_source(corpus).dataset, read_source(f"{corpus}:unlabelled").dataset.texts
        for size in SIZES:
            for draw in range(DRAWS):
                name = f"unlabelled-{corpus}-{size}-{draw}"
                if result(name) is None:
                    order = np.random.default_rng(draw).permutation(len(rows))
                    drawn, scored = (
                        rows.take(np.sort(each)) for each in np.split(order, [size, size + SCORED])[:2]
                    )
                    figures = compare(drawn, scored, texts, draw)
                    record(name, {"corpus": corpus, "rows": size, "seeds": [draw], **figures})


def compare(drawn: Dataset, scored: Dataset, texts: Sequence[str], seed: int) -> dict[str, Any]:
    configuration = resolve("fast", statistics(drawn))
    figures: dict[str, Any] = {"texts": len(texts)}
    right = {}
    for name, beside in (("without", ()), ("with", texts)):
        started = time.perf_counter()
        bundle = fit(drawn, configuration, seed=seed, unlabelled=beside)
        figures[f"seconds_{name}"] = round(time.perf_counter() - started, 1)
        figures["helps"] = bundle.metrics.get("self_training", {}).get("helps")
        right[name] = predict_proba(bundle, scored.texts).argmax(1) == scored.targets
        figures[f"accuracy_{name}"] = float(right[name].mean())
    return {**figures, "mcnemar_p": mcnemar_mid_p(right["with"], right["without"])}


if __name__ == "__main__":
    main(sys.argv[1:])

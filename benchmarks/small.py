"""Is the default preset ever below a linear model, when rows are few?

Draws 500, 2,000 and 10,000 rows of a corpus's training part, trains `balanced` on them, and scores it on
10,000 training rows that were not drawn; so the test part stays unseen. Beside it, on the same rows: its
recurrent half, and two linear models that also learn from the rows it holds out for validation, TF-IDF with a
linear support vector machine and the n-grams with naive-Bayes weights. McNemar's exact test compares with the
better of the two.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from record import record, result

from yeoun.data.rows import Dataset, statistics
from yeoun.data.sources import read_source
from yeoun.evaluation.linear import fit_linear
from yeoun.evaluation.significance import mcnemar_exact
from yeoun.inference import decide_labels, predict_proba
from yeoun.presets import resolve
from yeoun.training.fit import fit
from yeoun.training.ngrams import fit_ngrams

CORPORA = ("nsmc", "imdb")
SIZES, DRAWS, SCORED = (500, 2_000, 10_000), 3, 10_000


def main(names: list[str]) -> None:
    for corpus in names or CORPORA:
        rows = read_source(corpus).dataset
        for size in SIZES:
            for draw in range(DRAWS):
                name = f"small-{corpus}-{size}-{draw}"
                if result(name) is None:
                    figures = compare(*draw_rows(rows, size, draw), draw)
                    record(name, {"corpus": corpus, "rows": size, "seeds": [draw], **figures})


def draw_rows(rows: Dataset, size: int, draw: int) -> tuple[Dataset, Dataset]:
    """Return so many rows drawn by `draw`, and 10,000 others to score on, both in the order of the file."""
    order = np.random.default_rng(draw).permutation(len(rows))
    drawn, scored = order[:size], order[size : size + SCORED]
    return rows.take(np.sort(drawn)), rows.take(np.sort(scored))


def compare(train: Dataset, scored: Dataset, seed: int) -> dict[str, Any]:
    configuration = resolve("balanced", statistics(train))
    bundle = fit(train, configuration, seed=seed)
    recurrent = bundle.without_ngrams()
    branch = fit_ngrams(train, configuration.text)
    linear = fit_linear(train.texts, train.targets, len(train.label_names))
    right = {
        "whole": decide_labels(bundle, predict_proba(bundle, scored.texts)),
        "recurrent_alone": decide_labels(recurrent, predict_proba(recurrent, scored.texts)),
        "ngrams_of_all_rows": (branch.score(scored.texts)[:, 0] > 0).astype(np.int64),
        "linear_baseline": linear.predict(scored.texts),
    }
    right = {name: answers == scored.targets for name, answers in right.items()}
    accuracy = {name: float(hits.mean()) for name, hits in right.items()}
    best = max(("ngrams_of_all_rows", "linear_baseline"), key=accuracy.__getitem__)
    return {
        "accuracy": accuracy,
        "best_linear": best,
        "p": mcnemar_exact(right["whole"], right[best]),
        "seconds": bundle.metrics["seconds"],
        "epochs": bundle.metrics["epochs"],
    }


if __name__ == "__main__":
    main(sys.argv[1:])

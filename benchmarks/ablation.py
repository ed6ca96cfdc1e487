"""What does each ingredient of the default preset bring?

`balanced` without one ingredient at a time, on 30,000 rows of NSMC and on 20 Newsgroups, three seeds, scored
on validation rows: 20,000 others of NSMC's training part, a fifth of 20 Newsgroups'.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from record import record, result

from yeoun.data.rows import Dataset, statistics
from yeoun.data.sources import read_source
from yeoun.data.splits import stratified_split
from yeoun.presets import resolve
from yeoun.training.fit import fit

SEEDS = 3
WITHOUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "n-grams": {"model.ngrams": False},
    "the second reading": {"train.consistency": 0.0},
    "dropout on words": {"model.word_dropout": 0.0},
    "dropout on embeddings": {"model.embedding_dropout": 0.0},
    "both directions": {"model.bidirectional": False},
    "mean beside maximum": {"model.pooling": "max"},
    "unigram subwords (bpe instead)": {"text.scheme": "bpe"},
    "character n-grams": {"text.character_ngrams": 0},
    "both ends of long texts": {"text.truncate": "back"},
}
ONLY = {  # the other has none of it, or all
    "the second reading": "nsmc",
    "dropout on words": "nsmc",
    "dropout on embeddings": "nsmc",
    "unigram subwords (bpe instead)": "nsmc",
    "both ends of long texts": "20news",
}


def main(names: list[str]) -> None:
    for corpus in names or ("nsmc", "20news"):
        train, valid = split(corpus)
        for seed in range(SEEDS):  # outermost, so that one of each is there soonest
            for without, values in WITHOUT.items():
                if ONLY.get(without, corpus) == corpus:
                    run(corpus, without, values, train, valid, seed)


def split(corpus: str) -> tuple[Dataset, Dataset]:
    rows = read_source(corpus).dataset
    if corpus == "nsmc":
        order = np.random.default_rng(0).permutation(len(rows))
        return rows.take(np.sort(order[:30_000])), rows.take(np.sort(order[30_000:50_000]))
    kept, held_out = stratified_split(rows, 0.2, seed=0)
    return rows.take(kept), rows.take(held_out)


def run(corpus: str, without: str, values: dict[str, Any], train: Dataset, valid: Dataset, seed: int) -> None:
    name = f"ablation-{corpus}-{list(WITHOUT).index(without)}-{seed}"
    if result(name) is not None:
        return
    started = time.perf_counter()
    configuration = resolve("balanced", statistics(train)).with_values(values)
    figures = fit(train, configuration, valid, seed=seed).metrics
    half = figures.get("recurrent_alone", figures["validation"])
    record(
        name,
        {
            "corpus": corpus,
            "without": without,
            "values": values,
            "seeds": [seed],
            "seconds": round(time.perf_counter() - started, 1),
            "accuracy": figures["validation"]["accuracy"],
            "recurrent_alone": half["accuracy"],
            "linear_baseline": figures["linear_baseline"]["accuracy"],
        },
    )


if __name__ == "__main__":
    main(sys.argv[1:])

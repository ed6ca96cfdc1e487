"""Does the doctor find what is wrong?

`labels`: 5 % of a corpus's training labels are turned to another one at random. How many of them stand within
the first 7.5 % of all rows, the likeliest errors in front? How many rows does the finding list, and how many
of those were turned? (The others are errors of the corpus, or hard.) `copies`: what stands twice among NSMC's
150,000 rows, among all 90,000 of IMDb, and in two of its parts; the seconds and the memory that finding it
takes, each in a process of its own.
"""

from __future__ import annotations

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from typing import Any

import numpy as np
from record import record, result

from yeoun.data.rows import Dataset
from yeoun.data.sources import read_source
from yeoun.data.tables import Table
from yeoun.doctor import Examination
from yeoun.doctor.copies import duplicates, leaks, near_duplicates
from yeoun.doctor.labels import confident_labels, out_of_fold, worst_first

TURNED, READ, SEEDS = 0.05, 0.075, 3
LABELS = ("nsmc", "20news", "20news-stripped")
COPIES = {  # rows, and the test rows that they should not hold
    "nsmc": (["nsmc:train"], None),
    "imdb": (["imdb:train", "imdb:test", "imdb:unlabelled"], None),
    "imdb-train-test": (["imdb:train"], "imdb:test"),
    "imdb-unlabelled-test": (["imdb:unlabelled"], "imdb:test"),
    "imdb-unlabelled-train": (["imdb:unlabelled"], "imdb:train"),
}


def main(what: list[str]) -> None:
    if not what or "labels" in what:
        for corpus in LABELS:
            for seed in range(SEEDS):
                name = f"doctor-labels-{corpus}-{seed}"
                if result(name) is None:
                    record(name, {"corpus": corpus, "seeds": [seed], **labels(corpus, seed)})
    if not what or "copies" in what:
        for name in COPIES:
            if result(f"doctor-copies-{name}") is None:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
                    figures = apart.submit(copies, *COPIES[name]).result()
                record(f"doctor-copies-{name}", figures)


def labels(corpus: str, seed: int) -> dict[str, Any]:
    rows = read_source(corpus).dataset
    generator = np.random.default_rng([seed, 7])
    turned = generator.permutation(len(rows))[: round(TURNED * len(rows))]
    given, classes = rows.targets.copy(), len(rows.label_names)
    given[turned] = (given[turned] + generator.integers(1, classes, len(turned))) % classes
    started, used = time.perf_counter(), time.process_time()
    probabilities = out_of_fold(Dataset(rows.texts, given, rows.label_names), seed)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    first = round(READ * len(rows))
    own = probabilities[np.arange(len(rows)), given]
    others = probabilities.copy()
    others[np.arange(len(rows)), given] = -1
    by_margin = np.argsort(own - others.max(1), kind="stable")
    listed = np.flatnonzero(confident_labels(probabilities, given) != given)
    found = len(np.intersect1d(listed, turned))
    return {
        "rows": len(rows),
        "turned": len(turned),
        "read": first,
        "share_found": len(np.intersect1d(worst_first(probabilities, given)[:first], turned)) / len(turned),
        "share_found_by_margin": len(np.intersect1d(by_margin[:first], turned)) / len(turned),
        "listed": len(listed),
        "listed_that_were_turned": found / len(listed),
        "turned_that_are_listed": found / len(turned),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }


def copies(sources: list[str], test: str | None) -> dict[str, Any]:
    texts = list(chain.from_iterable(read_source(source).dataset.texts for source in sources))
    beside = read_source(test) if test else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    examined = Examination(Table(Dataset(texts, None, ())), beside)
    found = {check.__name__: check(examined) for check in (duplicates, near_duplicates, leaks)}
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {name: len(finding.rows) if finding else 0 for name, finding in found.items()}
    return {
        "sources": sources,
        "test": test,
        "rows": len(texts),
        "test_rows": len(beside.dataset) if beside else 0,
        "characters": sum(map(len, texts)),
        **counts,
        "leak_advice": found["leaks"].advice if found["leaks"] else None,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "megabytes_beyond_the_texts": (after - before) / 1024,
    }


if __name__ == "__main__":
    main(sys.argv[1:])

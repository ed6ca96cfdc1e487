"""The tables of docs/doctor.md, from the result files."""

from __future__ import annotations

from collections.abc import Iterator

from accuracy_tables import spread
from performance_tables import markdown, runs_of
from record import result


def turned_labels() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("nsmc", "20news", "20news-stripped"):
            runs = list(runs_of(f"doctor-labels-{corpus}-{seed}" for seed in range(3)))
            if runs:
                names = (
                    "share_found",
                    "share_found_by_margin",
                    "turned_that_are_listed",
                    "listed_that_were_turned",
                )
                shares = " | ".join(spread([run[name] for run in runs]) for name in names)
                yield f"{corpus} | {runs[0]['rows']:,} | {runs[0]['turned']:,} | {shares} | {len(runs)}"

    head = (
        "corpus | rows | labels turned | found in the first 7.5 % | the same, by margin"
        " | found in the finding | of the finding, turned | seeds"
    )
    return markdown(head, lines())


def copies() -> str:
    def lines() -> Iterator[str]:
        for name in ("nsmc", "imdb", "imdb-train-test", "imdb-unlabelled-test", "imdb-unlabelled-train"):
            run = result(f"doctor-copies-{name}")
            if run:
                beside, leaks = "", ""
                if run["test"]:
                    beside, leaks = f"{run['test']}, {run['test_rows']:,}", f"{run['leaks']:,}"
                yield (
                    f"{', '.join(run['sources'])}, {run['rows']:,} | {beside}"
                    f" | {run['duplicates']:,} | {run['near_duplicates']:,} | {leaks}"
                    f" | {run['cpu_seconds']:.0f} s | {run['megabytes_beyond_the_texts']:,.0f} MB"
                )

    head = "rows | beside | duplicates | near-duplicates | leaks | processor time | memory beyond the texts"
    return markdown(head, lines())


TABLES = {"doctor-labels": turned_labels, "doctor-copies": copies}

"""What does the default preset reach on the named corpora, and in what time?

Trains `balanced` on each corpus's training part and scores its test part once. Set YEOUN_DATA_DIR to a
folder with the official files, or they are downloaded.
"""

from __future__ import annotations

import sys
import time

from record import RUNS, record, result, yeoun

CORPORA = ("nsmc", "20news", "imdb")


def main(names: list[str]) -> None:
    for corpus in names or CORPORA:
        name = f"balanced-{corpus}"
        if result(name) is not None:
            continue
        started = time.perf_counter()
        trained = yeoun("train", corpus, "--out", RUNS / name, "--seed", 0, "--resume")
        seconds = time.perf_counter() - started
        tested = yeoun("evaluate", RUNS / name, f"{corpus}:test")
        record(
            name,
            {
                "corpus": corpus,
                "preset": "balanced",
                "seeds": [0],
                "command_seconds": round(seconds, 1),
                "train": {key: value for key, value in trained.items() if key != "out"},
                "test": tested,
            },
        )


if __name__ == "__main__":
    main(sys.argv[1:])

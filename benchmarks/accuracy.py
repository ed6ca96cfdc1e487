"""What do the presets reach on the named corpora, and what does it take?

Trains on the training part and scores the test part once, the whole command by the clock: `fast` with three
seeds, `balanced` and `accurate` with one; `accurate` with the corpus's texts without labels where there are
any. Set YEOUN_DATA_DIR to a folder with the official files, or they are downloaded. Names of corpora and
presets on the command line pick some of the runs.
"""

from __future__ import annotations

import sys
import time

from models import folder_of, texts_beside
from record import record, result, yeoun

CORPORA = {
    "nsmc": ("nsmc", "nsmc:test"),
    "imdb": ("imdb", "imdb:test"),
    "20news": ("20news", "20news:test"),
    "20news-stripped": ("20news-stripped", "20news-stripped:test"),
    "20news-random": ("20news:article-train", "20news:article-test"),
}
SEEDS = {"fast": range(3), "balanced": range(1), "accurate": range(1)}


def main(names: list[str]) -> None:
    presets = [name for name in names if name in SEEDS] or SEEDS
    corpora = [name for name in names if name in CORPORA] or CORPORA
    for preset in presets:
        for corpus in corpora:
            for seed in SEEDS[preset]:
                run(preset, corpus, seed)


def run(preset: str, corpus: str, seed: int) -> None:
    name = f"accuracy-{preset}-{corpus}-{seed}"
    if result(name) is not None:
        return
    train, test = CORPORA[corpus]
    model = folder_of(preset, corpus, seed)
    started = time.perf_counter()
    beside = texts_beside(preset, corpus)
    trained = yeoun("train", train, *beside, "--preset", preset, "--out", model, "--seed", seed, "--force")
    seconds = time.perf_counter() - started
    tested = yeoun("evaluate", model, test)
    record(
        name,
        {
            "corpus": corpus,
            "preset": preset,
            "unlabelled": bool(beside),
            "seeds": [seed],
            "command_seconds": round(seconds, 1),
            "train": {key: value for key, value in trained.items() if key != "out"},
            "test": tested,
        },
    )


if __name__ == "__main__":
    main(sys.argv[1:])

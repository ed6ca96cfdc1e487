"""What does bf16 cost, and what does it bring?

The recurrent half of `balanced` on fewer rows and epochs, three seeds in fp32 and bf16, the same rows held
out for all: seconds and accuracy. Then a training step by cell and size on dense random texts, to see where
`auto` should take which.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from measurement import ROUNDS, Way, in_turns, spread, times
from record import record, result
from steps import dense_task, training

from yeoun.config import Configuration, ModelConfig, TextConfig
from yeoun.data.rows import statistics
from yeoun.data.sources import read_source
from yeoun.presets import resolve
from yeoun.training.fit import fit

PRECISIONS = ("fp32", "bf16")
ROWS, HELD_OUT, EPOCHS, SEEDS = 20_000, 5_000, 2, 3
TOKENS, BATCH, STEPS = (218, 15), 128, 5
SIZES = {"lstm": (16, 32, 64, 128, 256), "gru": (64, 256), "rnn": (64, 256)}


def main() -> None:
    for corpus in ("nsmc", "imdb"):
        if result(f"precision-{corpus}") is None:
            record(f"precision-{corpus}", {"corpus": corpus, **fitted(corpus)})
    if result("precision-steps") is None:
        record("precision-steps", {"rounds": ROUNDS, "batch": BATCH, "steps": by_size()})


def fitted(corpus: str) -> dict[str, Any]:
    whole = read_source(corpus).dataset
    chosen = np.random.default_rng(0).permutation(len(whole))
    train, valid = whole.take(chosen[:ROWS]), whole.take(chosen[ROWS : ROWS + HELD_OUT])
    changed = {"train.epochs": EPOCHS, "model.ngrams": False}
    configuration = resolve("balanced", statistics(train)).with_values(changed)
    runs: dict[str, list[dict[str, float]]] = {precision: [] for precision in PRECISIONS}
    for seed in range(SEEDS):
        for precision in PRECISIONS:
            metrics = fit(train, configuration, valid, seed=seed, precision=precision).metrics
            accuracy = metrics["validation"]["accuracy"]
            runs[precision].append({"seconds": metrics["seconds"], "validation": accuracy})
            print(corpus, precision, seed, runs[precision][-1], flush=True)
    return {
        "configuration": configuration.to_mapping(),
        "rows": len(train),
        "valid_rows": len(valid),
        "seeds": list(range(SEEDS)),
        "runs": runs,
    }


def by_size() -> list[dict[str, Any]]:
    figures = []
    for tokens in TOKENS:
        for cell, sizes in SIZES.items():
            for hidden in sizes:
                seconds = in_turns(steps_of(cell, hidden, tokens))
                figures.append(
                    {
                        "cell": cell,
                        "hidden_size": hidden,
                        "tokens": tokens,
                        **{each: spread(seconds[each], STEPS) for each in PRECISIONS},
                        "bf16_times_fp32": times(seconds["bf16"], seconds["fp32"]),
                    }
                )
                print(figures[-1], flush=True)
    return figures


def steps_of(cell: str, hidden: int, tokens: int) -> dict[str, Way]:
    """Return some training steps in each precision, of both directions and a small vocabulary."""
    model = ModelConfig(encoder=cell, hidden_size=hidden, embedding_size=min(hidden, 128))
    task = dense_task(Configuration(TextConfig(vocabulary_size=2_000), model), BATCH, tokens)
    batches = [np.arange(BATCH)] * STEPS
    return {precision: partial(training(task, precision), batches) for precision in PRECISIONS}


if __name__ == "__main__":
    main()

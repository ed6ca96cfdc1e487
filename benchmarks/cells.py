"""Is a GRU smaller and faster than an LSTM, and is a count vector a sequence?

RNN, LSTM and GRU of 128 units, all else equal, on two tasks: 20 Newsgroups as the article reads it (word
counts, one step) and NSMC's article split as real sequences of subwords. Parameters, seconds an epoch
(the cells interleaved, the median over seeds) and accuracy; then the same texts with their words shuffled.
"""

from __future__ import annotations

from statistics import mean, median

import numpy as np
from record import record, result

from yeoun.bundle import ModelBundle
from yeoun.config import Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_source
from yeoun.inference import predict_proba
from yeoun.nn.cells import CELLS, GATES
from yeoun.recipes import read_recipe
from yeoun.training.fit import fit

SEEDS = 3


def counts(cell: str) -> Configuration:
    return read_recipe(f"20news-{cell}").configuration


def sequences(cell: str) -> Configuration:
    return Configuration(
        text=TextConfig(scheme="bpe", vocabulary_size=8_000, maximum_length=60),
        model=ModelConfig(encoder=cell, hidden_size=128, bidirectional=False, pooling="last", dropout=0.3),
        train=TrainConfig(batch_size=64, epochs=3, learning_rate=1e-3),
    )


TASKS = {"20news": counts, "nsmc": sequences}


def main() -> None:
    if result("cells") is not None:
        return
    figures = {}
    for corpus, configure in TASKS.items():
        train, test = (read_source(f"{corpus}:article-{part}").dataset for part in ("train", "test"))
        shuffled = shuffle(test)
        runs: dict[str, list[dict[str, float]]] = {cell: [] for cell in CELLS}
        for seed in range(SEEDS):
            for cell in CELLS:
                bundle = fit(train, configure(cell), seed=seed, precision="fp32")
                seconds = np.diff([0.0, *(epoch["seconds"] for epoch in bundle.history)])
                runs[cell].append(
                    {
                        "parameters": bundle.metrics["parameters"],
                        "seconds_an_epoch": median(seconds.tolist()),
                        "test": accuracy(bundle, test),
                        "test_shuffled": accuracy(bundle, shuffled),
                    }
                )
                print(corpus, cell, seed, runs[cell][-1], flush=True)
        figures[corpus] = {
            cell: {
                "gates": GATES[cell] - 1,
                "parameters": of[0]["parameters"],
                "seconds_an_epoch": median(run["seconds_an_epoch"] for run in of),
                "test": mean(run["test"] for run in of),
                "test_by_seed": [run["test"] for run in of],
                "test_shuffled": mean(run["test_shuffled"] for run in of),
            }
            for cell, of in runs.items()
        }
    record("cells", {"seeds": list(range(SEEDS)), "tasks": figures})


def shuffle(rows: Dataset) -> Dataset:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.permutation(text.split())) for text in rows.texts]
    return Dataset(texts, rows.labels, rows.label_names)


def accuracy(bundle: ModelBundle, rows: Dataset) -> float:
    return float((predict_proba(bundle, rows.texts).argmax(1) == rows.targets).mean())


if __name__ == "__main__":
    main()

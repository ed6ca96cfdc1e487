"""Convolution beside the LSTM: the default preset's recurrent half with each encoder, all else equal.

One seed; validation rows held out of the training part, and the test part scored once. One result file a
run; finished runs are not run again.
"""

from __future__ import annotations

import sys

from record import RUNS, record, result, yeoun

ENCODERS = ("lstm", "convolution")
# Of a size at which both train in minutes.
VALUES = {
    "model.hidden_size": 64,
    "model.ngrams": False,
    "train.epochs": 3,
    "train.consistency": 0.0,
    "text.maximum_length": 200,
}


def main(corpora: list[str]) -> None:
    for encoder in ENCODERS:
        for corpus in corpora or ("nsmc", "imdb"):
            name = f"encoder-{encoder}-{corpus}"
            if result(name) is not None:
                continue
            values = {**VALUES, "model.encoder": encoder}
            flags = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
            trained = yeoun("train", corpus, "--out", RUNS / name, *flags, "--resume")
            tested = yeoun("evaluate", RUNS / name, f"{corpus}:test")
            record(
                name,
                {
                    "corpus": corpus,
                    "encoder": encoder,
                    "changed": values,
                    "seeds": [0],
                    "train": {key: value for key, value in trained.items() if key not in ("out", "labels")},
                    "test": tested,
                },
            )


if __name__ == "__main__":
    main(sys.argv[1:])

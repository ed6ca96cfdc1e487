"""RNN, LSTM, GRU, convolution and the linear baseline on the same rows: `yeoun compare` with three seeds.

The networks are those of the preset `fast` without n-grams, so that nothing but the encoder differs. Finished
runs are not run again, an interrupted one goes on.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from record import RUNS, record, result, yeoun

ENCODERS = ("rnn", "lstm", "gru", "convolution")
SEEDS = 3
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


def main(corpora: list[str]) -> None:
    for corpus in corpora or ("nsmc", "20news"):
        name = f"compare-{corpus}"
        if result(name) is not None:
            continue
        names = [f"fast+model.ngrams=false+model.encoder={encoder}" for encoder in ENCODERS]
        flags = ("--recipes", ",".join(names), "--seeds", SEEDS, "--out", RUNS / name)
        comparison = yeoun("compare", corpus, "--test", f"{corpus}:test", *flags)
        tried = {run["name"]: run["configuration"] for run in comparison.pop("runs")}
        values = {"corpus": corpus, "seeds": list(range(SEEDS)), "tried": tried}
        shutil.copy(RUNS / name / "picture.png", PICTURES / f"{name}.png")
        record(name, {**values, **comparison})


if __name__ == "__main__":
    main(sys.argv[1:])

"""What do word vectors learned elsewhere bring to a few labelled rows?

A model trained on 140,000 reviews of NSMC's training part gives its vectors (`yeoun embeddings`); a second
one learns from 2,000 others, its embedding started from that file or at random. Three draws of rows.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from record import RUNS, record, result, yeoun

from yeoun.cli import main as run_command
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_source

ROWS, DRAWS = 2_000, 3
VALUES = {
    "text.scheme": "bpe",
    "model.ngrams": False,
    "text.vocabulary_size": 4_000,
    "text.minimum_count": 1,
    "model.hidden_size": 64,
    "model.embedding_size": 128,
}


def main() -> None:
    if result("vectors-nsmc") is not None:
        return
    RUNS.mkdir(exist_ok=True)
    rows = read_source("nsmc:train").dataset
    order = np.random.default_rng(0).permutation(len(rows))
    source = write("vectors-source.jsonl", rows.take(order[10_000:]))
    yeoun("train", source, "--out", RUNS / "vectors-source", *flags({"train.epochs": 2}), "--resume")
    vectors = RUNS / "vectors.txt"
    if run_command(["embeddings", str(RUNS / "vectors-source"), "--output", str(vectors), "--force"]):
        sys.exit(1)
    figures: dict[str, list[dict[str, float]]] = {"random": [], "given": []}
    for draw in range(DRAWS):
        few = write(f"vectors-{draw}.jsonl", rows.take(order[draw * ROWS : (draw + 1) * ROWS]))
        for start, path in (("random", ""), ("given", str(vectors))):
            out = RUNS / f"vectors-{start}-{draw}"
            trained = yeoun("train", few, "--out", out, *flags({"model.vectors": path}), "--resume")
            tested = yeoun("evaluate", out, "nsmc:test")
            figures[start].append(
                {
                    "test": tested["accuracy"],
                    "linear_baseline": tested["linear_baseline"]["accuracy"],
                    "vector_coverage": trained.get("vector_coverage", 0.0),
                    "seconds": trained["seconds"],
                }
            )
    record("vectors-nsmc", {"rows": ROWS, "seeds": list(range(DRAWS)), "changed": VALUES, **figures})


def write(name: str, rows: Dataset) -> object:
    path = RUNS / name
    lines = (
        json.dumps({"text": text, "label": rows.label_names[label]}, ensure_ascii=False)
        for text, label in zip(rows.texts, rows.targets, strict=True)
    )
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def flags(more: dict[str, object]) -> list[str]:
    return [part for key, value in {**VALUES, **more}.items() for part in ("--set", f"{key}={value}")]


if __name__ == "__main__":
    main()

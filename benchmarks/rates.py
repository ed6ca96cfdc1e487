"""How many rows a second, from CSV to CSV?

`yeoun predict` on an even sample of a corpus's test rows by length, the whole process: start, model,
reading, answering, writing. Beside it, from texts in memory: the same models, the linear baseline and
fastText; and from token ids, on a smaller such sample, our tokens (at most 512) in place of word pieces:
BERT-base and DistilBERT of random weights. Arguments: corpora; `accurate`, which is measured by itself.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measurement import ROUNDS, Way, evenly, in_turns, spread
from models import trained
from peers import fasttext_labels, transformer, versions
from record import record, result

from yeoun.bundle import ModelBundle
from yeoun.data.sources import read_source
from yeoun.data.tokens import TokenStore
from yeoun.inference import predict_proba
from yeoun.presets import PRESETS
from yeoun.text.indexer import TextIndexer

ROWS = {"nsmc": 50_000, "imdb": 5_000}
SAMPLES = {"nsmc": 512, "imdb": 32}  # rows for the transformers
PRECISIONS = ("fp32", "bf16")
TRANSFORMERS = {"BERT-base": "Bert", "DistilBERT": "DistilBert"}


def main(names: list[str]) -> None:
    presets = [name for name in names if name in PRESETS] or ["fast", "balanced"]
    for corpus in [name for name in names if name in ROWS] or ROWS:
        name = "-".join(["rates", corpus, *(["accurate"] if presets == ["accurate"] else [])])
        if result(name) is None:
            record(name, {"corpus": corpus, **measure(corpus, presets)})


def measure(corpus: str, presets: Sequence[str]) -> dict[str, Any]:
    folders = {preset: trained(preset, corpus) for preset in presets}
    texts = sampled(read_source(f"{corpus}:test").dataset.texts, ROWS[corpus])
    bundles = {preset: ModelBundle.load(folder) for preset, folder in folders.items()}
    bundle = bundles[presets[-1]]
    store = tokens(bundle.indexer, sampled(texts, SAMPLES[corpus]))
    with TemporaryDirectory() as folder:
        rows, labels = Path(folder) / "rows.csv", Path(folder) / "labels.csv"
        write(rows, texts)
        ways: dict[str, Way | None] = {
            f"yeoun {preset}, {precision}": partial(predict, path, rows, labels, precision)
            for preset, path in folders.items()
            for precision in PRECISIONS
        }
        ways |= {
            f"yeoun {preset}, {precision}, from memory": partial(predict_proba, each, texts, precision)
            for preset, each in bundles.items()
            for precision in PRECISIONS
        }
        ways["linear baseline"] = partial(bundle.baseline.predict, texts)
        ways["fastText"] = fasttext_labels(read_source(corpus).dataset, texts)
        ways |= {
            f"{name}, {precision}": transformer(kind, store, precision)
            for name, kind in TRANSFORMERS.items()
            for precision in PRECISIONS
        }
        seconds = in_turns({name: way for name, way in ways.items() if way})
    rate = {name: rows_of(name, texts, store) / median(taken) for name, taken in seconds.items()}
    return {
        "versions": versions(),
        "rounds": ROUNDS,
        "tokens_per_text": float(store.lengths.mean()),
        "ways": {
            name: {
                **spread(seconds[name]),
                "rows": rows_of(name, texts, store),
                "rows_per_second": rate[name],
                "times_bert": rate[name] / rate[bert] if (bert := bert_like(name)) in rate else None,
            }
            if name in seconds
            else None
            for name in ways
        },
    }


def sampled(texts: Sequence[str], count: int) -> list[str]:
    """Return so many of the texts, evenly by length, in no order."""
    by_length = sorted(texts, key=len)
    chosen = [by_length[i] for i in evenly(count, len(texts))]
    return [chosen[i] for i in np.random.default_rng(0).permutation(len(chosen))]


def tokens(indexer: TextIndexer, texts: Sequence[str]) -> TokenStore:
    longer = TextIndexer(indexer.tokenizer, replace(indexer.config, maximum_length=512))
    return TokenStore.of(longer.index(texts))


def write(path: Path, texts: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])


def predict(model: Path, rows: Path, labels: Path, precision: str) -> None:
    flags = ("--input", rows, "--text", "text", "--output", labels, "--force", "--precision", precision)
    subprocess.run([sys.executable, "-m", "yeoun", "predict", model, *flags], check=True)


def rows_of(name: str, texts: Sequence[str], store: TokenStore) -> int:
    return len(store) if name.startswith(tuple(TRANSFORMERS)) else len(texts)


def bert_like(name: str) -> str:
    """Return the name of BERT-base in the same precision."""
    return f"BERT-base, {'bf16' if 'bf16' in name else 'fp32'}"


if __name__ == "__main__":
    main(sys.argv[1:])

"""Which way of cutting Korean text serves a recurrent network best, all else equal?

One BiLSTM on NSMC with each scheme: accuracy on validation rows and on nsmc:test, vocabulary, unknown
tokens and tokens a text on the validation rows, training time and the rate of cutting and indexing.
One result file a run; finished runs are not run again.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from record import record, result

from yeoun.config import UNKNOWN_ID, Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.data.sources import read_source
from yeoun.data.splits import stratified_split
from yeoun.evaluation.metrics import measure
from yeoun.inference import predict_proba
from yeoun.training.fit import fit

SCHEMES = ("whitespace", "words", "characters", "jamo", "bpe", "unigram", "kiwi", "okt")
CONFIGURATION = Configuration(
    text=TextConfig(vocabulary_size=16_000, maximum_length=0),
    model=ModelConfig(hidden_size=64, embedding_size=128, dropout=0.5, word_dropout=0.1),
    train=TrainConfig(batch_size=128, epochs=3),
)


def main(schemes: list[str]) -> None:
    for seed in range(3):
        for scheme in schemes or SCHEMES:
            first = result(f"scheme-{scheme}-0")
            is_long = first is not None and first["training_seconds"] > 300  # one seed will do
            if not is_long and result(f"scheme-{scheme}-{seed}") is None:
                run(scheme, seed)


def run(scheme: str, seed: int) -> None:
    configuration = replace(CONFIGURATION, text=replace(CONFIGURATION.text, scheme=scheme))
    whole, test = read_source("nsmc:train").dataset, read_source("nsmc:test").dataset
    kept, held_out = stratified_split(whole, 0.1, seed)
    train, valid = whole.take(kept), whole.take(held_out)
    bundle = fit(train, configuration, valid, seed=seed)
    started = time.perf_counter()
    token_ids, offsets, _ = bundle.indexer.index(valid.texts)
    seconds = time.perf_counter() - started
    lengths = np.diff(offsets)
    record(
        f"scheme-{scheme}-{seed}",
        {
            "scheme": scheme,
            "seeds": [seed],
            "configuration": configuration.to_mapping(),
            "rows": len(train),
            "valid_rows": len(valid),
            "validation": bundle.metrics["validation"]["accuracy"],
            "test": measure(predict_proba(bundle, test.texts), test.targets).accuracy,
            "vocabulary": bundle.indexer.vocabulary_size,
            "parameters": bundle.metrics["parameters"],
            "unknown_share": float((token_ids == UNKNOWN_ID).mean()),
            "tokens_per_text": float(lengths.mean()),
            "longest": int(lengths.max()),
            "texts_indexed_per_second": round(len(valid) / seconds),
            "training_seconds": bundle.metrics["seconds"],
        },
    )


if __name__ == "__main__":
    main(sys.argv[1:])

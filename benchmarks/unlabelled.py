"""How many labels does text without labels save?

`yeoun pretrain` on all texts of a corpus that have no labels, in some passes, and `accurate` from there on
the draws of `small.py`, its n-grams learning from these texts, too; scored on the same 10,000 other training
rows, so that the test part stays unseen.
Arguments: names of corpora, and numbers of passes.
"""

from __future__ import annotations

import sys

from models import folder_of
from record import record, result, yeoun
from small import CORPORA, DRAWS, SIZES, draw_rows

from yeoun.data.rows import statistics
from yeoun.data.sources import read_source
from yeoun.evaluation.metrics import score_answers
from yeoun.inference import decide_labels, predict_proba, score_recurrent_half
from yeoun.presets import resolve
from yeoun.pretrained import Pretrained
from yeoun.sealed import is_sealed
from yeoun.training.fit import fit

PASSES = (1, 4)


def main(names: list[str]) -> None:
    passes = [int(name) for name in names if name.isdigit()] or PASSES
    for corpus in [name for name in names if name in CORPORA] or CORPORA:
        for times in passes:
            run(corpus, times)


def run(corpus: str, passes: int) -> None:
    folder = folder_of(f"pretrained-{passes}", corpus)
    if not is_sealed(folder):
        asked = ("--set", f"train.pretrain_epochs={passes}")
        yeoun("pretrain", f"{corpus}:unlabelled", *asked, "--out", folder, "--resume")
    start, rows = Pretrained.load(folder), read_source(corpus).dataset
    texts = read_source(f"{corpus}:unlabelled").dataset.texts
    for size in SIZES:
        for draw in range(DRAWS):
            name = f"unlabelled-{corpus}-{passes}-{size}-{draw}"
            if result(name) is not None:
                continue
            drawn, scored = draw_rows(rows, size, draw)
            preset = resolve("accurate", statistics(drawn, start.figures["texts"]))
            bundle = fit(drawn, start.applied(preset), seed=draw, unlabelled=texts, start=start)
            answers = decide_labels(bundle, predict_proba(bundle, scored.texts))
            record(
                name,
                {
                    "corpus": corpus,
                    "passes": passes,
                    "rows": size,
                    "seeds": [draw],
                    "pretraining": dict(start.figures),
                    "test": score_answers(answers, scored.targets),
                    "recurrent_alone": score_recurrent_half(bundle, scored),
                    "self_training": bundle.metrics.get("self_training"),
                    "seconds": bundle.metrics["seconds"],
                },
            )


if __name__ == "__main__":
    main(sys.argv[1:])

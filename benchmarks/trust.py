"""Do the least probabilities for a wanted precision keep their promise on new rows?

The `fast` models of IMDb and NSMC answer their test rows once. Of these so many as are held out in training
are drawn a thousand times, least probabilities are chosen on them, and the precision of each label is
measured on the other rows: it should fall below the wanted one in at most one draw of twenty. And what those
that training stored come to on all test rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from models import trained
from record import record, result

from yeoun.bundle import ModelBundle
from yeoun.data.sources import read_source
from yeoun.evaluation.abstention import PRECISIONS, abstains, least_by_precision, score_answered
from yeoun.evaluation.metrics import are_right
from yeoun.inference import decide_labels, least_probabilities, predict_proba

DRAWS = 1_000


def main() -> None:
    for corpus in ("imdb", "nsmc"):
        if result(f"trust-{corpus}") is None:
            record(f"trust-{corpus}", trust(corpus))


def trust(corpus: str) -> dict[str, Any]:
    bundle = ModelBundle.load(trained("fast", corpus))
    rows = read_source(f"{corpus}:test", names=bundle.label_names).dataset
    probabilities, targets, names = predict_proba(bundle, rows.texts), rows.targets, bundle.label_names
    chosen = decide_labels(bundle, probabilities)
    right = are_right(chosen, targets)
    drawn = min(bundle.metrics["validation"]["rows"], len(rows) // 3)
    generator = np.random.default_rng(0)
    missed: dict[str, list[bool]] = {str(precision): [] for precision in PRECISIONS}
    covered: dict[str, list[float]] = {str(precision): [] for precision in PRECISIONS}
    for _ in range(DRAWS):
        order = generator.permutation(len(rows))
        known, new = order[:drawn], order[drawn:]
        found = least_by_precision(probabilities[known], chosen[known], targets[known], names)
        for precision, by_label in found.items():
            least = np.array([np.inf if each is None else each for each in by_label.values()])
            answered = ~abstains(probabilities[new], chosen[new], least)
            covered[precision].append(float(answered.mean()))
            for label in np.flatnonzero(np.isfinite(least)):
                of_label = right[new][answered & (chosen[new] == label)]
                missed[precision].append(bool(of_label.mean() < float(precision)))
    stored = {}
    for precision in PRECISIONS:
        open_rows = abstains(probabilities, chosen, least_probabilities(bundle, f"precision={precision}"))
        stored[str(precision)] = score_answered(right, open_rows)
    return {
        "rows": len(rows),
        "drawn": drawn,
        "draws": DRAWS,
        "missed": {precision: float(np.mean(each)) if each else None for precision, each in missed.items()},
        "covered": {precision: float(np.mean(each)) for precision, each in covered.items()},
        "stored": stored,
    }


if __name__ == "__main__":
    main()

"""Are explanations faithful, exact, alike between seeds, and quick?

On an even sample of a corpus's test rows: comprehensiveness and sufficiency of every method that a model
allows, beside random orders; the gap; the rank correlation of the words' scores with those of the same
network with shuffled weights, and with those of a model of another seed. Then how long one explanation takes,
and the words' scores of two short built-in reviews, side by side on a page in `docs/pictures`. A model with
attention pooling stands beside the preset's own, since it alone has attention weights. Names of corpora and
models on the command line pick some of the runs.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from measurement import evenly
from models import trained
from record import RESULTS, record, result

from yeoun.bundle import ModelBundle
from yeoun.data.sources import read_builtin, read_source
from yeoun.errors import ConfigError
from yeoun.explain import EXPLAINERS, explain
from yeoun.explain.explanation import Explanation
from yeoun.explain.faithfulness import agreement, estimate, measure
from yeoun.inference import predict
from yeoun.process import tune_process
from yeoun.report.highlight import explanation_page
from yeoun.text.normalization import hangul_share

TEXTS = 300
ROUNDS = 7
LENGTHS = (20, 400)  # words of the texts that are timed
MODELS = {
    "fast": partial(trained, "fast"),
    "fast-attention": partial(trained, "fast", pooling="attention"),
    "balanced": partial(trained, "balanced"),
}
SEEDS = {"fast": 1, "fast-attention": 1}  # of the model beside which agreement is measured
PAGES = RESULTS.parent.parent / "docs" / "pictures"


def main(names: list[str]) -> None:
    tune_process()
    for corpus in [name for name in names if name in ("nsmc", "imdb")] or ("nsmc", "imdb"):
        for model in [name for name in names if name in MODELS] or MODELS:
            if result(f"faithfulness-{corpus}-{model}") is None:
                run(corpus, model)


def run(corpus: str, model: str) -> None:
    bundle = ModelBundle.load(MODELS[model](corpus))
    rows = read_source(f"{corpus}:test").dataset
    texts = [rows.texts[i] for i in evenly(TEXTS, len(rows))]
    started = time.perf_counter()
    figures = measure(bundle, texts)
    seconds = time.perf_counter() - started
    methods = [method for method in EXPLAINERS if method in figures]
    alike = {}
    if model in SEEDS:
        other = ModelBundle.load(MODELS[model](corpus, seed=SEEDS[model]))
        alike = {method: estimate("agreement", agreement(bundle, other, texts, method)) for method in methods}
    record(
        f"faithfulness-{corpus}-{model}",
        {
            "corpus": corpus,
            "model": model,
            "seeds": [0],
            "texts": len(texts),
            "seconds": round(seconds, 1),
            "methods": figures,
            "gaps": gaps(bundle, texts),
            "agreement": alike,
            "milliseconds": {
                method: {length: milliseconds(bundle, words(texts, length), method) for length in LENGTHS}
                for method in methods
            },
            "reviews": side_by_side(bundle, f"{corpus}-{model}"),
        },
    )


def gaps(bundle: ModelBundle, texts: list[str]) -> dict[str, float]:
    """Return how wide the gaps of integrated gradients are."""
    found = np.array([explain(bundle, text).gap for text in texts])
    return {
        "median": float(np.median(found)),
        "percentile_99": float(np.quantile(found, 0.99)),
        "largest": float(found.max()),
        "share_within_one_percent": float((found <= 0.01).mean()),
    }


def words(texts: list[str], count: int) -> str:
    """Return a text of so many words, of one review or, where they are short, of several."""
    longer = [text.split() for text in texts if len(text.split()) >= count]
    return " ".join((longer[0] if longer else " ".join(texts).split())[:count])


def milliseconds(bundle: ModelBundle, text: str, method: str) -> float:
    """Return how long one explanation takes, the median of some."""
    taken = []
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        explain(bundle, text, method)
        taken.append(1000 * (time.perf_counter() - started))
    return median(taken[1:])


def side_by_side(bundle: ModelBundle, name: str) -> list[dict[str, Any]]:
    """Return the words' scores of a short review of each label by all methods, and write them as a page."""
    reviews, pages = [], []
    for label in bundle.label_names:
        explanations = explain_by_all(bundle, short_review(bundle, label))
        pages += explanations
        reviews.append(
            {
                "label": explanations[0].label,
                "probability": explanations[0].probability,
                "tokens": [token.text for token in explanations[0].tokens],
                "scores": {each.method: [token.score for token in each.tokens] for each in explanations},
            }
        )
    page = explanation_page(pages, f"Word weights: {name}")
    (PAGES / f"words-{name}.html").write_text(page, encoding="utf-8")
    return reviews


def short_review(bundle: ModelBundle, label: str) -> str:
    """Return of the built-in reviews of about 12 words in the model's language with this label the first that
    the model is sure of."""
    rows = read_builtin()
    is_korean = hangul_share(bundle.indexer.vocabulary()) > 0.5
    texts = [rows.texts[i] for i in rows.rows_with(rows.label_names.index(label))]
    texts = [text for text in texts if (hangul_share([text]) > 0.5) == is_korean]
    near = sorted(texts, key=lambda text: abs(len(text.split()) - 12))[:50]
    sure = [min(each.probabilities[label], 0.9) for each in predict(bundle, near)]
    return near[int(np.argmax(sure))]


def explain_by_all(bundle: ModelBundle, text: str) -> list[Explanation]:
    explanations = []
    for method in EXPLAINERS:
        try:
            explanations.append(explain(bundle, text, method))
        except ConfigError:  # this network has no such thing
            continue
    return explanations


if __name__ == "__main__":
    main(sys.argv[1:])

"""The whole: the recurrent half and the linear models put together. These then learn once more, where the
validation rows were cut from those that were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..config import Configuration
from ..evaluation.evenness import Evenness
from ..evaluation.linear import LinearBaseline
from ..evaluation.metrics import score_answers
from ..inference import Floats
from ..text.ngrams import NgramIndexer
from .combination import Combination, combine
from .division import Division
from .half import RecurrentHalf
from .linear import LinearModels, fit_linear_models
from .machine import RANDOM_NUMBERS
from .ngrams import NgramBranch
from .objective import label_weights
from .self_training import are_enough, self_train


class Whole(NamedTuple):
    """What a model is made of, but for the tokeniser: its weights by name, n-grams and baseline. logits: on
    the validation rows, [rows, C] (of a sigmoid [rows, 1]), and their evenness. figures: for its metrics."""

    weights: dict[str, Floats]
    ngrams: NgramIndexer | None
    baseline: LinearBaseline
    logits: Floats
    evenness: Evenness
    figures: Mapping[str, Any]


def put_together(
    half: RecurrentHalf, linear: LinearModels, rows: Division, configuration: Configuration, seed: int
) -> Whole:
    """Return the whole, as the validation rows weigh its halves. Its n-grams learn from its answers to texts
    without labels, where that helps and no label is weighed, and at the end, as the baseline does, from all
    rows that were given to learn from."""
    parameters, pretrained, more = half.weights, half.pretrained, None

    def combined(ngrams: NgramBranch | None) -> Combination:
        calibrate = configuration.train.calibrate
        return combine(half.valid, parameters, ngrams, rows.valid, calibrate, pretrained)

    whole, told = combined(linear.ngrams), {}
    is_told = are_enough(len(rows.unlabelled), len(rows.train), pretrained)
    is_weighed = label_weights(rows.train, configuration.train) is not None
    if linear.ngrams is not None and is_told and not is_weighed:
        with RANDOM_NUMBERS:
            taught = self_train(
                whole, linear.ngrams, half.answer, combined, rows, configuration, seed, pretrained
            )
        told = {"self_training": {"texts": len(taught.more.texts), "helps": taught.helps}}
        if taught.helps:
            whole, more = taught.whole, taught.more
            linear = linear._replace(ngrams=taught.ngrams)
        del taught
    final, weights = linear, whole.parameters
    if rows.given is not rows.train:  # now that nothing is to be chosen any more, they learn from all rows
        with RANDOM_NUMBERS:
            final = fit_linear_models(rows.given, configuration, seed, more)
        if final.ngrams is not None:
            weights |= {name: each * whole.scales[1] for name, each in final.ngrams.parameters.items()}
    answers = linear.baseline.predict(rows.valid.texts)
    return Whole(
        weights=weights,
        ngrams=None if final.ngrams is None else final.ngrams.indexer,
        baseline=final.baseline,
        logits=whole.logits,
        evenness=whole.evenness,
        figures={
            **told,
            **whole.alone,
            "linear_baseline": score_answers(answers, rows.valid.targets),
            **final.rows,
        },
    )

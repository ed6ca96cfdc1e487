"""Whether explanations are faithful: do the tokens that they name carry the answer?

Comprehensiveness (DeYoung et al. 2020): by how much the probability of the label falls when the highest
scored tokens are taken out; the more, the better. Sufficiency: by how much when they alone stay; the less,
the better. Each is a mean over `SHARES` of the tokens, the area under that curve; beside it stands that of
random orders. Scores should also change with the weights (Adebayo et al. 2018), and be alike between models
that differ in their seed alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bundle import ModelBundle
from ..errors import ConfigError
from ..inference import Floats, predict_proba, to_probabilities
from . import EXPLAINERS, contrast
from .ablation import WAYS, ablate, logits_of
from .explanation import Scored, Scores
from .reading import Masks, Reading, divided, read

Labels = npt.NDArray[np.int64]
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the tokens
_DRAWS = 5  # random orders of each text
_RESAMPLES = 2_000  # of the texts, for an interval
_TOGETHER = 32  # texts whose variants are read together
_FEWEST_WORDS = 3  # of a text whose words are ranked


class _Answered(NamedTuple):
    """Texts as a model reads them, the label that is explained of each, and its probability [texts]."""

    readings: list[Reading]
    labels: Labels
    probabilities: Floats


def measure(bundle: ModelBundle, texts: Sequence[str], methods: Iterable[str] = EXPLAINERS) -> dict[str, Any]:
    """Return the figures of `random` orders and of each method that the model allows, by name.

    For each of WAYS `comprehensiveness`, `sufficiency` and `times_random` (of comprehensiveness, where that
    of random orders is above 0); `gap`, the median over the texts, where the method has one; `randomized`,
    the rank correlation with the scores of the same network with shuffled weights. All but the gap with the
    95 % interval over texts. Empty texts are left out.
    """
    answered = _answer(bundle, [text for text in texts if text.strip()])
    if not answered.readings:
        return {}
    generator, other = np.random.default_rng(0), shuffled(bundle)
    draws = [[generator.random(len(each)) for _ in range(_DRAWS)] for each in answered.readings]
    figures: dict[str, dict[str, Any]] = {"random": {}}
    orders = {"random": draws}
    for method in methods:
        try:
            scored = _score(bundle, answered, method)
        except ConfigError:  # this network has no such thing
            continue
        orders[method] = [[each.scores] for each in scored]
        gaps = [each.gap for each in scored if each.gap is not None]
        figures[method] = {"gap": float(np.median(gaps))} if gaps else {}
        alike = _correlate(answered, scored, answered, _score(other, answered, method))
        figures[method] |= estimate("randomized", alike)
    for way in WAYS:
        areas = {name: _areas(bundle, answered, of, way) for name, of in orders.items()}
        for name, (fallen, missing) in areas.items():
            figures[name][way] = {
                **estimate("comprehensiveness", fallen),
                **estimate("sufficiency", missing),
                **estimate("times_random", fallen, areas["random"][0]),
            }
    return figures


def agreement(bundle: ModelBundle, other: ModelBundle, texts: Sequence[str], method: str) -> Scores:
    """Return for each text the rank correlation of its words' scores by two models, both for the label that
    the first one gives; NaN for a text of fewer than three words."""
    ours = _answer(bundle, texts)
    theirs = _answer(other, texts)._replace(labels=ours.labels)
    return _correlate(ours, _score(bundle, ours, method), theirs, _score(other, theirs, method))


def shuffled(bundle: ModelBundle) -> ModelBundle:
    """Return the model with the numbers within each array of weights in random order."""
    generator = np.random.default_rng(0)
    arrays = sorted(bundle.weights.items())  # the order in which files hold them is open
    weights = {name: generator.permutation(each.ravel()).reshape(each.shape) for name, each in arrays}
    return replace(bundle, weights=weights, graphs={})


def estimate(name: str, values: Scores, over: Scores | None = None) -> dict[str, Any]:
    """Return the mean of `values`, one a text, NaN left out, and the bootstrap's 95 % interval; or those of
    its ratio to the mean of `over`. Nothing where there is no value, or nothing to divide by."""
    values = values[~np.isnan(values)]
    if not len(values) or (over is not None and over.mean() <= 0):
        return {}
    drawn = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    drawn = np.concatenate([np.arange(len(values))[None], drawn])
    means = values[drawn].mean(1)
    if over is not None:
        means = means / over[drawn].mean(1).clip(1e-6)
    return {name: float(means[0]), f"{name}_ci95": np.quantile(means[1:], (0.025, 0.975)).tolist()}


def _answer(bundle: ModelBundle, texts: Sequence[str]) -> _Answered:
    probabilities = predict_proba(bundle, texts).reshape(-1, len(bundle.label_names))
    return _Answered(
        [read(bundle, text) for text in texts], probabilities.argmax(1), probabilities.max(1, initial=0.0)
    )


def _score(bundle: ModelBundle, answered: _Answered, method: str) -> list[Scored]:
    return [
        EXPLAINERS[method](bundle, reading, contrast(bundle, label))
        for reading, label in zip(answered.readings, answered.labels.tolist(), strict=True)
    ]


def _correlate(ours: _Answered, our: Sequence[Scored], theirs: _Answered, their: Sequence[Scored]) -> Scores:
    """Return Spearman's rank correlation of each text's words between two models."""
    from scipy.stats import spearmanr

    found = []
    for one, other in zip(
        zip(ours.readings, our, strict=True), zip(theirs.readings, their, strict=True), strict=True
    ):
        pair = [_of_words(reading, scored.scores) for reading, scored in (one, other)]
        is_ranked = len(pair[0]) >= _FEWEST_WORDS and all(np.ptp(each) > 0 for each in pair)
        found.append(spearmanr(*pair).statistic if is_ranked else np.nan)
    return np.array(found, np.float64)


def _of_words(reading: Reading, scores: Scores) -> Scores:
    """Return the scores of the text's words, runs between white space."""
    total = np.append(0.0, divided(scores, reading.starts, reading.ends, len(reading.text)).cumsum())
    words = np.array([word.span() for word in re.finditer(r"\S+", reading.text)]).reshape(-1, 2)
    return np.asarray(total[words[:, 1]] - total[words[:, 0]])


def _areas(
    bundle: ModelBundle, answered: _Answered, orders: Sequence[Sequence[Scores]], way: str
) -> tuple[Scores, Scores]:
    """Return comprehensiveness and sufficiency of each text, means over SHARES and over its orders."""
    after = []
    for start in range(0, len(orders), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        readings, labels = answered.readings[part], answered.labels[part]
        gone = [_taken(reading, of) for reading, of in zip(readings, orders[part], strict=True)]
        logits = logits_of(bundle, ablate(bundle, readings, gone, way))
        probabilities = to_probabilities(logits, bundle.is_multilabel, bundle.evenness)
        by_text = probabilities.reshape(len(labels), -1, len(bundle.label_names))
        after.append(by_text[np.arange(len(labels)), :, labels])
    fallen = answered.probabilities[:, None] - np.concatenate(after)
    both = fallen.astype(np.float64).reshape(len(orders), -1, 2, len(SHARES))
    return both[:, :, 0].mean((1, 2)), both[:, :, 1].mean((1, 2))


def _taken(reading: Reading, orders: Sequence[Scores]) -> Masks:
    """Return which pieces are taken out, bool [variants, pieces]: in each order each share of the highest,
    then each time all but those."""
    pieces, gone = np.arange(reading.first, len(reading)), []
    for scores in orders:
        rank = np.full(len(reading), len(reading))
        rank[pieces[np.argsort(-scores[pieces], kind="stable")]] = np.arange(len(pieces))
        highest = rank < np.ceil(np.array(SHARES) * len(pieces))[:, None]
        gone += [highest, ~highest & (np.arange(len(reading)) >= reading.first)]
    return np.concatenate(gone)

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
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bundle import ModelBundle
from ..errors import ConfigError
from ..inference import predict_proba, to_probabilities
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


def measure(bundle: ModelBundle, texts: Sequence[str], methods: Iterable[str] = EXPLAINERS) -> dict[str, Any]:
    """Return the figures of each method that the model allows, and of `random` orders, by name.

    For each of WAYS `comprehensiveness`, `sufficiency` and `times_random` (of comprehensiveness); `gap`, the
    median over the texts, where the method has one; `randomized`, the rank correlation with the scores of the
    same network with shuffled weights. Each with the 95 % interval over texts. Empty texts are left out.
    """
    readings = [reading for text in texts if len(reading := read(bundle, text)) > reading.first]
    if not readings:
        return {}
    labels = _labels(bundle, readings)
    other = shuffled(bundle)
    generator = np.random.default_rng(0)
    orders = {"random": [[generator.random(len(each)) for _ in range(_DRAWS)] for each in readings]}
    figures: dict[str, dict[str, Any]] = {"random": {}}
    for method in methods:
        try:
            scored = _score(bundle, readings, labels, method)
        except ConfigError:  # this network has no such thing
            continue
        orders[method] = [[each.scores] for each in scored]
        alike = correlations(readings, scored, readings, _score(other, readings, labels, method))
        gaps = [each.gap for each in scored if each.gap is not None]
        figures[method] = {"gap": float(np.median(gaps))} if gaps else {}
        figures[method] |= estimate("randomized", alike)
    for way in WAYS:
        areas = {name: _areas(bundle, readings, labels, of, way) for name, of in orders.items()}
        for name, (fallen, missing) in areas.items():
            figures[name][way] = {
                **estimate("comprehensiveness", fallen),
                **estimate("sufficiency", missing),
                **estimate("times_random", fallen, areas["random"][0]),
            }
    return figures


def agreement(bundle: ModelBundle, other: ModelBundle, texts: Sequence[str], method: str) -> Scores:
    """Return for each text the rank correlation of its words' scores by two models, of the first one's label;
    NaN for a text of fewer than three words."""
    ours, theirs = ([read(each, text) for text in texts] for each in (bundle, other))
    labels = _labels(bundle, ours)
    scored = _score(bundle, ours, labels, method), _score(other, theirs, labels, method)
    return correlations(ours, scored[0], theirs, scored[1])


def shuffled(bundle: ModelBundle) -> ModelBundle:
    """Return the model with the numbers within each array of weights in random order."""
    generator = np.random.default_rng(0)
    weights = {
        name: generator.permutation(each.ravel()).reshape(each.shape) for name, each in bundle.weights.items()
    }
    return replace(bundle, weights=weights, graphs={})


def estimate(name: str, values: Scores, over: Scores | None = None) -> dict[str, Any]:
    """Return the mean of `values`, one a text, or its ratio to the mean of `over`, and the bootstrap's 95 %
    interval."""
    values = values[~np.isnan(values)]
    drawn = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    drawn = np.concatenate([np.arange(len(values))[None], drawn])
    means = values[drawn].mean(1)
    if over is not None:
        means = means / over[drawn].mean(1)
    return {name: float(means[0]), f"{name}_ci95": np.quantile(means[1:], (0.025, 0.975)).tolist()}


def correlations(
    ours: Sequence[Reading], our: Sequence[Scored], theirs: Sequence[Reading], their: Sequence[Scored]
) -> Scores:
    """Return Spearman's rank correlation of each text's words between two readings."""
    from scipy.stats import spearmanr

    found = []
    for reading, scored, other, of_other in zip(ours, our, theirs, their, strict=True):
        pair = _of_words(reading, scored.scores), _of_words(other, of_other.scores)
        can = len(pair[0]) >= _FEWEST_WORDS and all(np.ptp(each) > 0 for each in pair)
        found.append(spearmanr(*pair).statistic if can else np.nan)
    return np.array(found, np.float64)


def _of_words(reading: Reading, scores: Scores) -> Scores:
    """Return the scores of the text's words, runs between white space."""
    total = np.concatenate([[0.0], divided(scores, reading.starts, reading.ends, len(reading.text)).cumsum()])
    words = np.array([word.span() for word in re.finditer(r"\S+", reading.text)]).reshape(-1, 2)
    return np.asarray(total[words[:, 1]] - total[words[:, 0]])


def _labels(bundle: ModelBundle, readings: Sequence[Reading]) -> Labels:
    labels: Labels = predict_proba(bundle, [each.text for each in readings]).argmax(1)
    return labels


def _score(
    bundle: ModelBundle, readings: Sequence[Reading], labels: npt.NDArray[np.int64], method: str
) -> list[Scored]:
    explainer = EXPLAINERS[method]
    return [
        explainer(bundle, each, contrast(bundle, label)) for each, label in zip(readings, labels, strict=True)
    ]


def _areas(
    bundle: ModelBundle,
    readings: Sequence[Reading],
    labels: Labels,
    orders: Sequence[Sequence[Scores]],
    way: str,
) -> tuple[Scores, Scores]:
    """Return comprehensiveness and sufficiency of each text, means over SHARES and over its orders."""
    fallen = []
    for start in range(0, len(readings), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        gone = [_taken(reading, of) for reading, of in zip(readings[part], orders[part], strict=True)]
        logits = logits_of(bundle, ablate(bundle, readings[part], gone, way))
        probabilities = to_probabilities(logits, bundle.is_multilabel, bundle.evenness)
        before = predict_proba(bundle, [each.text for each in readings[part]])
        rows = np.arange(len(before))
        after = probabilities.reshape(len(before), -1, before.shape[1])[rows, :, labels[part]]
        fallen.append(before[rows, labels[part], None] - after)
    both = np.concatenate(fallen).astype(np.float64).reshape(len(readings), -1, 2, len(SHARES))
    return both[:, :, 0].mean((1, 2)), both[:, :, 1].mean((1, 2))


def _taken(reading: Reading, orders: Sequence[Scores]) -> Masks:
    """Return which pieces are taken out, bool [variants, pieces]: in each order each share of the highest, then
    all but that share."""
    pieces, gone = np.arange(reading.first, len(reading)), []
    for scores in orders:
        rank = np.full(len(reading), len(reading))
        rank[pieces[np.argsort(-scores[pieces], kind="stable")]] = np.arange(len(pieces))
        highest = rank < np.ceil(np.array(SHARES) * len(pieces))[:, None]
        gone += [highest, ~highest & (np.arange(len(reading)) >= reading.first)]
    return np.concatenate(gone)

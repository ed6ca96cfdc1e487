"""The n-gram branch, fitted: a support vector machine over naive-Bayes weighted TF-IDF features.

Each feature is weighted by how differently the label's texts and the others use it, r = |ln(p / q)| of
its shares among theirs, smoothed by one (Wang & Manning 2012), half of it and half of its mean; then there
is a linear machine for each label against the others. The weights fold into one number a feature and label.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import TextConfig, score_width
from ..data.rows import Dataset
from ..text.ngrams import NgramIndexer, chunks, count_ngrams

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
_PENALTY = 1.0  # the machine's C: the smaller, the nearer to zero its weights stay
_TOLERANCE = 1e-2  # of the machine; with 1e-4 NSMC takes two thirds longer, for the same answers
_WEIGHTS = 2**26  # of all n-grams and labels together, at 4 bytes each
_FEATURES = 20_000_000  # of all texts that a machine learns from, at 32 bytes each
_NAIVE_BAYES = 0.5  # share of the naive-Bayes weight beside its mean


@dataclass(frozen=True)
class NgramBranch:
    """The known n-grams, and the parameters of `nn.ngrams.NgramScores`: "ngrams.weight" [features, scores]
    and "ngrams.bias" [scores], one score for two classes, else one a class or label."""

    indexer: NgramIndexer
    parameters: dict[str, Floats]

    def score(self, texts: Sequence[str]) -> Floats:
        """Return what `nn.ngrams.NgramScores` gives, float32 [texts, scores]."""
        weight = self.parameters["ngrams.weight"]
        scores = np.concatenate([feature_matrix(self.indexer, chunk) @ weight for chunk in chunks(texts)])
        return np.asarray(scores + self.parameters["ngrams.bias"], np.float32)


def fit_ngrams(train: Dataset, config: TextConfig, weights: Tensor | None = None) -> NgramBranch:
    """Return the branch fitted on the training rows. weights: of their labels' shape, what each counts."""
    classes = len(train.label_names)
    width = score_width(classes, "sigmoids" if train.is_multilabel else "softmax")
    indexer = NgramIndexer.fit(train.texts, config, _WEIGHTS // width)
    features = feature_matrix(indexer, train.texts)
    counted = None if weights is None else weights.numpy()
    weight, bias = fit_scores(features, train.targets, classes, counted)
    return NgramBranch(indexer, {"ngrams.weight": weight, "ngrams.bias": bias})


def fit_scores(
    features: Any,
    labels: npt.NDArray[np.int64],
    classes: int,
    weights: Floats | None = None,
    penalty: float = _PENALTY,
) -> tuple[Floats, Floats]:
    """Return weight [features, scores] and bias [scores] of the machines that tell the rows of `features`,
    sparse [rows, features], apart. penalty: their C."""
    scores = score_width(classes, "sigmoids" if labels.ndim == 2 else "softmax")
    weight, bias = np.zeros((features.shape[1], scores), np.float32), np.zeros(scores, np.float32)
    for score in range(scores):
        if labels.ndim == 2:
            target = labels[:, score]
        else:
            target = (labels == (1 if scores == 1 else score)).astype(np.int64)
        counted = np.ones(len(labels), np.float32) if weights is None else weights
        counted = counted[:, score] if counted.ndim == 2 else counted
        weight[:, score], bias[score] = _fit(features, target, counted, penalty)
    return weight, bias


def _fit(
    features: Any, target: npt.NDArray[np.int64], weights: Floats, penalty: float
) -> tuple[Floats, float]:
    """Return weight [features] and bias [] of the machine that tells rows of `target` 1 from the others."""
    import scipy.sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if not (counts := weights > 0).all():
        features, target, weights = features[counts], target[counts], weights[counts]
    if target.all() or not target.any() or not features.shape[1]:  # nothing to learn, or to learn from
        share = float(np.clip(target.mean(), 0.01, 0.99))
        return np.zeros(features.shape[1], np.float32), float(np.log(share / (1 - share)))
    ratio = _naive_bayes(features, target, weights)
    values = np.multiply(
        features.data, ratio[features.indices], dtype=np.float64
    )  # as the machine wants them
    weighted = scipy.sparse.csr_matrix((values, features.indices, features.indptr), features.shape)
    machine = LinearSVC(C=penalty, tol=_TOLERANCE, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there serves as well
        machine.fit(weighted, target, sample_weight=weights)
    return (machine.coef_[0] * ratio).astype(np.float32), float(machine.intercept_[0])


def _naive_bayes(features: Any, target: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """Return the weight of each feature, float32 [features]."""
    inside, outside = (
        np.bincount(features.indices, np.repeat(counted, np.diff(features.indptr)), features.shape[1]) + 1
        for counted in (weights * target, weights * (1 - target))
    )
    ratio = np.abs(np.log((inside / inside.sum()) / (outside / outside.sum())))
    return np.asarray(_NAIVE_BAYES * ratio + (1 - _NAIVE_BAYES) * ratio.mean(), np.float32)


def feature_matrix(indexer: NgramIndexer, texts: Sequence[str]) -> Any:
    """Return the known n-grams of each text, weighted, sparse float32 [texts, features]."""
    import scipy.sparse

    ids, values, offsets = indexer.index(texts)
    return scipy.sparse.csr_matrix((values, ids, offsets), shape=(len(texts), len(indexer)))


def count_features(texts: Sequence[str], config: TextConfig) -> int:
    """Return how many different n-grams each of the texts has, summed."""
    counted = (count_ngrams(each, config.word_ngrams, config.character_ngrams) for each in chunks(texts))
    return sum(len(rows) for rows, _, _ in counted)


def rows_within_reach(texts: Sequence[str], count: Callable[[Sequence[str]], int]) -> int:
    """Return of how many texts the features, which `count` counts, fit into the memory of a machine."""
    some = texts[:: len(texts) // 500 + 1]
    return max(1, int(_FEATURES * len(some) / max(1, count(some))))

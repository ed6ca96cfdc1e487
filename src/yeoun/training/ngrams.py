"""The n-gram branch, fitted: a support vector machine over naive-Bayes weighted TF-IDF features.

Each feature is weighted by how differently the label's texts and the others use it, r = |ln(p / q)| of
its shares among theirs, smoothed by one (Wang & Manning 2012), half of it and half of its mean; then there
is a linear machine for each label against the others. The weights fold into one number a feature and label.
Titles have machines of their own, whose scores are added: beside all the n-grams of the texts their few would
have little to say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import TextConfig, score_width
from ..data.rows import Dataset
from ..data.splits import stratified_folds
from ..text.ngrams import NgramIndexer, chunks, count_ngrams

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
_PENALTY = 1.0  # the machine's C: the smaller, the nearer to zero its weights stay;
_PENALTY_OF_MANY = 2.0  # with three labels or more, each of which has fewer rows
_TOLERANCE = 1e-2  # of the machine; with 1e-4 NSMC takes two thirds longer, for the same answers
_WEIGHTS = 2**26  # of all n-grams and labels together, at 4 bytes each
FEATURES = 20_000_000  # of all texts that are examined or that a baseline learns from, at 32 bytes each,
TRAINED_FEATURES = 64_000_000  # and of those that the n-grams of a model learn from
_TITLES = 0.3  # of the scores that the machines of titles give
_NAIVE_BAYES = 0.5  # share of the naive-Bayes weight beside its mean
_FEW_ROWS = 3_000  # of fewer, cross-validation says whether there is any
_FOLDS = 4  # of that, and
_FOLDS_UNSEEN = 5  # of rows that are scored by machines which did not see their labels


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
    share = _choose_share(features, indexer.of_texts, train.targets, classes, counted)
    weight, bias = fit_scores(features, indexer.of_texts, train.targets, classes, counted, share=share)
    return NgramBranch(indexer, {"ngrams.weight": weight, "ngrams.bias": bias})


def score_unseen(
    rows: Dataset,
    config: TextConfig,
    seed: int,
    weights: Tensor | None = None,
    penalty: float | None = None,
    most: int = FEATURES,
) -> Floats:
    """Return the scores of each row, float32 [rows, scores], by machines that did not see its label.

    Only labels are withheld: n-grams are counted on all rows. Rows with the same text are withheld together.
    Where there are more than `most` features, each part of the rows has machines of its own. weights: of
    their labels' shape, what each counts. penalty: the machines' C.
    """
    classes = len(rows.label_names)
    within = rows_with_ngrams(rows.texts, config, most)
    parts = np.array_split(np.random.default_rng([seed, 4]).permutation(len(rows)), -(-len(rows) // within))
    width = score_width(classes, "sigmoids" if rows.is_multilabel else "softmax")
    scores = np.zeros((len(rows), width), np.float32)
    for part in parts:
        places = np.sort(part)
        some = rows.take(places)
        counted = None if weights is None else weights.numpy()[places]
        indexer = NgramIndexer.fit(some.texts, config, _WEIGHTS // width)
        features, of_texts = feature_matrix(indexer, some.texts), indexer.of_texts
        share = _choose_share(features, of_texts, some.targets, classes, counted)
        fold = stratified_folds(some, _FOLDS_UNSEEN, seed)
        scores[places] = _score_folds(
            features, of_texts, some.targets, classes, counted, fold, share, penalty
        )
    return scores


def _score_folds(
    features: Any,
    of_texts: int,
    labels: npt.NDArray[np.int64],
    classes: int,
    weights: Floats | None,
    fold: npt.NDArray[np.int64],
    share: float,
    penalty: float | None = None,
) -> Floats:
    """Return the scores of each row, float32 [rows, scores], by the machines that learned from the rows of
    other folds."""
    scores = np.zeros((len(labels), score_width(classes, "sigmoids" if labels.ndim == 2 else "softmax")))
    for each in np.unique(fold):
        seen, unseen = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        counted = None if weights is None else weights[seen]
        weight, bias = fit_scores(features[seen], of_texts, labels[seen], classes, counted, penalty, share)
        # Of a label all of whose rows are withheld nothing is known, least of all that it is another.
        bias = np.where(weight.any(0), bias, bias.clip(-1, 1))
        scores[unseen] = features[unseen] @ weight + bias
    return scores.astype(np.float32)


def _choose_share(
    features: Any, of_texts: int, labels: npt.NDArray[np.int64], classes: int, weights: Floats | None = None
) -> float:
    """Return the share of the naive-Bayes weight: of few rows none, where more of them are answered rightly
    without it than chance explains, each by machines that learned from others. In few long texts it is mere
    chance's."""
    if len(labels) >= _FEW_ROWS:
        return _NAIVE_BAYES
    fold = np.random.default_rng(0).permutation(len(labels)) % _FOLDS
    right = {}
    for share in (_NAIVE_BAYES, 0.0):
        scores = _score_folds(features, of_texts, labels, classes, weights, fold, share)
        if labels.ndim == 2:
            right[share] = ((scores > 0) == labels).all(1)
        else:
            answers = scores.argmax(1) if scores.shape[1] > 1 else scores[:, 0] > 0
            right[share] = answers == labels
    won, lost = (int((right[a] & ~right[b]).sum()) for a, b in ((0.0, _NAIVE_BAYES), (_NAIVE_BAYES, 0.0)))
    return 0.0 if won - lost > 2 * (won + lost) ** 0.5 else _NAIVE_BAYES


def fit_scores(
    features: Any,
    of_texts: int,
    labels: npt.NDArray[np.int64],
    classes: int,
    weights: Floats | None = None,
    penalty: float | None = None,
    share: float = _NAIVE_BAYES,
) -> tuple[Floats, Floats]:
    """Return weight [features, scores] and bias [scores] of the machines that tell the rows of `features`,
    sparse [rows, features], apart. of_texts: so many of the features are of texts, the others of titles.
    penalty: the machines' C, None as in training. share: of the naive-Bayes weight beside its mean."""
    scores = score_width(classes, "sigmoids" if labels.ndim == 2 else "softmax")
    weight, bias = np.zeros((features.shape[1], scores), np.float32), np.zeros(scores, np.float32)
    if penalty is None:
        penalty = _PENALTY if scores <= 2 else _PENALTY_OF_MANY
    parts = [(slice(None), features, 1.0, 1.0)]
    if of_texts < features.shape[1]:
        titles = features[:, of_texts:]
        titled = float((np.diff(titles.indptr) > 0).mean())
        parts = [
            (slice(of_texts), features[:, :of_texts], 1.0, 1.0),
            (slice(of_texts, None), titles, _TITLES, _TITLES * titled),  # a bias is of texts without one, too
        ]
    for score in range(scores):
        if labels.ndim == 2:
            target = labels[:, score]
        else:
            target = (labels == (1 if scores == 1 else score)).astype(np.int64)
        counted = np.ones(len(labels), np.float32) if weights is None else weights
        counted = counted[:, score] if counted.ndim == 2 else counted
        for columns, part, worth, worth_of_bias in parts:
            found, shift = _fit(part, target, counted, penalty, share)
            weight[columns, score] = worth * found
            bias[score] += worth_of_bias * shift
    return weight, bias


def _fit(
    features: Any, target: npt.NDArray[np.int64], weights: Floats, penalty: float, share: float
) -> tuple[Floats, float]:
    """Return weight [features] and bias [] of the machine that tells rows of `target` 1 from the others."""
    import scipy.sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if not (counts := weights > 0).all():
        features, target, weights = features[counts], target[counts], weights[counts]
    if target.all() or not target.any() or not features.shape[1]:  # nothing to learn, or to learn from
        mean = float(np.clip(target.mean(), 0.01, 0.99)) if len(target) else 0.5
        return np.zeros(features.shape[1], np.float32), float(np.log(mean / (1 - mean)))
    ratio = _naive_bayes(features, target, weights, share)
    values = np.multiply(
        features.data, ratio[features.indices], dtype=np.float64
    )  # as the machine wants them
    weighted = scipy.sparse.csr_matrix((values, features.indices, features.indptr), features.shape)
    machine = LinearSVC(C=penalty, tol=_TOLERANCE, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there serves as well
        machine.fit(weighted, target, sample_weight=weights)
    return (machine.coef_[0] * ratio).astype(np.float32), float(machine.intercept_[0])


def _naive_bayes(features: Any, target: npt.NDArray[np.int64], weights: Floats, share: float) -> Floats:
    """Return the weight of each feature, float32 [features]."""
    inside, outside = (
        np.bincount(features.indices, np.repeat(counted, np.diff(features.indptr)), features.shape[1]) + 1
        for counted in (weights * target, weights * (1 - target))
    )
    ratio = np.abs(np.log((inside / inside.sum()) / (outside / outside.sum())))
    return np.asarray(share * ratio + (1 - share) * ratio.mean(), np.float32)


def feature_matrix(indexer: NgramIndexer, texts: Sequence[str]) -> Any:
    """Return the known n-grams of each text, weighted, sparse float32 [texts, features]."""
    import scipy.sparse

    ids, values, offsets = indexer.index(texts)
    return scipy.sparse.csr_matrix((values, ids, offsets), shape=(len(texts), len(indexer)))


def count_features(texts: Sequence[str], config: TextConfig) -> int:
    """Return how many different n-grams each of the texts has, summed."""
    counted = (count_ngrams(each, config.word_ngrams, config.character_ngrams) for each in chunks(texts))
    return sum(len(rows) for rows, _, _ in counted)


def rows_with_ngrams(texts: Sequence[str], config: TextConfig, most: int) -> int:
    """Return of how many texts the n-grams are no more than `most` features."""
    return rows_within_reach(texts, partial(count_features, config=config), most)


def rows_within_reach(
    texts: Sequence[str], count: Callable[[Sequence[str]], int], features: int = FEATURES
) -> int:
    """Return of how many texts the features, which `count` counts, are no more than so many."""
    some = texts[:: len(texts) // 500 + 1]
    return max(1, int(features * len(some) / max(1, count(some))))

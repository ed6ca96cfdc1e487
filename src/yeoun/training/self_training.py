"""Self-training (Yarowsky 1995): the n-grams learn once more, also from their own answers to texts without
labels, each of which counts as much as it is sure.

That helps where the labelled rows hold few of the words to come. So it is done where there are several texts
a row, and kept where the validation rows are the likelier for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..config import Configuration
from ..data.rows import Dataset
from ..inference import class_logits, to_probabilities
from .combination import fit_scales
from .linear import ngram_rows
from .ngrams import NgramBranch, count_features, fit_ngrams, rows_within_reach
from .objective import label_weights

_FEATURES = 40_000_000  # of all texts without labels, at 32 bytes each
_PULL = 1.0
TEXTS_A_ROW = 5  # at least

Floats = npt.NDArray[np.float32]


class SelfTraining(NamedTuple):
    """branch: the n-grams that learned from `texts`, too. scale: of their scores before, which says how sure
    they were. helps: whether validation rows are the likelier for it, by more than one standard error."""

    branch: NgramBranch
    texts: Sequence[str]
    scale: float
    helps: bool


def self_train(
    branch: NgramBranch | None,
    train: Dataset,
    valid: Dataset,
    unlabelled: Sequence[str],
    configuration: Configuration,
    seed: int,
) -> SelfTraining | None:
    """Return what `branch`, which learned from `train`, becomes with the `unlabelled` texts, or as many of
    them as memory has room for; None without a branch, with too few texts, or with rows that are weighed."""
    if branch is None or len(unlabelled) < TEXTS_A_ROW * len(train):
        return None
    if label_weights(train, configuration.train) is not None:
        return None
    count = partial(count_features, config=configuration.text)
    room = min(len(unlabelled), rows_within_reach(unlabelled, count, _FEATURES))
    texts = [unlabelled[int(row)] for row in np.linspace(0, len(unlabelled) - 1, room)]
    scale, before = _losses(branch, valid)
    more = learn_more(branch, train, texts, scale, configuration, seed)
    fallen = before - _losses(more, valid)[1]
    error = float(fallen.std()) / max(1, len(fallen)) ** 0.5
    return SelfTraining(more, texts, scale, float(fallen.mean()) > error)


def learn_more(
    branch: NgramBranch,
    train: Dataset,
    texts: Sequence[str],
    scale: float,
    configuration: Configuration,
    seed: int,
) -> NgramBranch:
    """Return the n-grams fitted to the training rows, of too many to some, and to `texts`, which `branch`
    labels."""
    several, classes = train.is_multilabel, len(train.label_names)
    train = ngram_rows(train, configuration, seed)
    probabilities = to_probabilities(_logits(branch, texts, several) * np.float32(scale), several)
    if several:
        labels, sureness = (probabilities >= 0.5).astype(np.int64), np.abs(2 * probabilities - 1)
    else:
        labels = probabilities.argmax(1).astype(np.int64)
        sureness = (classes * probabilities.max(1) - 1) / (classes - 1)
    return fit_ngrams(
        Dataset([*train.texts, *texts], np.concatenate([train.targets, labels]), train.label_names),
        configuration.text,
        torch.cat([torch.ones(train.targets.shape), torch.from_numpy(np.asarray(sureness, np.float32))]),
    )


def _losses(branch: NgramBranch, valid: Dataset) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the scale that suits the scores of these rows best, and the loss of each row with it (nats)."""
    several = valid.is_multilabel
    logits = _logits(branch, valid.texts, several)
    (scale,) = fit_scales([logits], valid.targets, [_PULL])
    probabilities = np.clip(to_probabilities(logits * np.float32(scale), several), 1e-12, 1.0)
    if several:
        true = np.where(valid.targets == 1, probabilities, 1 - probabilities)
        return scale, -np.log(np.clip(true, 1e-12, 1.0)).mean(1).astype(np.float64)
    return scale, -np.log(probabilities[np.arange(len(valid)), valid.targets]).astype(np.float64)


def _logits(branch: NgramBranch, texts: Sequence[str], several: bool) -> Floats:
    scores = branch.score(texts)
    return scores if several else class_logits(scores)

"""The linear models of a training run: the baseline and the n-grams, from as many rows as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..config import Configuration
from ..data.rows import Dataset
from ..evaluation import linear
from ..evaluation.linear import LinearBaseline, fit_linear
from ..process import return_memory
from .ngrams import TRAINED_FEATURES, NgramBranch, fit_ngrams, rows_with_ngrams, rows_within_reach
from .objective import label_weights

_BASELINE_ROWS = 160_000  # of more, the baseline learns from so many


class LinearModels(NamedTuple):
    """The baseline, the n-grams where the model reads any, and by name how many of the rows each learned
    from, where it is not all."""

    baseline: LinearBaseline
    ngrams: NgramBranch | None
    rows: dict[str, int]


class Answered(NamedTuple):
    """Texts with the labels that a model gave them, int64 [rows], or 0 and 1 in [rows, C], and how sure it
    was of each, float32 from 0 to 1, of the same shape."""

    texts: Sequence[str]
    labels: npt.NDArray[np.int64]
    sureness: npt.NDArray[np.float32]


def fit_linear_models(
    train: Dataset, configuration: Configuration, seed: int, more: Answered | None = None
) -> LinearModels:
    """Return both fitted on the training rows, of too many on some that `seed` draws; the n-grams on `more`,
    too, each text counting as much as its label is sure."""
    within = min(_BASELINE_ROWS, rows_within_reach(train.texts, linear.count_features))
    some = sample(train, within, seed)
    baseline, ngrams = fit_linear(some.texts, some.targets, len(some.label_names), some.weights), None
    rows = {"baseline_rows": len(some)}
    return_memory()
    if configuration.model.ngrams:
        some = ngram_rows(train, configuration, seed)
        ngrams = learn_ngrams(some, configuration, more)
        rows["ngram_rows"] = len(some)
        return_memory()
    return LinearModels(baseline, ngrams, {name: few for name, few in rows.items() if few < len(train)})


def learn_ngrams(rows: Dataset, configuration: Configuration, more: Answered | None) -> NgramBranch:
    """Return the n-grams fitted on the rows and, beside rows that all count alike, on `more`."""
    weights = label_weights(rows, configuration.train)
    if more is not None:
        weights = torch.cat([torch.ones(rows.targets.shape), torch.from_numpy(more.sureness)])
        labels = np.concatenate([rows.targets, more.labels])
        rows = Dataset([*rows.texts, *more.texts], labels, rows.label_names)
    return fit_ngrams(rows, configuration.text, weights)


def ngram_rows(train: Dataset, configuration: Configuration, seed: int) -> Dataset:
    """Return the rows that the n-grams learn from: all, or of too many some that `seed` draws."""
    return sample(train, rows_with_ngrams(train.texts, configuration.text, TRAINED_FEATURES), seed)


def sample(train: Dataset, rows: int, seed: int) -> Dataset:
    """Return about so many of the training rows, drawn by `seed`, some of every label; all where they are
    fewer."""
    if len(train) <= rows:
        return train
    drawn = np.random.default_rng([seed, 2]).permutation(len(train))[:rows]
    firsts = [int(train.rows_with(label)[0]) for label in range(len(train.label_names))]
    return train.take(np.union1d(drawn, firsts))

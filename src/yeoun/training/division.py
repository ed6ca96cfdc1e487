"""The rows of a run: which are learned from, and which are held out to choose by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..config import TrainConfig
from ..data.rows import Dataset
from ..data.splits import random_split, stratified_split
from ..errors import DataError


class Division(NamedTuple):
    """given: all rows to learn from, of which `valid` were cut where they were not given themselves. train:
    those that are left. unlabelled: texts of the same kind, none of which is a text of `valid`."""

    given: Dataset
    train: Dataset
    valid: Dataset
    unlabelled: Sequence[str]


def divide(
    given: Dataset, valid: Dataset | None, unlabelled: Sequence[str], config: TrainConfig, seed: int
) -> Division:
    """Return the rows with a share of `given` held out, where no `valid` are given.

    Raises DataError where none are held out, or no training row of a label is left.
    """
    train = given
    if valid is None:
        if config.validation_split == "random":
            kept, held_out = random_split(len(given), config.validation_share, seed)
        else:
            kept, held_out = stratified_split(given, config.validation_share, seed)
        train, valid = given.take(kept), given.take(held_out)
    if not len(valid):
        raise DataError("no validation rows: expected at least one")
    several = train.is_multilabel
    classes = len(train.label_names)
    rows_of = train.targets.sum(0) if several else np.bincount(train.targets, minlength=classes)
    if not rows_of.all():
        raise DataError(
            f"no training row of label {train.label_names[int(rows_of.argmin())]!r} is left beside the"
            f" {len(valid)} held out: add rows of it, take another seed, or give --valid"
        )
    return Division(given, train, valid, _unseen(unlabelled, valid))


def _unseen(unlabelled: Sequence[str], valid: Dataset) -> Sequence[str]:
    if not len(unlabelled):
        return unlabelled  # without a set of the others, which may be many
    held_out = set(valid.texts)
    kept = [row for row, text in enumerate(unlabelled) if text not in held_out]
    if len(kept) == len(unlabelled):
        return unlabelled
    return Dataset(unlabelled, None, ()).take(np.array(kept, np.int64)).texts

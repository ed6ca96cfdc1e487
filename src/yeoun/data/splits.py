"""Which rows train and which are held out: stratified, seeded, duplicate-safe, in runs of neighbours; and the
articles' own splits."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .rows import Dataset

Rows = npt.NDArray[np.int64]
_RUNS = 100  # of neighbouring rows, into which they are cut before some are drawn


def stratified_split(dataset: Dataset, share: float, seed: int) -> tuple[Rows, Rows]:
    """Return `(kept, held_out)` row numbers, ascending, with about `share` of each class held out.

    Rows with the same text stay together, so that no held-out text was trained on. What is held out are runs
    of neighbouring rows: neighbours often are of one film, author or day, and a text whose neighbour was
    trained on is easier than new ones will be. At least one text of each class is kept, and one held out
    where the class has two. A row with several labels counts as one of its rarest; a label is then held out
    where that takes no label's last text from training.
    Raises DataError when nothing could be held out.
    """
    strata = _strata(dataset)
    group = first_rows(dataset.texts)
    leaders = np.unique(group)
    leader_labels = strata[leaders]
    generator = np.random.default_rng([seed, 0])
    place_of_run = generator.permutation(_RUNS)
    held_out = np.zeros(len(dataset), bool)
    for label in np.unique(leader_labels):
        members = leaders[leader_labels == label]
        runs = members * _RUNS // len(dataset)
        if len(np.unique(runs)) < _RUNS // 10:  # rows in the order of many labels: runs of its own
            runs = np.arange(len(members)) * _RUNS // len(members)
        members = members[np.argsort(place_of_run[runs], kind="stable")]
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held_out[members[:count]] = True
    held_out = held_out[group]
    for label in range(len(dataset.label_names)):  # a class that only shares texts or rows with others
        of_class = dataset.rows_with(label)
        if len(of_class) and held_out[of_class].all():
            held_out[group == group[of_class[0]]] = False
    if dataset.is_multilabel:
        _hold_out_the_rest(dataset.targets, group, held_out)
    if not held_out.any():
        raise DataError(
            f"cannot hold out some of {len(dataset)} rows with {len(dataset.label_names)} labels: expected a"
            " label with two different texts; check the label column, add rows, or give held-out ones"
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def stratified_folds(dataset: Dataset, folds: int, seed: int) -> Rows:
    """Return the fold of each row, from 0: each has its share of each class, and all rows of a text."""
    first = first_rows(dataset.texts)
    texts = np.random.default_rng([seed, 0]).permutation(np.unique(first))
    texts = texts[np.argsort(_strata(dataset)[texts], kind="stable")]
    fold = np.zeros(len(dataset), np.int64)
    fold[texts] = np.arange(len(texts)) % folds
    return fold[first]


def first_rows(texts: Iterable[str]) -> Rows:
    """Return for each text the number of the first row with the same one, told by 64 bits of a hash."""
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    hashes = np.fromiter((int.from_bytes(digest, "little", signed=True) for digest in digests), np.int64)
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64)


def _strata(dataset: Dataset) -> Rows:
    """Return the class of each row, of several the rarest; rows without any share one of their own."""
    if not dataset.is_multilabel:
        return dataset.targets
    rows_with = dataset.targets.sum(0)
    rarity = np.where(dataset.targets == 1, rows_with, len(dataset) + 1)
    return np.where(dataset.targets.any(1), rarity.argmin(1), len(rows_with))


def _hold_out_the_rest(targets: Rows, group: Rows, held_out: npt.NDArray[np.bool_]) -> None:
    """Hold out a text of each label that has none held out, where every label keeps another."""
    kept = targets[~held_out].sum(0)
    for label in np.flatnonzero(kept > 1):
        rows_with = np.flatnonzero(targets[:, label])
        for row in rows_with if not held_out[rows_with].any() else ():
            moved = group == group[row]
            left = kept - targets[moved].sum(0)
            if (left[kept > 0] > 0).all():
                held_out[moved], kept = True, left
                break


def random_split(rows: int, share: float, seed: int) -> tuple[Rows, Rows]:
    """Return a random order of `rows` cut in two, its last `share` held out (as the articles do)."""
    order = np.random.default_rng([seed, 0]).permutation(rows)
    kept = rows - round(share * rows)
    return order[:kept], order[kept:]


def pandas_sample(rows: int, share: float, random_state: int) -> tuple[Rows, Rows]:
    """Return what `frame.sample(frac=share, random_state=random_state)` takes, in its order, and the
    rest, ascending (as `frame.drop(sample.index)` leaves it)."""
    taken = np.random.RandomState(random_state).permutation(rows)[: round(share * rows)]
    rest = np.setdiff1d(np.arange(rows), taken)
    return taken, rest


def scikit_learn_split(rows: int, share: float, random_state: int) -> tuple[Rows, Rows]:
    """Return scikit-learn's `train_test_split(test_size=share, random_state=random_state)`."""
    held_out = int(np.ceil(share * rows))
    order = np.random.RandomState(random_state).permutation(rows)
    return order[held_out:], order[:held_out]

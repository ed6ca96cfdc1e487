"""Dataset: texts with labels, one or several each. The names of the labels and their order live here and
nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..presets import RowStatistics
from ..text.normalization import hangul_share, normalize
from .texts import TextsOnDisk

_DIGITS = 4_000  # of a number that a label may be; Python reads few more


@dataclass(frozen=True)
class Dataset:
    """Texts, the class or classes of each, and the names of the classes.

    labels: int64 [rows], indices into `label_names`; of rows with several labels each int64
    [rows, classes], 1 where the row has the label, else 0; None where there are no labels. weights:
    float32 [rows], how much each row counts in training; None where all count alike.
    """

    texts: Sequence[str]
    labels: npt.NDArray[np.int64] | None
    label_names: tuple[str, ...]
    weights: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """The labels; DataError where there are none."""
        if self.labels is None:
            raise DataError("these rows have no labels; expected labelled ones (in a file, name the column)")
        return self.labels

    @property
    def is_multilabel(self) -> bool:
        """Whether a row may have several labels, or none."""
        return self.labels is not None and self.labels.ndim == 2

    def take(self, rows: npt.NDArray[np.int64]) -> Dataset:
        """Return the dataset of these rows, in this order."""
        labels = None if self.labels is None else self.labels[rows]
        weights = None if self.weights is None else self.weights[rows]
        if isinstance(self.texts, TextsOnDisk):
            return Dataset(self.texts.take(rows), labels, self.label_names, weights)
        return Dataset([self.texts[i] for i in rows], labels, self.label_names, weights)

    def rows_with(self, label: int) -> npt.NDArray[np.int64]:
        """Return the numbers of the rows that have the label, ascending."""
        return np.flatnonzero(self.targets[:, label] == 1 if self.is_multilabel else self.targets == label)

    def named(self, label: npt.NDArray[np.int64]) -> str:
        """Return the name of a row's label, or the names of several, "none" without any."""
        return (
            ", ".join(self.label_names[i] for i in (np.flatnonzero(label) if label.ndim else [label]))
            or "none"
        )

    def fingerprint(self) -> str:
        """Return a SHA-256 over texts, labels, weights and their order."""
        digest = hashlib.sha256(repr(self.label_names).encode())
        _add(digest, self.texts)
        if self.labels is not None:
            digest.update(self.labels.tobytes())
        if self.weights is not None:
            digest.update(self.weights.tobytes())
        return digest.hexdigest()


def fingerprint(texts: Sequence[str]) -> str:
    """Return a SHA-256 over texts without labels, and their order."""
    digest = hashlib.sha256()
    _add(digest, texts)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, texts: Sequence[str]) -> None:
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)


def labelled(texts: Sequence[str], labels: Sequence[str]) -> Dataset:
    """Return the dataset of `texts` with text `labels`.

    Classes are ordered by name, whole numbers by value. Raises DataError for unequal lengths.
    """
    if len(texts) != len(labels):
        raise DataError(f"got {len(texts)} texts and {len(labels)} labels: expected one label a text")
    labels = [normalize(label) for label in labels]
    names = tuple(sorted(set(labels), key=_by_value))
    return Dataset(texts, label_indices(labels, names), names)


def label_indices(labels: Sequence[str], names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the index of each label in `names`. Raises DataError for one that is not there."""
    labels = [normalize(label) for label in labels]
    index = {name: i for i, name in enumerate(names)}
    unknown = sorted(set(labels) - set(index))
    if unknown:
        raise DataError(
            f"unknown label {unknown[0]!r}: expected one of {', '.join(names[:20])}"
            + (", ..." if len(names) > 20 else "")
        )
    return np.fromiter((index[label] for label in labels), np.int64, len(labels))


def labelled_with_several(
    texts: Sequence[str], labels: Sequence[Sequence[str]], names: Sequence[str] | None = None
) -> Dataset:
    """Return the dataset of `texts` with a list of labels each, which may be empty.

    names: the labels that may occur; else all that do, ordered as in `labelled`. Raises DataError for
    another label, and for unequal lengths.
    """
    if len(texts) != len(labels):
        raise DataError(f"got {len(texts)} texts and {len(labels)} lists of labels: expected one a text")
    flat = [label for row in labels for label in row]
    if names is None:
        names = labelled(flat, flat).label_names
    targets = np.zeros((len(texts), len(names)), np.int64)
    row = np.repeat(np.arange(len(labels)), [len(each) for each in labels])
    targets[row, label_indices(flat, tuple(names))] = 1
    return Dataset(texts, targets, tuple(names))


def require_kind(dataset: Dataset, multilabel: bool, place: str) -> None:
    """Raise DataError when the rows of `place` have one label each and several are wanted, or the other
    way round."""
    if dataset.is_multilabel != multilabel:
        kinds = ("one label a row", 'a list of labels a row, as in ["a", "b"]')
        raise DataError(f"{place}: {kinds[dataset.is_multilabel]}; expected {kinds[multilabel]}")


def statistics(dataset: Dataset, unlabelled: int = 0) -> RowStatistics:
    """Return what presets decide by, beside `unlabelled` texts without labels."""
    sample = dataset.texts[:: max(1, len(dataset) // 5000)]
    words = np.array([len(text.split()) for text in sample] or [0])
    return RowStatistics(
        rows=len(dataset),
        classes=len(dataset.label_names),
        mean_words=float(words.mean()),
        long_words=float(np.percentile(words, 95)),
        hangul_share=hangul_share(dataset.texts),
        unlabelled=unlabelled,
    )


def require_classes(dataset: Dataset) -> None:
    """Raise DataError unless there are rows of at least two classes to learn from."""
    if not len(dataset):
        raise DataError("no rows: expected at least one row of each of two labels")
    if dataset.is_multilabel:
        if not (dataset.targets.any(0) & ~dataset.targets.all(0)).any():
            raise DataError(
                f"no label tells the {len(dataset)} rows apart: expected one that some rows have, some not"
            )
        return
    present = np.unique(dataset.targets)
    if len(present) < 2:
        only = dataset.label_names[int(present[0])]
        raise DataError(
            f"one label only, {only!r}, in {len(dataset)} rows: expected two or more; check the label column"
        )


def _by_value(name: str) -> tuple[int, int, str]:
    digits = name.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS
    return (0, int(name), name) if is_number else (1, 0, name)

"""Rows from Python: lists, arrays, and the columns of pandas, polars and Hugging Face `datasets`.

None of these libraries is imported: a column is what can be walked along, a table what names its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..text.normalization import normalize
from .rows import Dataset

_SEVERAL = (list, tuple, set, frozenset)
Weights = npt.NDArray[np.float32]


def read_texts(texts: Iterable[Any]) -> list[str]:
    """Return the texts of a list, array or column, or of a table with one column.

    Raises DataError for one string, for a table of several columns, and for a text that is no string.
    """
    if isinstance(texts, str | dict):
        kind = "one string" if isinstance(texts, str) else "a dict"
        raise DataError(f"got {kind}; expected a list of texts")
    if (columns := _columns(texts)) is not None:
        if len(columns) != 1:
            raise DataError(
                f"got a table with the columns {', '.join(map(str, columns))}: expected one column of texts,"
                " as in table['text']"
            )
        texts = texts[columns[0]]  # type: ignore[index]
    elif isinstance(texts, np.ndarray) and texts.ndim == 2 and texts.shape[1] == 1:
        texts = texts[:, 0]
    read = [str(text) if isinstance(text, np.str_) else text for text in texts]
    for position, text in enumerate(read):
        if not isinstance(text, str):
            raise DataError(f"text {position} is {text!r}: expected a string")
    return read


def read_labelled(texts: Iterable[Any], labels: Any, weights: Any = None) -> tuple[Dataset, npt.NDArray[Any]]:
    """Return the dataset of `texts` with `labels`, and its classes in order, of the type that `labels` had.

    labels: one a text; or several, as a list of labels each, or as a table or array [rows, classes] of 0
    and 1, whose classes are its columns' names or numbers. weights: how much each row counts, or None; one
    of weight 0 is left out. Raises DataError for what does not fit together.
    """
    read = read_texts(texts)
    classes, targets = _read_labels(labels)
    if len(read) != len(targets):
        raise DataError(f"got {len(read)} texts and {len(targets)} labels: expected one a text")
    names = tuple(normalize(str(label)) for label in classes.tolist())
    if len(set(names)) != len(names):
        raise DataError(f"two labels are written alike among {', '.join(names[:20])}: rename one")
    dataset = Dataset(read, targets, names)
    if weights is None:
        return dataset, classes
    counted = _read_weights(weights, len(read))
    return Dataset(read, targets, names, counted).take(np.flatnonzero(counted)), classes


def one_hot(labels: Any, classes: npt.NDArray[Any]) -> Any:
    """Return lists of labels as 0 and 1, int64 [rows, classes]; what is no list of lists as it is. Raises
    DataError for a label that is none of `classes`."""
    rows = labels.to_list() if hasattr(labels, "to_list") else labels
    if not isinstance(rows, list) or not any(isinstance(row, _SEVERAL) for row in rows):
        return labels
    if _is_table_of_0_and_1(rows):
        return np.array(rows)
    places = {label: place for place, label in enumerate(classes.tolist())}
    table = np.zeros((len(rows), len(places)), np.int64)
    for row, given in enumerate(rows):
        for label in given:
            if label not in places:
                raise DataError(f"unknown label {label!r}: expected one of {', '.join(map(str, places))}")
            table[row, places[label]] = 1
    return table


def _columns(table: Any) -> list[Any] | None:
    named = getattr(table, "columns", getattr(table, "column_names", None))
    return None if named is None or callable(named) else list(named)


def _read_labels(labels: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    if hasattr(labels, "toarray"):  # a sparse matrix
        labels = labels.toarray()
    columns = _columns(labels)
    rows = labels.to_list() if hasattr(labels, "to_list") else list(labels)
    if getattr(labels, "ndim", 1) == 1:  # pandas reads lists in parquet as arrays
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]
    if any(isinstance(row, _SEVERAL) for row in rows):
        if not all(isinstance(row, _SEVERAL) for row in rows):
            raise DataError("some labels are lists and some are not: expected a list of labels for each text")
        if not _is_table_of_0_and_1(rows):
            return _of_lists(rows)
        labels = rows
    values = np.asarray(labels) if hasattr(labels, "__array__") else _as_given(rows)
    if values.ndim == 2 and values.shape[1] == 1:  # a column, which scikit-learn reads as a label a text
        values = values[:, 0]
    if values.ndim == 2 and np.isin(values, (0, 1)).all():
        return np.array(range(values.shape[1]) if columns is None else columns), values.astype(np.int64)
    if values.ndim != 1:
        raise DataError(
            f"got labels of shape {values.shape}; expected one a text, [rows], or 0 and 1, [rows, classes]"
        )
    return _of_values(values)


def _as_given(values: Sequence[Any]) -> npt.NDArray[Any]:
    """Return an array of the values; where it would make others of them, as text of a NaN or one number of
    two large ones, an array of objects."""
    array = np.asarray(values)
    if array.ndim == 1 and array.tolist() != list(values):
        array = np.empty(len(values), object)
        array[:] = values
    return array


def _is_table_of_0_and_1(rows: Sequence[Any]) -> bool:
    widths = {len(row) for row in rows}
    return len(widths) == 1 and widths != {1} and all(value in (0, 1) for row in rows for value in row)


def _of_values(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    missing = [i for i, value in enumerate(values.tolist()) if _is_missing(value)]
    if missing:
        raise DataError(
            f"label {missing[0]} is {values.tolist()[missing[0]]!r}: expected a label for each text"
        )
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise DataError("the labels are fractions: expected classes, as text, whole numbers or booleans")
    try:
        classes, targets = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise DataError(f"the labels are of several types ({', '.join(kinds)}): expected one") from None
    return classes, targets.astype(np.int64)


def _is_missing(value: Any) -> bool:
    """Return whether a label is None, a NaN, or what pandas writes for either."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _of_lists(rows: Sequence[Iterable[Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    classes, positions = _of_values(_as_given([label for row in rows for label in row]))
    targets = np.zeros((len(rows), len(classes)), np.int64)
    targets[np.repeat(np.arange(len(rows)), [len(list(row)) for row in rows]), positions] = 1
    return classes, targets


def _read_weights(weights: Any, rows: int) -> Weights:
    try:
        with np.errstate(over="ignore"):  # what is too large for float32 is refused below
            values = np.asarray(weights, np.float32)
    except (TypeError, ValueError):
        raise DataError(f"the sample weights are no numbers: expected one for each of {rows} texts") from None
    if values.shape != (rows,):
        raise DataError(f"got sample weights of shape {values.shape}: expected one for each of {rows} texts")
    for place in np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[:1]:
        raise DataError(f"sample weight {place} is {values[place]}: expected a finite number, 0 or more")
    return values

"""Columns and tables of Python become rows; what is none is refused with what was got and expected."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from yeoun.data.objects import read_labelled, read_texts
from yeoun.errors import DataError

TEXTS = ["a film", "정말 최고", ""]
LISTS = [["war", "comedy"], [], ["comedy"]]
TABLE = [[1, 1], [0, 0], [1, 0]]  # the same, of the columns comedy and war
NAMES = ["comedy", "war"]


@pytest.fixture
def datasets_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, list[Any]]], Any]:
    """Make a Hugging Face dataset of columns, without the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    from datasets import Dataset

    return Dataset.from_dict


# texts


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        (text for text in TEXTS),
        dict.fromkeys(TEXTS).keys(),
        np.array(TEXTS),
        np.array(TEXTS, object),
        np.array(TEXTS).reshape(3, 1),
        pd.Series(TEXTS, index=[5, 0, 0]),
        pd.Series(TEXTS, dtype="category"),
        pd.Index(TEXTS),
        pd.DataFrame({"text": TEXTS}),
        pl.Series(TEXTS),
        pl.DataFrame({"text": TEXTS}),
    ],
    ids=[
        "list",
        "tuple",
        "generator",
        "keys",
        "array",
        "object array",
        "array of one column",
        "pandas series",
        "pandas categories",
        "pandas index",
        "pandas table",
        "polars series",
        "polars table",
    ],
)
def test_texts_are_read_in_order_as_plain_strings(texts: Any) -> None:
    read = read_texts(texts)
    assert read == TEXTS
    assert {type(text) for text in read} == {str}


def test_texts_are_read_from_hugging_face_datasets(datasets_of: Callable[..., Any]) -> None:
    dataset = datasets_of({"text": TEXTS, "label": [0, 1, 0]})
    assert read_texts(dataset["text"]) == TEXTS
    assert read_texts(dataset.select_columns("text")) == TEXTS


@pytest.mark.parametrize(
    "texts", [[], np.array([], str), pd.Series([], dtype=str), pl.Series([], dtype=pl.Utf8)]
)
def test_no_texts_are_read_as_none(texts: Any) -> None:
    assert read_texts(texts) == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "got one string; expected a list of texts"),
        (np.str_("one text"), "got one string; expected a list of texts"),
        ({"text": ["a film"]}, "got a dict; expected a list of texts"),
        (["a", None], "text 1 is None: expected a string"),
        (["a", b"b"], "text 1 is b'b': expected a string"),
        (np.array(["a", 2], object), "text 1 is 2: expected a string"),
        (pl.Series(["a", None]), "text 1 is None: expected a string"),
        (pd.Series(["a", None]), "text 1 is nan: expected a string"),
        (np.array([["a", "b"]]), "text 0 is array(['a', 'b'], dtype='<U1'): expected a string"),
        (
            pd.DataFrame({"title": ["a"], 2: ["b"]}),
            "got a table with the columns title, 2: expected one column of texts, as in table['text']",
        ),
        (
            pl.DataFrame({"title": ["a"], "body": ["b"]}),
            "got a table with the columns title, body: expected one column of texts, as in table['text']",
        ),
    ],
)
def test_what_is_no_column_of_texts_is_refused(texts: Any, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        read_texts(texts)
    assert str(refusal.value) == message


def test_a_dataset_of_several_columns_is_no_column_of_texts(datasets_of: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"^got a table with the columns text, label: expected one column"):
        read_texts(datasets_of({"text": TEXTS, "label": [0, 1, 0]}))


# one label a text


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        (["b", "a", "b"], ["a", "b"], ("a", "b")),
        (("b", "a", "b"), ["a", "b"], ("a", "b")),
        ([10, 9, 10], [9, 10], ("9", "10")),
        ([True, False, True], [False, True], ("False", "True")),
        (np.array([2.0, 1.0, 2.0]), [1.0, 2.0], ("1.0", "2.0")),
        (pd.Series(["b", "a", "b"], index=[7, 8, 9]), ["a", "b"], ("a", "b")),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"], ("a", "b")),
        (pd.Series([10, 9, 10], dtype="Int64"), [9, 10], ("9", "10")),
        (pd.DataFrame({"label": [1, 0, 1]}), [0, 1], ("0", "1")),
        (pl.Series(["b", "a", "b"]), ["a", "b"], ("a", "b")),
        (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ["a", "b"], ("a", "b")),
        (pl.DataFrame({"label": [1, 0, 1]}), [0, 1], ("0", "1")),
    ],
)
def test_one_label_a_text_is_an_index_into_the_sorted_classes(
    labels: Any, classes: list[Any], names: tuple[str, ...]
) -> None:
    dataset, found = read_labelled(TEXTS, labels)
    assert found.tolist() == classes
    assert [type(value) for value in found.tolist()] == [type(value) for value in classes]
    assert dataset.label_names == names
    assert dataset.targets.dtype == np.int64
    assert dataset.targets.tolist() == [1, 0, 1]
    assert (list(dataset.texts), dataset.weights, dataset.is_multilabel) == (TEXTS, None, False)


def test_decomposed_names_of_labels_are_composed() -> None:
    dataset, classes = read_labelled(TEXTS, ["\u1100\u1161", "\u1102\u1161", "\u1100\u1161"])
    assert dataset.label_names == ("가", "나")
    assert classes.tolist() == ["\u1100\u1161", "\u1102\u1161"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], "got 3 texts and 2 labels: expected one a text"),
        ([["a"], ["b"]], "got 3 texts and 2 labels: expected one a text"),
        (["a", None, "b"], "label 1 is None: expected a label for each text"),
        ([0.0, 1.0, float("nan")], "label 2 is nan: expected a label for each text"),
        (pd.Series(["a", None, "b"]), "label 1 is nan: expected a label for each text"),
        ([0.5, 1, 2], "the labels are fractions: expected classes, as text, whole numbers or booleans"),
        (np.array(["a", 1, "b"], object), "the labels are of several types (int, str): expected one"),
        (
            [["a"], "b", []],
            "some labels are lists and some are not: expected a list of labels for each text",
        ),
        (
            np.array([[0, 2], [1, 0], [1, 1]]),
            "got labels of shape (3, 2); expected one a text, [rows], or 0 and 1, [rows, classes]",
        ),
        (
            pd.DataFrame({"a": ["x", "y", "z"], "b": ["x", "y", "z"]}),
            "got labels of shape (3, 2); expected one a text, [rows], or 0 and 1, [rows, classes]",
        ),
        (["\u1100\u1161", "가", "나"], "two labels are written alike among 가, 가, 나: rename one"),
        (["a", float("nan"), "b"], "label 1 is nan: expected a label for each text"),
        ([["a"], ["b", float("nan")], []], "label 2 is nan: expected a label for each text"),
        (["a", 1, "b"], "the labels are of several types (int, str): expected one"),
        ([True, "a", False], "the labels are of several types (bool, str): expected one"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        read_labelled(TEXTS, labels)
    assert str(refusal.value) == message


def test_large_numbers_are_labels_of_their_own() -> None:
    dataset, classes = read_labelled(TEXTS, [2**63 + 1, 2**63 + 2, 5])
    assert classes.tolist() == [5, 2**63 + 1, 2**63 + 2]
    assert dataset.targets.tolist() == [1, 2, 0]


# several labels a text


def parquet_column(lists: list[list[str]]) -> pd.Series:
    """A column of lists as pandas reads it from parquet."""
    content = io.BytesIO()
    pd.DataFrame({"labels": lists}).to_parquet(content)
    return pd.read_parquet(content)["labels"]


@pytest.mark.parametrize(
    "labels",
    [
        LISTS,
        [tuple(labels) for labels in LISTS],
        [set(labels) for labels in LISTS],
        [frozenset(labels) for labels in LISTS],
        [[*labels, *labels] for labels in LISTS],
        pd.Series(LISTS, index=[3, 3, 3]),
        pl.Series(LISTS),
        parquet_column(LISTS),
    ],
    ids=["lists", "tuples", "sets", "frozen sets", "twice", "pandas", "polars", "parquet"],
)
def test_lists_of_labels_are_0_and_1_of_the_sorted_classes(labels: Any) -> None:
    dataset, classes = read_labelled(TEXTS, labels)
    assert classes.tolist() == NAMES
    assert dataset.label_names == tuple(NAMES)
    assert dataset.targets.dtype == np.int64
    assert dataset.targets.tolist() == TABLE
    assert dataset.is_multilabel


def test_lists_of_labels_are_read_from_hugging_face_datasets(datasets_of: Callable[..., Any]) -> None:
    columns = datasets_of({"text": TEXTS, "labels": LISTS})
    dataset, classes = read_labelled(columns["text"], columns["labels"])
    assert (dataset.targets.tolist(), classes.tolist()) == (TABLE, NAMES)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(TABLE), [0, 1]),
        (np.array(TABLE, bool), [0, 1]),
        (np.array(TABLE, float), [0, 1]),
        (TABLE, [0, 1]),
        ([np.array(row) for row in TABLE], [0, 1]),
        (pd.Series(TABLE), [0, 1]),
        (pl.Series(TABLE), [0, 1]),
        (sparse.csr_matrix(TABLE), [0, 1]),
        (sparse.coo_array(TABLE), [0, 1]),
        (pd.DataFrame(TABLE, columns=NAMES), NAMES),
        (pd.DataFrame(TABLE, columns=NAMES).astype(bool), NAMES),
        (pl.DataFrame(TABLE, schema=NAMES, orient="row"), NAMES),
    ],
    ids=[
        "array",
        "booleans",
        "floats",
        "lists",
        "arrays",
        "pandas series",
        "polars series",
        "sparse matrix",
        "sparse array",
        "pandas table",
        "table of booleans",
        "polars table",
    ],
)
def test_a_table_of_0_and_1_has_its_columns_for_classes(labels: Any, classes: list[Any]) -> None:
    dataset, found = read_labelled(TEXTS, labels)
    assert found.tolist() == classes
    assert dataset.label_names == tuple(map(str, classes))
    assert dataset.targets.dtype == np.int64
    assert dataset.targets.tolist() == TABLE


def test_columns_keep_the_order_of_the_table() -> None:
    _, classes = read_labelled(TEXTS, pd.DataFrame(TABLE, columns=["war", "comedy"]))
    assert classes.tolist() == ["war", "comedy"]


# weights


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series])
def test_a_row_of_weight_0_is_left_out_and_its_class_is_kept(container: Callable[[list[float]], Any]) -> None:
    dataset, classes = read_labelled(TEXTS, ["c", "a", "b"], container([0.5, 2.0, 0.0]))
    assert list(dataset.texts) == TEXTS[:2]
    assert classes.tolist() == ["a", "b", "c"]
    assert dataset.label_names == ("a", "b", "c")
    assert dataset.targets.tolist() == [2, 0]
    assert dataset.weights is not None
    assert dataset.weights.dtype == np.float32
    assert dataset.weights.tolist() == [0.5, 2.0]


def test_weights_leave_out_rows_with_several_labels() -> None:
    dataset, _ = read_labelled(TEXTS, LISTS, [0, 1, 3])
    assert dataset.targets.tolist() == TABLE[1:]
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], "got sample weights of shape (2,): expected one for each of 3 texts"),
        ([[1.0], [2.0], [3.0]], "got sample weights of shape (3, 1): expected one for each of 3 texts"),
        (1.0, "got sample weights of shape (): expected one for each of 3 texts"),
        ([1.0, -0.5, 1.0], "sample weight 1 is -0.5: expected a finite number, 0 or more"),
        ([1.0, float("nan"), 1.0], "sample weight 1 is nan: expected a finite number, 0 or more"),
        ([1.0, 1.0, float("inf")], "sample weight 2 is inf: expected a finite number, 0 or more"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        read_labelled(TEXTS, ["a", "b", "a"], weights)
    assert str(refusal.value) == message

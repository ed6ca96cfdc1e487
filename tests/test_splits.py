"""Splits are seeded, complete and disjoint, keep equal texts together, and repeat the articles' own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from yeoun.data.rows import Dataset, labelled
from yeoun.data.splits import (
    pandas_sample,
    random_split,
    scikit_learn_split,
    stratified_folds,
    stratified_split,
)
from yeoun.errors import DataError

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def dataset_of(counts: list[int], copies: int = 1) -> Dataset:
    """Rows of so many different texts of each class, each text `copies` times, classes mixed."""
    rows = [(f"{label} {i}", f"class {label}") for label, count in enumerate(counts) for i in range(count)]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows) * copies) % len(rows)]
    return labelled([text for text, _ in rows], [label for _, label in rows])


def together(split: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """All row numbers of both sides, ascending."""
    return sorted(np.concatenate(split).tolist())


@untimed
@given(
    counts=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    copies=st.integers(1, 3),
    share=st.floats(0.001, 0.9),
    seed=st.integers(0, 2**32),
)
def test_a_stratified_split_is_complete_and_holds_out_its_share_of_each_class(
    counts: list[int], copies: int, share: float, seed: int
) -> None:
    dataset = dataset_of(counts, copies)
    kept, held_out = stratified_split(dataset, share, seed)
    assert together((kept, held_out)) == list(range(len(dataset)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held_out) > 0).all()
    for label, count in enumerate(counts):
        of_class = int((dataset.targets[held_out] == label).sum()) // copies
        assert 1 <= of_class <= count - 1
        assert abs(of_class - share * count) <= 1
    assert not {dataset.texts[i] for i in kept} & {dataset.texts[i] for i in held_out}


@untimed
@given(
    rows=st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("xyz")), min_size=4, max_size=40),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 1000),
)
def test_equal_texts_stay_on_one_side_whatever_their_labels(
    rows: list[tuple[str, str]], share: float, seed: int
) -> None:
    dataset = labelled([text for text, _ in rows], [label for _, label in rows])
    try:
        split = stratified_split(dataset, share, seed)
    except DataError:
        return
    assert together(split) == list(range(len(rows)))
    kept, held_out = ({dataset.texts[i] for i in side} for side in split)
    assert not kept & held_out
    assert held_out


def test_no_class_is_lost_where_a_text_has_two_labels() -> None:
    texts = ["seen as both", "a", "b", "c", "d", "seen as both"]
    dataset = labelled(texts, ["x", "x", "x", "x", "x", "y"])
    for seed in range(20):
        kept, _ = stratified_split(dataset, 0.5, seed)
        assert set(dataset.targets[kept].tolist()) == {0, 1}, seed


def test_a_class_of_one_text_is_kept() -> None:
    dataset = labelled(["only", "only", *"abcdefghij"], ["rare"] * 2 + ["common"] * 10)
    for seed in range(20):
        kept, held_out = stratified_split(dataset, 0.5, seed)
        assert {0, 1} <= set(kept.tolist())
        assert len(held_out) == 5


def test_neighbours_are_held_out_together() -> None:
    dataset = labelled([f"text {i}" for i in range(1000)], ["x", "y"] * 500)
    for seed in range(5):
        _, held_out = stratified_split(dataset, 0.1, seed)
        assert len(held_out) == 100
        assert (np.diff(held_out) == 1).mean() > 0.8


def test_rows_in_the_order_of_many_labels_are_held_out_from_anywhere() -> None:
    rows = labelled([f"text {i}" for i in range(6_000)], [f"class {i // 30:03}" for i in range(6_000)])
    places = [stratified_split(rows, 0.1, seed)[1] % 30 for seed in range(8)]
    assert len({place.tobytes() for place in places}) == 8
    assert len(set(np.concatenate(places).tolist())) > 10


def test_a_stratified_split_depends_on_the_seed_alone() -> None:
    dataset = dataset_of([50, 50])
    np.random.seed(0)  # noqa: NPY002 - must not matter
    first = stratified_split(dataset, 0.2, 7)
    np.random.seed(1)  # noqa: NPY002
    again = stratified_split(dataset, 0.2, 7)
    other = stratified_split(dataset, 0.2, 8)
    assert [side.tolist() for side in first] == [side.tolist() for side in again]
    assert first[1].tolist() != other[1].tolist()


@pytest.mark.parametrize("texts", [["a", "b"], ["a", "a", "b", "b", "b"]])
def test_rows_of_which_none_can_be_held_out_are_refused(texts: list[str]) -> None:
    refused = f"some of {len(texts)} rows with 2 labels: expected a label with two different"
    with pytest.raises(DataError, match=refused):
        stratified_split(labelled(texts, texts), 0.5, 0)


@untimed
@given(rows=st.integers(0, 300), share=st.floats(0.001, 0.9), seed=st.integers(0, 2**32))
def test_a_random_split_cuts_a_shuffled_order(rows: int, share: float, seed: int) -> None:
    kept, held_out = random_split(rows, share, seed)
    assert together((kept, held_out)) == list(range(rows))
    assert len(held_out) == round(share * rows)
    again = random_split(rows, share, seed)
    assert (kept.tolist(), held_out.tolist()) == (again[0].tolist(), again[1].tolist())


def test_a_random_split_depends_on_the_seed() -> None:
    splits = [random_split(100, 0.2, seed) for seed in (0, 1)]
    assert splits[0][1].tolist() != splits[1][1].tolist()
    order = np.concatenate(splits[0])
    assert order.tolist() != sorted(order.tolist())


@untimed
@given(rows=st.integers(1, 300), share=st.floats(0.01, 1.0), state=st.integers(0, 2**32 - 1))
def test_pandas_sample_takes_what_pandas_takes_in_its_order(rows: int, share: float, state: int) -> None:
    frame = pd.DataFrame({"row": np.arange(rows)})
    sample = frame.sample(frac=share, random_state=state)
    taken, rest = pandas_sample(rows, share, state)
    assert taken.tolist() == sample["row"].tolist()
    assert rest.tolist() == frame.drop(sample.index)["row"].tolist()


@untimed
@given(rows=st.integers(2, 300), share=st.floats(0.01, 0.99), state=st.integers(0, 2**32 - 1))
def test_the_scikit_learn_split_is_that_of_scikit_learn(rows: int, share: float, state: int) -> None:
    if np.ceil(share * rows) >= rows:
        with pytest.raises(ValueError, match="train set will be empty"):
            train_test_split(np.arange(rows), test_size=share, random_state=state)
        return
    expected = train_test_split(np.arange(rows), test_size=share, random_state=state)
    got = scikit_learn_split(rows, share, state)
    assert [side.tolist() for side in got] == [side.tolist() for side in expected]


@pytest.mark.parametrize("rows", [50_000, 18_846])
def test_the_articles_splits_have_their_sizes(rows: int) -> None:
    expected = train_test_split(np.arange(rows), test_size=0.2, random_state=2024)
    got = scikit_learn_split(rows, 0.2, 2024)
    assert [side.tolist() for side in got] == [side.tolist() for side in expected]
    sample = pd.DataFrame({"row": np.arange(rows)}).sample(frac=0.9, random_state=42)
    assert pandas_sample(rows, 0.9, 42)[0].tolist() == sample["row"].tolist()


def test_each_fold_has_its_share_of_each_class_and_all_rows_of_a_text() -> None:
    rows = dataset_of([50, 20, 7], copies=3)
    fold = stratified_folds(rows, 5, seed=0)
    for label, texts in enumerate([50, 20, 7]):
        rows_in_fold = np.bincount(fold[rows.targets == label], minlength=5)
        assert rows_in_fold.sum() == 3 * texts
        assert rows_in_fold.max() - rows_in_fold.min() <= 3
    for text in set(rows.texts):
        assert len(set(fold[[other == text for other in rows.texts]])) == 1
    assert (stratified_folds(rows, 5, seed=0) == fold).all()
    assert (stratified_folds(rows, 5, seed=1) != fold).any()

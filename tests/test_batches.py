"""Batches hold every row's tokens where they belong, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoun.config import PAD_ID
from yeoun.data.batches import answering_order, collate, training_order
from yeoun.data.tokens import TokenStore

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ragged = st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=12), min_size=1, max_size=12)
some_lengths = st.lists(st.integers(0, 60), max_size=120).map(lambda values: np.array(values, np.int64))


def store_of(rows: list[list[int]]) -> TokenStore:
    """The store of these rows of ids."""
    offsets = np.cumsum([0, *map(len, rows)])
    return TokenStore(np.array([i for row in rows for i in row], np.int32), offsets.astype(np.int64))


ROWS = [[5, 6, 7], [], [8], [9, 10, 11, 12]]
STORE = store_of(ROWS)
ALL = np.arange(len(ROWS))


def test_a_store_knows_its_rows_and_their_lengths() -> None:
    assert len(STORE) == 4
    assert STORE.lengths.tolist() == [3, 0, 1, 4]
    assert len(store_of([])) == 0


@untimed
@given(rows=ragged, data=st.data())
def test_each_row_stands_where_it_should_with_padding_of_zero_around_it(
    rows: list[list[int]], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=8))
    longest = max(1, *(len(rows[i]) for i in chosen))
    whole = max(1, *map(len, rows))
    pad_to = data.draw(st.sampled_from(["none", "batch"]) | st.integers(whole, whole + 5))
    pad_side = data.draw(st.sampled_from(["front", "back"]))
    batch = collate(store_of(rows), np.array(chosen), pad_to=pad_to, pad_side=pad_side)
    steps = pad_to if isinstance(pad_to, int) else longest
    assert batch.token_ids.shape == (len(chosen), steps)
    assert batch.rows.tolist() == chosen
    for got, length, i in zip(batch.token_ids.tolist(), batch.lengths.tolist(), chosen, strict=True):
        padding = [PAD_ID] * (steps - len(rows[i]))
        # Padding that is never read stays behind, whatever the side.
        in_front = pad_side == "front" and pad_to != "none"
        assert got == (padding + rows[i] if in_front else rows[i] + padding)
        assert length == (len(rows[i]) if pad_to == "none" else steps)


@pytest.mark.parametrize(
    ("pad_to", "pad_side", "token_ids", "lengths"),
    [
        ("none", "back", [[5, 6, 7, 0], [0, 0, 0, 0], [8, 0, 0, 0], [9, 10, 11, 12]], [3, 0, 1, 4]),
        ("none", "front", [[5, 6, 7, 0], [0, 0, 0, 0], [8, 0, 0, 0], [9, 10, 11, 12]], [3, 0, 1, 4]),
        ("batch", "front", [[0, 5, 6, 7], [0, 0, 0, 0], [0, 0, 0, 8], [9, 10, 11, 12]], [4, 4, 4, 4]),
        (5, "back", [[5, 6, 7, 0, 0], [0] * 5, [8, 0, 0, 0, 0], [9, 10, 11, 12, 0]], [5, 5, 5, 5]),
        (5, "front", [[0, 0, 5, 6, 7], [0] * 5, [0, 0, 0, 0, 8], [0, 9, 10, 11, 12]], [5, 5, 5, 5]),
    ],
)
def test_padding_goes_where_it_is_told_to(
    pad_to: int | str, pad_side: str, token_ids: list[list[int]], lengths: list[int]
) -> None:
    batch = collate(STORE, ALL, pad_to=pad_to, pad_side=pad_side)
    assert batch.token_ids.tolist() == token_ids
    assert batch.lengths.tolist() == lengths


@pytest.mark.parametrize(("pad_to", "length"), [("none", 0), ("batch", 1), (3, 3)])
def test_a_batch_of_empty_rows_has_a_step_to_stand_on(pad_to: int | str, length: int) -> None:
    batch = collate(STORE, np.array([1, 1]), pad_to=pad_to)
    assert batch.token_ids.tolist() == [[PAD_ID] * max(1, length)] * 2
    assert batch.lengths.tolist() == [length, length]


def test_a_batch_has_the_types_and_the_labels_of_its_rows() -> None:
    labels = np.array([3, 2, 1, 0])
    batch = collate(STORE, np.array([3, 0]), labels)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 3]
    assert collate(STORE, ALL).labels is None
    for array in (batch.rows, batch.token_ids, batch.lengths, batch.feature_ids, batch.feature_offsets):
        assert array.dtype == np.int64
    assert batch.feature_ids.tolist() == []
    assert batch.feature_offsets.tolist() == [0, 0, 0]


def test_collating_leaves_the_store_as_it_was() -> None:
    store = store_of(ROWS)
    batch = collate(store, ALL)
    batch.token_ids[:] = 99
    assert store.token_ids.tolist() == STORE.token_ids.tolist()


@untimed
@given(
    lengths=some_lengths,
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 1000),
    bucket=st.booleans(),
)
def test_an_epoch_covers_each_row_once_in_batches_of_the_size(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, bucket: bool
) -> None:
    batches = training_order(lengths, batch_size, seed, epoch, bucket)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
    assert len(batches) >= -(-len(lengths) // batch_size)
    sizes = [len(batch) for batch in batches]
    assert all(1 <= size <= batch_size for size in sizes)
    assert sum(size < batch_size for size in sizes) <= 1
    again = training_order(lengths.copy(), batch_size, seed, epoch, bucket)
    assert [b.tolist() for b in again] == [b.tolist() for b in batches]


@pytest.mark.parametrize("bucket", [False, True])
def test_the_order_depends_on_seed_and_epoch_and_on_no_running_stream(bucket: bool) -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 500)

    def order(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in training_order(lengths, 16, seed, epoch, bucket)]

    np.random.seed(0)  # noqa: NPY002 - must not matter
    first = order(3, 1)
    assert order(3, 1) == first
    different = [order(3, 0), order(3, 2), order(4, 1), order(1, 3)]
    assert all(other != first for other in different)
    assert {frozenset(map(frozenset, other)) for other in different}.isdisjoint(
        {frozenset(map(frozenset, first))}
    )


def padding_share(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """The share of positions that are padding."""
    positions = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1 - int(lengths.sum()) / positions


def test_buckets_keep_padding_to_a_few_per_cent() -> None:
    lengths = np.random.default_rng(1).geometric(0.01, 20_000).clip(1, 400)
    bucketed = padding_share(lengths, training_order(lengths, 32, 0, 0))
    shuffled = padding_share(lengths, training_order(lengths, 32, 0, 0, bucket=False))
    assert bucketed < 0.06 < 0.5 < shuffled


def test_batches_do_not_come_in_the_order_of_their_lengths() -> None:
    lengths = np.arange(1600)
    longest = [int(lengths[batch].max()) for batch in training_order(lengths, 32, 0, 0)]
    rises = sum(a < b for a, b in pairwise(longest))
    assert 0.2 < rises / (len(longest) - 1) < 0.8


@untimed
@given(lengths=some_lengths, tokens=st.integers(1, 400), rows=st.integers(1, 30))
def test_answers_are_given_to_each_row_once_within_the_limits(
    lengths: np.ndarray, tokens: int, rows: int
) -> None:
    batches = answering_order(lengths, tokens, rows)
    order = [i for batch in batches for i in batch.tolist()]
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()
    for batch in batches:
        assert 1 <= len(batch) <= rows
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= tokens
    for batch, following in pairwise(batches):
        full = (len(batch) + 1) * lengths[following[0]] > tokens
        assert full or len(batch) == rows


def test_a_row_longer_than_the_limit_stands_alone() -> None:
    batches = answering_order(np.array([5, 100_000, 5, 200_000]))
    assert [batch.tolist() for batch in batches] == [[0, 2], [1], [3]]


def test_nothing_to_answer_needs_no_batch() -> None:
    assert answering_order(np.zeros(0, np.int64)) == []
    assert training_order(np.zeros(0, np.int64), 8, 0, 0) == []

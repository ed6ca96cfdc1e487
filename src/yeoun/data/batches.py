"""Batches: which rows go together, and their rectangle of token ids.

The order of training is a function of (seed, epoch) alone. Rows of like length go together, so that
padding is a few per cent; answers are given in the order of the texts whatever the batches were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import PAD_ID
from .tokens import TokenStore

Rows = npt.NDArray[np.int64]
_WINDOW = 50  # batches that are sorted by length together


@dataclass(frozen=True)
class Batch:
    """Some rows, ready for the network.

    rows: int64 [N], their numbers. token_ids: int64 [N, T], padded behind with 0 (or as `pad_to`
    says). lengths: int64 [N], the tokens that are read. feature_ids int64 [F], feature_values float32
    [F] and feature_offsets int64 [N + 1]: the n-gram features of each row, ragged. labels: int64 [N] or
    [N, C], or None.
    """

    rows: Rows
    token_ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    feature_ids: npt.NDArray[np.int64]
    feature_values: npt.NDArray[np.float32]
    feature_offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None


def training_order(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: int, epoch: int, bucket: bool = True
) -> list[Rows]:
    """Return the rows of each batch of `epoch`, shuffled by (seed, epoch).

    With `bucket`, runs of 50 shuffled batches are sorted by length before they are cut.
    """
    generator = np.random.default_rng([seed, 1, epoch])
    order = generator.permutation(len(lengths))
    if not bucket:
        return _cut(order, batch_size)
    batches: list[Rows] = []
    for start in range(0, len(order), batch_size * _WINDOW):
        window = order[start : start + batch_size * _WINDOW]
        batches += _cut(window[np.argsort(lengths[window], kind="stable")], batch_size)
    return [batches[i] for i in generator.permutation(len(batches))]


def answering_order(lengths: npt.NDArray[np.int64], tokens: int = 32_768, rows: int = 2_048) -> list[Rows]:
    """Return batches of rows by rising length, each of at most `tokens` positions and `rows` rows."""
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        end = start + 1
        while end < len(order) and end - start < rows and (end + 1 - start) * lengths[order[end]] <= tokens:
            end += 1
        batches.append(order[start:end])
        start = end
    return batches


def collate(
    store: TokenStore,
    rows: Rows,
    labels: npt.NDArray[np.int64] | None = None,
    pad_to: int | str = "none",
    pad_side: str = "back",
) -> Batch:
    """Return the batch of these rows of `store`.

    With `pad_to` "none" padding is never read: `lengths` are the rows' own. With a number or "batch"
    the padding becomes tokens: `lengths` are all that number, or the longest of the batch.
    """
    lengths = store.lengths[rows]
    longest = int(lengths.max(initial=1)) if isinstance(pad_to, str) else pad_to
    steps = max(1, longest)
    token_ids = np.full((len(rows), steps), PAD_ID, np.int64)
    source, position = ragged(store.offsets[rows], lengths)
    row = np.repeat(np.arange(len(rows)), lengths)
    read = lengths if pad_to == "none" else np.full(len(rows), steps)
    shift = np.repeat(read - lengths, lengths) if pad_side == "front" else 0
    token_ids[row, position + shift] = store.token_ids[source]
    feature_ids, feature_values, feature_lengths = np.zeros(0, np.int64), np.zeros(0, np.float32), lengths * 0
    if store.features is not None:
        ids, values, offsets = store.features
        feature_lengths = offsets[rows + 1] - offsets[rows]
        kept, _ = ragged(offsets[rows], feature_lengths)
        feature_ids, feature_values = ids[kept].astype(np.int64), values[kept]
    return Batch(
        rows=rows,
        token_ids=token_ids,
        lengths=read,
        feature_ids=feature_ids,
        feature_values=feature_values,
        feature_offsets=np.concatenate([np.zeros(1, np.int64), feature_lengths.cumsum()]),
        labels=None if labels is None else labels[rows],
    )


def ragged(starts: Rows, lengths: Rows) -> tuple[Rows, Rows]:
    """Return where the elements of ragged rows lie, flat, and the place of each in its row."""
    position = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
    return np.repeat(starts, lengths) + position, position


def _cut(order: Rows, size: int) -> list[Rows]:
    return [order[start : start + size] for start in range(0, len(order), size)]

"""What pretraining guesses of the rest of a text: n-grams of its tokens.

Of labelled rows those that tell most of the labels, so that what is learned of all texts is what labels are
about: the further the labels of the texts with an n-gram are from those of all texts, the more it counts. Of
ten labels or more, which are rather topics, the most frequent words, counting as much as they tell. Without
labels the most frequent n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import TOPICS, UNKNOWN_ID
from ..data.tokens import TokenStore

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
_LENGTHS = (1, 2, 3)  # of n-grams, in tokens
_BITS = 21  # of a token's id in an n-gram's key; of a larger vocabulary the rarest are never guessed
_LEAST = 5  # texts that have an n-gram, or places where it stands
_LEAST_DIVERGENCE = 1e-6  # nats; an n-gram that tells nothing has no weight
_IN_A_TEXT = 10.0  # of those that tell most, on average, for each label, and
_TELLING = 10_000  # at most
_FEW_ROWS = 2_000  # with labels; of fewer chance tells as much
_FREQUENT = 20_000  # at most, but
_COMMONEST = 500  # the words that are counted divided by so many, which any text has
_TOKENS = 10_000_000  # that they are counted in, at most
_CELLS = 2**22  # n-grams and labels that are compared together


@dataclass(frozen=True)
class Targets:
    """K n-grams. keys: of each length from one token on, sorted. numbers: which of the K each key is. counts:
    float32 [K], in how many texts or places each was found. weights: float32 [K], above 0, how much each
    counts."""

    keys: tuple[Ints, ...]
    numbers: tuple[Ints, ...]
    counts: Floats
    weights: Floats

    @classmethod
    def of(cls, texts: TokenStore, labelled: TokenStore, labels: Ints) -> Targets:
        """Return what to guess of `texts`: of those with labels the n-grams that tell most of `labels`, or
        the topical words; or the most frequent n-grams where these are too few to say."""
        if len(labelled) >= _FEW_ROWS:
            are_topics = labels.ndim == 1 and int(labels.max()) + 1 >= TOPICS
            learn = cls.topical if are_topics else cls.telling
            if len((targets := learn(labelled, labels)).counts):
                return targets
        return cls.frequent(texts)

    @classmethod
    def telling(cls, texts: TokenStore, labels: Ints) -> Targets:
        """Return the n-grams that tell most of `labels` [rows] or [rows, C], as many as make 10 C in a text.

        What a text's label is after an n-gram is known is as far from what it is before as the
        Kullback-Leibler divergence says (nats); for all its texts that is the mutual information of both
        (Yang & Pedersen 1997). Its root, which grows as the logarithm of the odds does, is the weight.
        """
        of_row, (texts, some) = _one_hot(labels), _some(texts)
        keys, occurs, divergence = _told(texts, of_row[some], labels.ndim == 2, _LENGTHS)
        order = np.argsort(-occurs * divergence, kind="stable")
        order = order[divergence[order] > _LEAST_DIVERGENCE]
        chosen = order[occurs[order].cumsum() <= _IN_A_TEXT * of_row.shape[1] * len(texts)][:_TELLING]
        return cls._of(keys, chosen, occurs[chosen], np.sqrt(divergence[chosen]))

    @classmethod
    def topical(cls, texts: TokenStore, labels: Ints) -> Targets:
        """Return the most frequent words but for the very commonest, each weighted as `telling` does."""
        of_row, (texts, some) = _one_hot(labels), _some(texts)
        keys, occurs, divergence = _told(texts, of_row[some], labels.ndim == 2, (1,))
        order = np.argsort(-occurs, kind="stable")[len(occurs) // _COMMONEST :]
        chosen = order[divergence[order] > _LEAST_DIVERGENCE][:_FREQUENT]
        return cls._of(keys, chosen, occurs[chosen], np.sqrt(divergence[chosen]))

    @classmethod
    def frequent(cls, texts: TokenStore) -> Targets:
        """Return the most frequent n-grams but for the very commonest, which all count alike."""
        texts, _ = _some(texts)
        keys: list[Ints] = []
        counts: list[Ints] = []
        for length in _LENGTHS:
            found = _keys(texts.token_ids, _remaining(texts), length)
            known, occurs = np.unique(found[found >= 0], return_counts=True)
            often = occurs >= (1 if length == 1 else _LEAST)
            keys, counts = [*keys, known[often]], [*counts, occurs[often]]
        occurs = np.concatenate(counts)
        order = np.argsort(-occurs, kind="stable")
        chosen = order[len(keys[0]) // _COMMONEST :][:_FREQUENT]
        return cls._of(keys, chosen, occurs[chosen], np.ones(len(chosen)))

    @classmethod
    def _of(cls, keys: list[Ints], chosen: Ints, counts: Ints, weights: npt.NDArray[np.float64]) -> Targets:
        """Return those at the places `chosen` [K] among all `keys`, one length behind the other."""
        number = np.full(sum(map(len, keys)), -1)
        number[chosen] = np.arange(len(chosen))
        numbers = np.split(number, np.cumsum([len(each) for each in keys])[:-1])
        return cls(
            tuple(each[number >= 0] for each, number in zip(keys, numbers, strict=True)),
            tuple(number[number >= 0] for number in numbers),
            counts.astype(np.float32),
            weights.astype(np.float32),
        )

    def find(self, token_ids: Tokens, remaining: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield of each length of n-grams the length, where those that are known begin, and their numbers.

        remaining: of each token how many its text has from there on."""
        for length, (keys, numbers) in enumerate(zip(self.keys, self.numbers, strict=True), 1):
            if len(keys):
                found = _keys(token_ids, remaining, length)
                at = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
                place = np.flatnonzero(keys[at] == found)
                yield length, place, numbers[at[place]]


def _keys(token_ids: Tokens, remaining: Ints, length: int) -> Ints:
    """Return the key of what begins at each token, -1 where a token is unknown or its text ends."""
    ids = token_ids.astype(np.int64)
    ids[(ids <= UNKNOWN_ID) | (ids >= 1 << _BITS)] = -1
    keys, is_known = ids.copy(), ids >= 0
    for further in range(1, length):
        after = np.roll(ids, -further)  # what comes round belongs to no text that goes on
        keys, is_known = keys << _BITS | after, is_known & (after >= 0)
    return np.where(is_known & (remaining >= length), keys, -1)


def _rows_of(texts: TokenStore, length: int) -> tuple[Ints, Any]:
    """Return the keys of the n-grams that several texts have, sorted, and which, sparse [keys, rows]."""
    import scipy.sparse

    row = np.repeat(np.arange(len(texts)), texts.lengths)
    found = _keys(texts.token_ids, _remaining(texts), length)
    row, found = row[found >= 0], found[found >= 0]
    known, feature = np.unique(found, return_inverse=True)
    feature, row = np.divmod(np.unique(feature * max(1, len(texts)) + row), max(1, len(texts)))
    starts = np.searchsorted(feature, np.arange(len(known) + 1))
    ones = np.ones(len(row), np.float32)
    rows_of = scipy.sparse.csr_matrix((ones, row, starts), shape=(len(known), len(texts)))
    several = np.diff(starts) >= _LEAST
    return known[several], rows_of[several]


def _told(
    texts: TokenStore, of_row: Any, several: bool, lengths: tuple[int, ...]
) -> tuple[list[Ints], Ints, npt.NDArray[np.float64]]:
    """Return the keys of the n-grams of each length that several texts have, and of all of them together how
    many texts have each and how far the labels of these are from those of all texts (nats)."""
    keys: list[Ints] = []
    counts: list[Ints] = []
    told: list[npt.NDArray[np.float64]] = []
    for length in lengths:
        known, rows_of = _rows_of(texts, length)
        occurs = np.diff(rows_of.indptr).astype(np.int64)
        keys, counts = [*keys, known], [*counts, occurs]
        told.append(_divergence(rows_of, of_row, occurs, several))
    return keys, np.concatenate(counts), np.concatenate(told)


def _one_hot(labels: Ints) -> Any:
    """Return which labels each row has, sparse [rows, C]."""
    import scipy.sparse

    if labels.ndim == 2:
        return scipy.sparse.csr_matrix(labels.astype(np.float32))
    ones, starts = np.ones(len(labels), np.float32), np.arange(len(labels) + 1)
    return scipy.sparse.csr_matrix(
        (ones, labels, starts), shape=(len(labels), int(labels.max(initial=0)) + 1)
    )


def _divergence(rows_of: Any, of_row: Any, occurs: Ints, several: bool) -> npt.NDArray[np.float64]:
    """Return how far the labels of the texts with each n-gram are from those of all texts (nats), float64
    [keys]; of `several` labels a row that of each label, summed."""
    labels = of_row.shape[1]
    prior = (np.asarray(of_row.sum(0)).ravel() + 1) / (of_row.shape[0] + (2 if several else labels))
    divergence, step = np.zeros(len(occurs)), max(1, _CELLS // labels)
    for start in range(0, len(occurs), step):
        part = slice(start, start + step)
        share = (rows_of[part] @ of_row).toarray() + 2 * prior
        share /= occurs[part, None] + 2
        terms = share * np.log(share / prior)
        if several:
            terms += (1 - share) * np.log((1 - share) / (1 - prior))
        divergence[part] = terms.sum(1)
    return divergence


def _remaining(texts: TokenStore) -> Ints:
    return np.repeat(texts.offsets[1:], texts.lengths) - np.arange(len(texts.token_ids))


def _some(texts: TokenStore) -> tuple[TokenStore, npt.NDArray[np.bool_]]:
    """Return all texts, or of too many tokens an even share drawn by chance; and which."""
    share = min(1.0, _TOKENS / max(1, len(texts.token_ids)))
    some = np.random.default_rng(0).random(len(texts)) < share
    return texts.take(some), some

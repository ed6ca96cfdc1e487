"""What pretraining guesses of the rest of a text: n-grams of its tokens.

Of labelled rows those that tell most of the labels, so that what is learned of all texts is what labels are
about: the further the labels of the texts with an n-gram are from those of all texts, the more it counts.
Without labels the most frequent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import UNKNOWN_ID
from ..data.tokens import TokenStore

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
_LENGTHS = (1, 2, 3)  # of n-grams, in tokens
_BITS = 21  # of a token's id in an n-gram's key; of a larger vocabulary the rarest are never guessed
_LEAST_TEXTS = 5  # that have an n-gram
_IN_A_TEXT = 10.0  # of those that tell most, on average, for each label, and
_TELLING = 10_000  # at most
_FREQUENT = 20_000  # where there are no labels, but
_COMMONEST = 500  # one in so many, which any text has
_TOKENS = 20_000_000  # that they are counted in, at most


@dataclass(frozen=True)
class Targets:
    """K n-grams. keys: of each length from one token on, sorted. numbers: which of the K each key is. counts:
    float32 [K], how often each occurs. weights: float32 [K], how much each counts."""

    keys: tuple[Ints, ...]
    numbers: tuple[Ints, ...]
    counts: Floats
    weights: Floats

    @classmethod
    def telling(cls, texts: TokenStore, labels: Ints) -> Targets:
        """Return the n-grams that tell most of `labels` [rows] or [rows, C], as many as make 10 C in a text.

        What a text's label is after an n-gram is known is as far from what it is before as the
        Kullback-Leibler divergence says (nats); for all its texts that is the mutual information of both
        (Yang & Pedersen 1997). Its root, which grows as the logarithm of the odds does, is the weight.
        """
        texts, some = _some(texts)
        classes = labels[some] if labels.ndim == 2 else np.eye(labels.max() + 1, dtype=np.int64)[labels[some]]
        row = np.repeat(np.arange(len(texts)), texts.lengths)
        before = (classes.sum(0) + 1) / (len(classes) + (2 if labels.ndim == 2 else classes.shape[1]))
        keys: list[Ints] = []
        counts: list[Ints] = []
        told: list[npt.NDArray[np.float64]] = []
        for length in _LENGTHS:
            found = _keys(texts.token_ids, _remaining(texts), length)
            known, feature = np.unique(found[found >= 0], return_inverse=True)
            pairs = np.unique(feature * len(texts) + row[found >= 0])
            feature, of = pairs // len(texts), pairs % len(texts)
            frequent = (occurs := np.bincount(feature, minlength=len(known))) >= _LEAST_TEXTS
            feature, of = (np.cumsum(frequent) - 1)[feature[frequent[feature]]], of[frequent[feature]]
            known, occurs = known[frequent], occurs[frequent]
            divergence = np.zeros(len(known))
            for column, prior in zip(classes.T, before, strict=True):
                share = np.bincount(feature, column[of], len(known)) + 2 * prior
                share /= occurs + 2
                divergence += share * np.log(share / prior)
                if labels.ndim == 2:  # each label stands for itself
                    divergence += (1 - share) * np.log((1 - share) / (1 - prior))
            keys, counts, told = [*keys, known], [*counts, occurs], [*told, np.maximum(divergence, 0)]
        occurs, divergence = np.concatenate(counts), np.concatenate(told)
        order = np.argsort(-occurs * divergence, kind="stable")
        chosen = order[occurs[order].cumsum() <= _IN_A_TEXT * classes.size][:_TELLING]
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
            often = occurs >= (1 if length == 1 else _LEAST_TEXTS)
            keys, counts = [*keys, known[often]], [*counts, occurs[often]]
        occurs = np.concatenate(counts)
        order = np.argsort(-occurs, kind="stable")
        chosen = order[len(order) // _COMMONEST :][:_FREQUENT]
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
        for length, keys, numbers in zip(_LENGTHS, self.keys, self.numbers, strict=True):
            if len(keys):
                found = _keys(token_ids, remaining, length)
                at = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
                place = np.flatnonzero(keys[at] == found)
                yield length, place, numbers[at[place]]


def _keys(token_ids: Tokens, remaining: Ints, length: int) -> Ints:
    """Return the key of what that begins at each token, -1 where a token is unknown or its text ends."""
    ids = token_ids.astype(np.int64)
    ids[(ids <= UNKNOWN_ID) | (ids >= 1 << _BITS)] = -1
    keys, is_known = ids.copy(), ids >= 0
    for further in range(1, length):
        after = np.roll(ids, -further)  # what comes round belongs to no text that goes on
        keys, is_known = keys << _BITS | after, is_known & (after >= 0)
    return np.where(is_known & (remaining >= length), keys, -1)


def _remaining(texts: TokenStore) -> Ints:
    return np.repeat(texts.offsets[1:], texts.lengths) - np.arange(len(texts.token_ids))


def _some(texts: TokenStore) -> tuple[TokenStore, npt.NDArray[np.bool_]]:
    """Return all texts, or of too many tokens an even share drawn by chance; and which."""
    share = min(1.0, _TOKENS / max(1, len(texts.token_ids)))
    some = np.random.default_rng(0).random(len(texts)) < share
    return texts.take(some), some

"""Self-training (Yarowsky 1995): the n-grams learn once more, also from the whole model's answers to texts
without labels, each of which counts as much as it is sure.

The recurrent half has a say in these answers, so that the n-grams learn what it alone knows, which is half of
co-training (Blum & Mitchell 1998). That helps where the labelled rows hold few of the words to come, or that
half was pretrained. So it is done with several texts a row, or beside such a half, and kept where the
validation rows are the likelier for it; with both, where they are not the less likely, since few rows have
few validation rows to say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..config import Configuration
from ..data.rows import Dataset
from ..evaluation.metrics import row_losses
from ..inference import to_probabilities
from .combination import Combination
from .division import Division
from .linear import Answered, learn_ngrams, ngram_rows
from .ngrams import NgramBranch, rows_with_ngrams

_FEATURES = 40_000_000  # of all texts without labels, at 32 bytes each
TEXTS_A_ROW = 5  # which are several: at least so many beside a half that was not pretrained

Floats = npt.NDArray[np.float32]


def are_enough(texts: int, rows: int, pretrained: bool) -> bool:
    """Return whether so many `texts` without labels are learned from beside so many `rows`. pretrained:
    whether the recurrent half was."""
    return texts > 0 and (pretrained or texts >= TEXTS_A_ROW * rows)


class SelfTrained(NamedTuple):
    """ngrams: those that learned from `more`. whole: what they make beside the recurrent half. helps: whether
    that is to be kept."""

    ngrams: NgramBranch
    whole: Combination
    more: Answered
    helps: bool


def self_train(
    whole: Combination,
    ngrams: NgramBranch,
    recurrent: Callable[[Sequence[str]], Floats],
    combined: Callable[[NgramBranch], Combination],
    rows: Division,
    configuration: Configuration,
    seed: int,
    pretrained: bool,
) -> SelfTrained:
    """Return what the n-grams become with the unlabelled texts, or with as many of them, evenly chosen, as
    memory has room for.

    whole, ngrams: what answers them. recurrent: gives the logits [texts, C] of the recurrent half. combined:
    makes a whole of n-grams and the recurrent half. pretrained: whether that was. It helps if the validation
    rows are the likelier for it, by more than a standard error; of several texts a row beside a pretrained
    half, unless they are the less likely by as much.
    """
    unlabelled, valid = rows.unlabelled, rows.valid
    room = min(len(unlabelled), rows_with_ngrams(unlabelled, configuration.text, _FEATURES))
    even = np.linspace(0, len(unlabelled) - 1, room).astype(np.int64)
    texts = unlabelled if room == len(unlabelled) else Dataset(unlabelled, None, ()).take(even).texts
    logits = whole.join(recurrent(texts), ngrams.score(texts))
    more = _answered(texts, whole, logits, valid.is_multilabel)
    learned = learn_ngrams(ngram_rows(rows.train, configuration, seed), configuration, more)
    after = combined(learned)
    fallen = _losses(whole, valid) - _losses(after, valid)
    error = float(fallen.std()) / max(1, len(fallen)) ** 0.5
    is_expected = pretrained and are_enough(len(unlabelled), len(rows.train), pretrained=False)
    return SelfTrained(learned, after, more, float(fallen.mean()) > (-error if is_expected else error))


def _answered(texts: Sequence[str], whole: Combination, logits: Floats, several: bool) -> Answered:
    """Return the texts with the labels that their logits [texts, C] give. several: whether each may have
    several."""
    probabilities = to_probabilities(logits, several, whole.evenness)
    if several:
        labels, sureness = (probabilities >= 0.5).astype(np.int64), np.abs(2 * probabilities - 1)
    else:
        classes = probabilities.shape[1]
        labels = probabilities.argmax(1).astype(np.int64)
        sureness = (classes * probabilities.max(1) - 1) / (classes - 1)
    return Answered(texts, labels, np.asarray(sureness, np.float32))


def _losses(whole: Combination, valid: Dataset) -> npt.NDArray[np.float64]:
    """Return the loss of each row (nats), of several labels their mean."""
    probabilities = to_probabilities(whole.logits, valid.is_multilabel, whole.evenness)
    losses = row_losses(probabilities, valid.targets).astype(np.float64)
    return np.asarray(losses.mean(1)) if valid.is_multilabel else losses

"""Does padding change an answer? For anybody's model: in PyTorch, Keras, scikit-learn, or behind a server.

A text is asked alone, and then in company that gives it padding. The answers of a model that does not read
padding are the same, but for rounding.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError

TOLERANCE = 1e-4  # of a probability or logit: far above the rounding of fp32
_MORE = 20  # positions of padding that a model is asked for, if it can be
_AGAIN, _UNPADDED, _PADDED = "when asked again", "with no padding", f"with {_MORE} positions of padding"
_BLIND = (
    "; a model that pads to one fixed length is blind to neighbours: to see through it, give predict a"
    " keyword `padding`, how many positions to add to the longest text instead"
)
_MEND = (
    "; give the model each text's length: pack or mask, turn round within the length, take the last real"
    " step, leave padding out of sums and means"
)
Answers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PaddingCheck:
    """What the check saw.

    difference: the largest between an answer (a probability or logit) and that of the text alone; it was seen
    in `text`, in such `company`. changed: the places of the texts that differ by more than `tolerance` in any
    company. flipped: of those among them whose label differs. tried: each company.
    """

    difference: float
    tolerance: float
    text: str
    company: str
    changed: tuple[int, ...]
    flipped: tuple[int, ...]
    tried: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no answer changed."""
        return not self.changed

    def __str__(self) -> str:
        if self.passed:
            blind = "" if _PADDED in self.tried else _BLIND
            return f"no answer changes, largest difference {self.difference:.1e}{blind}"
        seen = f"{self.text[:40]!r} differs by {self.difference:.2g} {self.company}"
        if self.company == _AGAIN:
            return f"the same call gives other answers: {seen}; is dropout on (in PyTorch: model.eval())?"
        texts, labels = len(self.changed), len(self.flipped)
        return f"padding changes answers: {seen}; {texts} texts change, {labels} of them their label{_MEND}"


def check_padding_invariance(
    predict: Callable[..., Any], texts: Sequence[str], tolerance: float = TOLERANCE
) -> PaddingCheck:
    """Return whether `predict` gives each text the same answer alone and in any company.

    predict: takes a list of texts and returns for each a number or a row of them, probabilities or logits, as
    an array, a tensor or a list. A model that pads every batch to one fixed length is blind to neighbours. So
    where `predict` has a keyword `padding`, how many positions to add to the longest text of the batch in
    place of what it does by itself, it is also asked with none and with 20.
    Raises DataError without texts, or where predict gives another number of answers.
    """
    texts = list(texts)
    if not texts:
        raise DataError("no texts: expected some, of different lengths")
    longest = max(texts, key=len)
    longer = f"{longest} {longest}"

    def each(*, front: tuple[str, ...] = (), behind: tuple[str, ...] = (), **more: int) -> Answers:
        """Return the answers to the texts, asked one by one between the same neighbours."""
        return np.stack([_ask(predict, [*front, text, *behind], **more)[len(front)] for text in texts])

    alone = each()
    answers = {
        _AGAIN: each(),
        "in one batch with the others": _ask(predict, texts),
        "in a batch in reverse order": _ask(predict, texts[::-1])[::-1],
        "in front of a longer text": each(behind=(longer,)),
        "behind a longer text": each(front=(longer,)),
    }
    if _takes_padding(predict):
        answers |= {_UNPADDED: each(padding=0), _PADDED: each(padding=_MORE)}
    differences = {company: _difference(given, alone) for company, given in answers.items()}
    company = max(differences, key=lambda name: differences[name].max())
    if differences[_AGAIN].max() > tolerance:  # then the others say nothing
        company = _AGAIN
    worst = differences[company]
    is_changed = np.max(list(differences.values()), axis=0) > tolerance
    middle = 0.5 if alone.min() >= 0 and alone.max() <= 1 else 0.0  # of a single probability, or logit
    labels = [_labels(given, middle) != _labels(alone, middle) for given in answers.values()]
    return PaddingCheck(
        difference=float(worst.max()),
        tolerance=tolerance,
        text=texts[int(worst.argmax())],
        company=company,
        changed=tuple(np.flatnonzero(is_changed).tolist()),
        flipped=tuple(np.flatnonzero(is_changed & np.any(labels, axis=0)).tolist()),
        tried=tuple(answers),
    )


def assert_padding_invariance(
    predict: Callable[..., Any], texts: Sequence[str], tolerance: float = TOLERANCE
) -> None:
    """Raise AssertionError, with what was seen, where `check_padding_invariance` does not pass."""
    seen = check_padding_invariance(predict, texts, tolerance)
    if not seen.passed:
        raise AssertionError(str(seen))


def _takes_padding(predict: Callable[..., Any]) -> bool:
    try:
        return "padding" in inspect.signature(predict).parameters
    except ValueError:  # written in C, it does not tell
        return False


def _ask(predict: Callable[..., Any], texts: list[str], **more: int) -> Answers:
    """Return the answers, float64 [texts, numbers]."""
    given = predict(texts, **more)
    if hasattr(given, "detach"):  # a tensor of PyTorch, wherever it lies
        given = given.detach().float().cpu()
    answers = np.asarray(given, np.float64)
    if len(texts) not in (*answers.shape[:1], answers.size):  # a single number may come as no row
        raise DataError(
            f"predict gave an array of shape {answers.shape} for {len(texts)} texts; expected for each a"
            " number or a row of numbers"
        )
    return answers.reshape(len(texts), -1)


def _difference(answers: Answers, alone: Answers) -> Answers:
    """Return the largest difference in each text's answer, infinite where one is no number."""
    most: Answers = np.abs(answers - alone).max(1)
    return np.nan_to_num(most, nan=np.inf, posinf=np.inf)


def _labels(answers: Answers, middle: float) -> npt.NDArray[np.int64]:
    """Return the label of each answer: the largest number, or whether the only one is above `middle`."""
    labels = answers.argmax(1) if answers.shape[1] > 1 else answers[:, 0] > middle
    return np.asarray(labels, np.int64)

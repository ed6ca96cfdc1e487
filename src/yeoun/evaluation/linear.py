"""The linear baseline: TF-IDF n-grams and a linear support vector machine, trained on the same rows.

Words 1-2 for most text; characters 1-4 where Hangul prevails. Features are hashed, so that the whole
baseline is two arrays and an offset, and can lie in a bundle without pickle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..text.normalization import hangul_share, normalize

_CHUNK = 20_000  # texts
_COEFFICIENTS = 2**26  # of all labels together


@dataclass(frozen=True)
class LinearBaseline:
    """A fitted baseline.

    analyzer: "word" or "char". multilabel: whether each label is decided by itself. idf: float32
    [features]. coefficients: float32 [scores, features] and intercepts: float32 [scores], one score for
    two classes, else one a class.
    """

    analyzer: str
    multilabel: bool
    idf: npt.NDArray[np.float32]
    coefficients: npt.NDArray[np.float32]
    intercepts: npt.NDArray[np.float32]

    @classmethod
    def of(cls, analyzer: str, multilabel: bool, arrays: Mapping[str, npt.NDArray[Any]]) -> LinearBaseline:
        """Return the baseline of what `arrays` gave."""
        coefficients = arrays["coefficients"].astype(np.float32)
        return cls(analyzer, multilabel, arrays["idf"], coefficients, arrays["intercepts"])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what a bundle stores."""
        # In C order, since safetensors writes the memory as it lies.
        half = np.ascontiguousarray(self.coefficients, np.float16)
        return {"idf": self.idf, "coefficients": half, "intercepts": self.intercepts}

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the class of each text, int64 [rows]; or 0 or 1 for each label, [rows, classes]."""
        starts = range(0, max(1, len(texts)), _CHUNK)
        return np.concatenate([self._predict(texts[start : start + _CHUNK]) for start in starts])

    def _predict(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        features = _weighted(_counts(texts, self.analyzer, len(self.idf)), self.idf)
        scores = features @ self.coefficients.T + self.intercepts
        if self.multilabel:
            predicted = scores > 0
        else:
            predicted = (scores[:, 0] > 0) if scores.shape[1] == 1 else scores.argmax(1)
        return np.asarray(predicted, np.int64)


def fit_linear(
    texts: Sequence[str],
    labels: npt.NDArray[np.int64],
    classes: int,
    weights: npt.NDArray[np.float32] | None = None,
) -> LinearBaseline:
    """Return the baseline fitted on `texts`; every one of `classes` labels occurs.

    labels: int64 [rows], or 0 and 1 in [rows, classes] where a row may have several. weights:
    float32 [rows], how much each row counts beside the others.
    """
    from sklearn.svm import LinearSVC

    analyzer = analyzer_of(texts)
    width = min(2**20 if classes == 2 else 2**18, _COEFFICIENTS // 2 ** (classes - 1).bit_length())
    counts = _counts(texts, analyzer, width)
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)
    features = _weighted(counts, idf)
    if weights is not None:
        weights = (weights / weights.mean(dtype=np.float64)).astype(np.float32)
    fitted = []
    for targets in labels.T if labels.ndim == 2 else (labels,):
        if labels.ndim == 2 and targets.all():  # nothing to learn, and the machine would refuse
            fitted.append((np.zeros((1, features.shape[1]), np.float32), np.ones(1)))
            continue
        machine = LinearSVC(C=0.5 if analyzer == "word" else 0.2, random_state=0)
        machine.fit(features, targets, sample_weight=weights)
        fitted.append((machine.coef_.astype(np.float32), machine.intercept_))
    coefficients, intercepts = map(np.concatenate, zip(*fitted, strict=True))
    half = coefficients.astype(np.float16).astype(np.float32)
    return LinearBaseline(analyzer, labels.ndim == 2, idf, half, intercepts.astype(np.float32))


def analyzer_of(texts: Sequence[str]) -> str:
    """Return what n-grams the baseline of these texts reads, "word" or "char"."""
    return "char" if hangul_share(texts) > 0.2 else "word"


def count_features(texts: Sequence[str]) -> int:
    """Return how many different n-grams the baseline reads in each of the texts, summed."""
    return int(_counts(texts, analyzer_of(texts), 2**20).nnz)


def _counts(texts: Sequence[str], analyzer: str, features: int):  # type: ignore[no-untyped-def]
    import scipy.sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    ngrams, pattern = ((1, 4), None) if analyzer == "char" else ((1, 2), r"(?u)\b\w+\b|[!?]")
    vectorizer = HashingVectorizer(
        analyzer=analyzer,
        ngram_range=ngrams,
        token_pattern=pattern,
        n_features=features,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    if not len(texts):  # scikit-learn stops at an empty list
        return scipy.sparse.csr_matrix((0, features), dtype=np.float32)
    # Of many rows at once the vectorizer takes twice the room that the machine will.
    chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
    return scipy.sparse.vstack([vectorizer.transform(map(normalize, chunk)) for chunk in chunks], "csr")


def _weighted(counts, idf: npt.NDArray[np.float32]):  # type: ignore[no-untyped-def]
    """Return the TF-IDF features of `counts`, in their place: of many rows both would fill the memory."""
    from sklearn.preprocessing import normalize as to_unit_length

    np.log(counts.data, out=counts.data)
    counts.data += 1
    counts.data *= idf[counts.indices]
    return to_unit_length(counts, copy=False) if counts.shape[0] else counts

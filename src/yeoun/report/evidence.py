"""What a model answers to labelled rows, and what a report wants to know of it."""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bundle import ModelBundle
from ..config import UNKNOWN_ID
from ..data.rows import Dataset
from ..evaluation.abstention import Flags
from ..evaluation.metrics import Labels, are_right, measure, score_answers
from ..evaluation.significance import Estimate, Sampled, resample
from ..inference import Floats, decide_labels, predict_proba

LINEAR, HALF = "linear_baseline", "recurrent_alone"


@dataclass(frozen=True)
class Evidence:
    """The answers to rows of `source`.

    numbers: int64 [rows], that of each row in `source`, from 1. probabilities: float32 [rows, classes].
    chosen: the labels given. others: what the linear baseline and the recurrent half alone give, by name,
    where there are these. lengths: int64 [rows], in words; unknown: the share of the tokens that are read
    which is not known. texts_per_second: by name of who answered. is_known: whether the model was trained on
    these very rows.
    """

    source: str
    rows: Dataset
    numbers: Labels
    probabilities: Floats
    chosen: Labels
    others: Mapping[str, Labels]
    lengths: Labels
    unknown: npt.NDArray[np.float64]
    figures: Mapping[str, Any]
    texts_per_second: Mapping[str, float]
    fingerprint: str
    is_known: bool

    @cached_property
    def right(self) -> Flags:
        """Which rows have their label, or all of their labels, right, bool [rows]."""
        return are_right(self.chosen, self.rows.targets)

    def right_of(self, who: str) -> Flags:
        """Return the same of one of `others`."""
        return are_right(self.others[who], self.rows.targets)

    @cached_property
    def certainty(self) -> Floats:
        """The probability of the answer, float32 [rows]; of several labels the least of those given, or the
        least likely absence where none is given."""
        if not self.rows.is_multilabel:
            return np.asarray(self.probabilities.max(1))
        given = np.where(self.chosen == 1, self.probabilities, np.inf).min(1)
        return np.asarray(np.where(np.isinf(given), 1 - self.probabilities.max(1), given))

    @cached_property
    def disbelief(self) -> Floats:
        """How little the model believes the label, float32 [rows]: the probability that it is another; of
        several labels that of the one believed least."""
        targets = self.rows.targets
        if self.rows.is_multilabel:
            return np.asarray(np.abs(targets - self.probabilities).max(1))
        return np.asarray(1 - self.probabilities[np.arange(len(targets)), targets])


def gather(bundle: ModelBundle, rows: Dataset, source: str, numbers: Labels | None = None) -> Evidence:
    """Return what the model, its recurrent half and the linear baseline answer to `rows`."""
    seconds, others = {}, {}
    predict_proba(bundle, rows.texts[:1])  # starting takes time of its own
    started = time.perf_counter()
    probabilities = predict_proba(bundle, rows.texts)
    seconds["own"] = time.perf_counter() - started
    if bundle.ngrams is not None:
        started, half = time.perf_counter(), bundle.without_ngrams()
        others[HALF] = decide_labels(half, predict_proba(half, rows.texts))
        seconds[HALF] = time.perf_counter() - started
    if bundle.baseline is not None:
        started = time.perf_counter()
        others[LINEAR] = bundle.baseline.predict(rows.texts)
        seconds[LINEAR] = time.perf_counter() - started
    token_ids, offsets, _ = bundle.indexer.index(rows.texts)
    unknown = np.diff(np.append(0, (token_ids == UNKNOWN_ID).cumsum())[offsets])
    fingerprint = rows.fingerprint()
    return Evidence(
        source=source,
        rows=rows,
        numbers=np.arange(1, len(rows) + 1) if numbers is None else numbers,
        probabilities=probabilities,
        chosen=decide_labels(bundle, probabilities),
        others=others,
        lengths=np.array([len(text.split()) for text in rows.texts]),
        unknown=unknown / np.diff(offsets).clip(1),
        figures=asdict(measure(probabilities, rows.targets, np.array(bundle.thresholds))),
        texts_per_second={who: len(rows) / each for who, each in seconds.items()},
        fingerprint=fingerprint,
        is_known=fingerprint in (bundle.provenance.get("data"), bundle.provenance.get("validation")),
    )


def scores_of(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Return the figures of each of `others`."""
    return {who: score_answers(answers, evidence.rows.targets) for who, answers in evidence.others.items()}


def differences(evidence: Evidence) -> dict[str, Estimate]:
    """Return how much larger a share of the same rows the model has right than each of `others`."""
    answers = np.stack([evidence.chosen, *evidence.others.values()])
    share = next(iter(resample(answers, evidence.rows.targets).values()))
    each = [Sampled(share.by_seed[[i]], share.resampled[[i]], share.rows) for i in range(len(answers))]
    return {who: (each[0] - other).estimate() for who, other in zip(evidence.others, each[1:], strict=True)}


class Slice(NamedTuple):
    """Rows that have something in common. kind: in what respect; name: what it is."""

    kind: str
    name: str
    rows: npt.NDArray[np.int64]


def slices(evidence: Evidence) -> Iterator[Slice]:
    """Yield the rows by length, share of unknown tokens, and script."""
    edges = np.unique(np.quantile(evidence.lengths, [0.25, 0.5, 0.75, 1.0]).astype(np.int64))
    part_of = np.searchsorted(edges, evidence.lengths)
    for i, high in enumerate(edges):
        rows = np.flatnonzero(part_of == i)
        low = int(evidence.lengths[rows].min(initial=high))
        yield Slice("by_length", f"{low:,}–{high:,}" if low < high else f"{high:,}", rows)
    bounds = {"0%": 0.0, "≤ 10%": 0.1, "> 10%": 1.0}
    part_of = np.searchsorted(list(bounds.values()), evidence.unknown)
    for i, name in enumerate(bounds):
        yield Slice("by_unknown", name, np.flatnonzero(part_of == i))
    scripts = np.array([script_of(text) for text in evidence.rows.texts])
    for script, _ in Counter(scripts.tolist()).most_common(6):
        yield Slice("by_script", script, np.flatnonzero(scripts == script))


def script_of(text: str) -> str:
    """Return the script of most letters among the first 300 characters, as Unicode names it; nothing where
    there are none."""
    scripts = Counter(_script(character) for character in text[:300])
    del scripts[""]
    return scripts.most_common(1)[0][0].capitalize() if scripts else ""


@lru_cache(maxsize=100_000)
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def doubted(evidence: Evidence, most: int) -> tuple[list[int], list[int]]:
    """Return rows that are answered wrong, `most` of each: those whose label the linear baseline gives, the
    surest answer first, and those whose label it does not give either, the least believed label first."""
    wrong = ~evidence.right
    agrees = evidence.right_of(LINEAR) if LINEAR in evidence.others else np.ones_like(wrong)

    def first(rows: Flags, by: Floats) -> list[int]:
        numbers = np.flatnonzero(rows)
        return list(map(int, numbers[np.argsort(-by[numbers], kind="stable")][:most]))

    return first(wrong & agrees, evidence.certainty), first(wrong & ~agrees, evidence.disbelief)


def examples(evidence: Evidence, most: int) -> list[int]:
    """Return rows that are answered right, of each label in turn, of middling certainty."""
    found: list[int] = []
    each = max(1, most // len(evidence.rows.label_names))
    for label in range(len(evidence.rows.label_names)):
        rows = evidence.rows.rows_with(label)
        rows = rows[evidence.right[rows]]
        rising = rows[np.argsort(evidence.certainty[rows], kind="stable")]
        found += rising[len(rising) // 2 :][:each].tolist()
    return found[:most]

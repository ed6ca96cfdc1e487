"""yeoun evaluate"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..card import FIGURES
from ..data.rows import Dataset, require_kind
from ..data.sources import read_source
from ..errors import DataError, UsageError
from .display import describe, emit, in_words, note, note_picture, picture_path

if TYPE_CHECKING:
    from ..bundle import ModelBundle

EXPLAINED = 100  # rows at most


def run(options: argparse.Namespace) -> None:
    """Score a bundle on labelled rows, the linear baseline beside it."""
    from ..bundle import ModelBundle
    from ..evaluation.abstention import abstains, score_answered
    from ..evaluation.metrics import are_right, measure, score_answers
    from ..files import write_durably
    from ..inference import (
        answers_of,
        decide_labels,
        least_probabilities,
        predict_proba,
        score_recurrent_half,
    )

    picture = picture_path(options)
    bundle = ModelBundle.load(Path(options.bundle))
    least = least_probabilities(bundle, options.abstain_below)
    names = bundle.label_names
    table = read_source(options.source, options.text, options.label, options.data_dir, names)
    describe(table, guessed=not (options.text and options.label))
    rows = table.dataset
    require_kind(rows, bundle.is_multilabel, options.source)
    if picture and bundle.is_multilabel:
        raise UsageError("--picture: a confusion matrix needs one label a row; this model gives several")
    if not len(rows):
        raise DataError(f"{options.source}: no rows; expected at least one")
    started = time.perf_counter()
    probabilities = predict_proba(bundle, rows.texts)
    seconds = time.perf_counter() - started
    chosen = decide_labels(bundle, probabilities)
    figures = asdict(measure(probabilities, rows.targets, np.array(bundle.thresholds)))
    linear = None
    if bundle.baseline is not None:
        linear = score_answers(bundle.baseline.predict(rows.texts), rows.targets)
    alone = score_recurrent_half(bundle, rows)
    answered = None
    if least.any():
        abstained = abstains(probabilities, chosen, least)
        answered = score_answered(are_right(chosen, rows.targets), abstained)
    faithful = _measure_faithfulness(bundle, rows) if options.explanations else None
    if picture:
        from ..plots import confusion_picture

        drawn = confusion_picture(rows.targets, chosen, names, picture.suffix[1:].lower())
        write_durably(picture, drawn)
        note_picture(picture, "".join(names))
    if options.json:
        beside = {**({} if alone is None else {"recurrent_alone": alone}), "linear_baseline": linear}
        beside |= {} if answered is None else {"answered": answered}
        beside |= {} if faithful is None else {"explanations": faithful}
        emit({**figures, "texts_per_second": round(len(rows) / seconds, 1), **beside})
        return
    print(f"{len(rows):,} rows, {len(rows) / seconds:,.0f} texts/s")
    for name, words in FIGURES.items():
        if name in figures:
            low, high = figures.get(f"{name}_ci95", (None, None))
            interval = "" if low is None else f"  (95 % interval {low:.4f} to {high:.4f})"
            print(f"{words:<18}{figures[name]:.4f}{interval}")
    for words, others in (("recurrent alone", alone), ("linear baseline", linear)):
        if others is not None:
            each = (f"{FIGURES[name]} {value:.4f}" for name, value in others.items())
            print(f"{words:<18}{', '.join(each)}")
    if answered is not None:
        right = "" if answered["accuracy"] is None else f", of which {answered['accuracy']:.4f} are right"
        print(f"{'answered':<18}{answered['coverage']:.4f} of the rows{right}")
    if faithful is not None:
        _print_faithfulness(faithful)
    print("\nsome answers, the text, the label with its probability, the truth:")
    shown = list(range(0, len(rows), max(1, len(rows) // 6)))
    for i, answer in zip(shown, answers_of(bundle, probabilities[shown], least), strict=True):
        mark = "" if np.array_equal(chosen[i], rows.targets[i]) else "   <- wrong"
        text = " ".join(rows.texts[i].split())
        print(f"  {text[:72]}{'...' if len(text) > 72 else ''}")
        print(f"    {in_words(answer)}; truth {rows.named(rows.targets[i])}{mark}")


def _measure_faithfulness(bundle: ModelBundle, rows: Dataset) -> dict[str, Any]:
    """Return how faithful the explanations of an even sample of the rows are, by method."""
    from ..explain.faithfulness import measure

    note(f"explaining {min(EXPLAINED, len(rows))} of the rows")
    sample = np.unique(np.linspace(0, len(rows) - 1, EXPLAINED).astype(np.int64))
    return measure(bundle, rows.take(sample).texts)


def _print_faithfulness(figures: dict[str, Any]) -> None:
    print(
        "\nexplanations: how far the probability falls without the highest scored tokens, and with them alone"
    )
    for method, found in figures.items():
        for way in ("delete", "mask"):
            without, (low, high) = found[way]["comprehensiveness"], found[way]["comprehensiveness_ci95"]
            times = f"; {found[way]['times_random']:.1f} times random" if "times_random" in found[way] else ""
            interval = f"(95 % interval {low:.4f} to {high:.4f})"
            print(f"{method:<21}{way:<7}{without:.4f}  {interval}  {found[way]['sufficiency']:.4f}{times}")
        if "randomized" in found:
            print(f"{'':<21}rank correlation with the scores of shuffled weights {found['randomized']:.2f}")

"""yeoun evaluate"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..data.sources import read_source
from ..errors import DataError
from .display import describe, emit


def run(options: argparse.Namespace) -> None:
    """Score a bundle on labelled rows, the linear baseline beside it."""
    from ..bundle import ModelBundle
    from ..evaluation.metrics import macro_f1, measure
    from ..inference import predict_proba

    bundle = ModelBundle.load(Path(options.bundle))
    names = bundle.label_names
    table = read_source(options.source, options.text, options.label, options.data_dir, names)
    describe(table, guessed=not (options.text and options.label))
    rows = table.dataset
    if not len(rows):
        raise DataError(f"{options.source}: no rows; expected at least one")
    started = time.perf_counter()
    probabilities = predict_proba(bundle, rows.texts)
    seconds = time.perf_counter() - started
    metrics = measure(probabilities, rows.targets)
    linear = None
    if bundle.baseline is not None:
        predicted = bundle.baseline.predict(rows.texts)
        linear = {
            "accuracy": float((predicted == rows.targets).mean()),
            "macro_f1": macro_f1(predicted, rows.targets),
        }
    if options.json:
        emit(
            {
                "rows": metrics.rows,
                "accuracy": metrics.accuracy,
                "accuracy_ci95": list(metrics.accuracy_ci95),
                "macro_f1": metrics.macro_f1,
                "log_loss": metrics.log_loss,
                "ece": metrics.ece,
                "texts_per_second": round(len(rows) / seconds, 1),
                "linear_baseline": linear,
            }
        )
        return
    low, high = metrics.accuracy_ci95
    print(f"{metrics.rows:,} rows, {len(rows) / seconds:,.0f} texts/s")
    print(f"accuracy          {metrics.accuracy:.4f}  (95 % interval {low:.4f} to {high:.4f})")
    print(f"macro F1          {metrics.macro_f1:.4f}")
    print(f"log loss          {metrics.log_loss:.4f}")
    print(f"calibration error {metrics.ece:.4f}")
    if linear is not None:
        print(f"linear baseline   {linear['accuracy']:.4f}  accuracy, macro F1 {linear['macro_f1']:.4f}")
    print("\nsome answers, the text, the label with its probability, the truth:")
    for i in range(0, len(rows), max(1, len(rows) // 6)):
        best = int(probabilities[i].argmax())
        mark = "" if best == rows.targets[i] else "   <- wrong"
        text = " ".join(rows.texts[i].split())
        print(f"  {text[:72]}{'...' if len(text) > 72 else ''}")
        print(
            f"    {names[best]} with a probability of {probabilities[i, best]:.3f};"
            f" truth {names[rows.targets[i]]}{mark}"
        )

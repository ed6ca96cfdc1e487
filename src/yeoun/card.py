"""The model card: what a person reads in a model's folder, and how figures are named wherever they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .config import Configuration
from .version import __version__

FIGURES = {
    "accuracy": "accuracy",
    "subset_accuracy": "subset accuracy",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "ece": "calibration error",
}
SAMPLES = {"baseline_rows": "The linear baseline", "ngram_rows": "The n-grams"}
HALVES = {"recurrent_alone": "its recurrent half", "ngrams_alone": "its n-grams"}


def model_card(
    configuration: Configuration,
    label_names: Sequence[str],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Return the model card (Markdown): what the model is, how good, from what, how to use it."""
    model = configuration.model
    is_two_way = model.bidirectional and model.encoder != "convolution"
    several = "several labels a text, " if model.head == "sigmoids" else ""
    return "\n".join(
        [
            f"# A text classifier: {', '.join(label_names[:8])}" + (", ..." if len(label_names) > 8 else ""),
            "",
            f"Trained with Yeoun {__version__} on {provenance.get('source', 'rows given in Python')}"
            f" ({metrics.get('rows', '?')} rows, {provenance.get('name', 'its own configuration')}).",
            "",
            *_table(metrics),
            "",
            *_notes(metrics, model.head == "sigmoids", configuration.train.calibrate or model.ngrams),
            f"Network: {'bidirectional ' if is_two_way else ''}{model.encoder} of"
            f" {model.hidden_size} units, {model.layers} layer(s), pooling {model.pooling}; {several}"
            f"{metrics.get('parameters', '?')} parameters; text cut by {configuration.text.scheme}.",
            "",
            "```python",
            "from yeoun import load",
            "",
            'load("this folder").predict(["a text"])',
            "```",
            "",
            "Every file's SHA-256 stands in `config.json` and is checked on loading. The figures are of"
            " validation rows held out from training; expect others on other text.",
            "",
        ]
    )


def _notes(metrics: Mapping[str, Any], multilabel: bool, calibrated: bool) -> list[str]:
    notes = []
    if multilabel:
        notes += ["The whole model's thresholds were chosen on these rows; the others have 0.5.", ""]
    if calibrated:
        notes += [
            "The probabilities were scaled on these rows; log loss and error are a little too good.",
            "",
        ]
    for rows, who in SAMPLES.items():
        if rows in metrics:
            notes += [f"{who} learned from {metrics[rows]:,} of the rows.", ""]
    return notes


def _table(metrics: Mapping[str, Any]) -> list[str]:
    own, linear = metrics.get("validation"), metrics.get("linear_baseline")
    if not own or not linear:
        return ["Not measured on validation rows."]
    alone = [(words, metrics[name]) for name, words in HALVES.items() if name in metrics]
    return [
        f"| validation | {' | '.join(FIGURES[name] for name in linear)} |",
        "|---" * (len(linear) + 1) + "|",
        f"| this model | {' | '.join(f'{own[name]:.4f}' for name in linear)} |",
        *(f"| {words} | {' | '.join(f'{each[name]:.4f}' for name in linear)} |" for words, each in alone),
        f"| linear baseline | {' | '.join(f'{value:.4f}' for value in linear.values())} |",
    ]

"""yeoun explain"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .display import emit, fresh_path, note, note_picture, picture_path

if TYPE_CHECKING:
    from ..explain import Explanation


def run(options: argparse.Namespace) -> None:
    """Print a score for each token of a text, and draw it if asked."""
    from ..bundle import ModelBundle
    from ..explain import DEFAULT, explain, explain_answer
    from ..files import write_durably
    from ..inference import answers_of, predict_proba
    from ..plots import explanation_picture, gates_picture
    from ..report.highlight import explanation_page, summary

    picture, page = picture_path(options), fresh_path(options, "html", (".html", ".htm"))
    bundle = ModelBundle.load(Path(options.bundle))
    method = options.method or DEFAULT
    if options.label is None:
        explanations = explain_answer(bundle, options.text, method)
        if bundle.is_multilabel and not answers_of(bundle, predict_proba(bundle, [options.text]))[0].label:
            note("the text gets no label; the likeliest is explained")
    else:
        explanations = [explain(bundle, options.text, method, options.label)]
    if bundle.ngrams is not None and not explanations[0].halves:
        note("the scores are of the recurrent half; what the n-grams add is not among them")
    explanations = [_of_layer(each, options) for each in explanations]
    if picture:
        if len(explanations) > 1:
            raise UsageError("--picture: the text has several labels; choose one with --label")
        draw = gates_picture if explanations[0].layers else explanation_picture
        write_durably(picture, draw(explanations[0], picture.suffix[1:].lower()))
        note_picture(picture, options.text)
    if page:
        write_durably(
            page, explanation_page(explanations, "What the label came from").encode("utf-8", "replace")
        )
        note(f"written to {page}")
    for explanation in explanations:
        if options.json:
            emit(explanation.as_dict())
            continue
        note(summary(explanation))
        print(f"{explanation.label} with a probability of {explanation.probability:.3f}")
        largest = max((abs(token.score) for token in explanation.tokens), default=1.0) or 1.0
        for token in explanation.tokens:
            print(f"  {token.score:7.4f} {'#' * round(30 * abs(token.score) / largest):<30} {token.text}")


def _of_layer(explanation: Explanation, options: argparse.Namespace) -> Explanation:
    """Return the explanation with the traces of the layer that was asked for. Raises UsageError where there
    are none."""
    if options.layer is not None and not explanation.layers:
        raise UsageError("--layer: expected --method gates, which alone has layers")
    if explanation.layers and (options.json or options.layer is not None):
        return explanation.only_layer(options.layer)
    return explanation

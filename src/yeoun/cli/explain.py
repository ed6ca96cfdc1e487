"""yeoun explain"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError
from .display import emit, note, note_picture, picture_path


def run(options: argparse.Namespace) -> None:
    """Print a score for each token of a text, and draw it if asked."""
    from ..bundle import ModelBundle
    from ..explain import explain
    from ..files import write_durably
    from ..plots import explanation_picture, gates_picture

    picture = picture_path(options)
    bundle = ModelBundle.load(Path(options.bundle))
    explanation = explain(bundle, options.text, options.method)
    if bundle.ngrams is not None:
        note("the scores are of the recurrent half; what the n-grams add is not among them")
    if options.layer is not None and not explanation.layers:
        raise UsageError("--layer: expected --method gates, which alone has layers")
    if explanation.layers and (options.json or options.layer is not None):
        explanation = explanation.only_layer(options.layer)
    if picture:
        draw = gates_picture if explanation.layers else explanation_picture
        write_durably(picture, draw(explanation, picture.suffix[1:].lower()))
        note_picture(picture, options.text)
    if options.json:
        emit(explanation.as_dict())
        return
    print(f"{explanation.label} with a probability of {explanation.probability:.3f}")
    largest = max((abs(token.score) for token in explanation.tokens), default=1.0) or 1.0
    for token in explanation.tokens:
        print(f"  {token.score:7.4f} {'#' * round(30 * abs(token.score) / largest):<30} {token.text}")

"""yeoun explain"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import OutputError
from .display import emit, note


def run(options: argparse.Namespace) -> None:
    """Print a score for each token of a text, and draw it if asked."""
    from ..bundle import ModelBundle, write_durably
    from ..explain import explain
    from ..plots import KOREAN_FONTS, explanation_picture, korean_font

    picture = Path(options.picture) if options.picture else None
    if picture and picture.exists() and not options.force:
        raise OutputError(f"{picture}: exists already; choose another place or use --force")
    explanation = explain(ModelBundle.load(Path(options.bundle)), options.text, options.method)
    if picture:
        write_durably(picture, explanation_picture(explanation))
        note(f"drawn to {picture}")
        if korean_font() is None and any("가" <= c <= "힣" for c in options.text):
            fonts = ", ".join(KOREAN_FONTS)
            note(f"no font with Hangul is installed, so it shows as boxes; install one of {fonts}")
    if options.json:
        emit(explanation.as_dict())
        return
    print(f"{explanation.label} with a probability of {explanation.probability:.3f}")
    largest = max((abs(token.score) for token in explanation.tokens), default=1.0) or 1.0
    for token in explanation.tokens:
        print(f"  {token.score:7.4f} {'#' * round(30 * abs(token.score) / largest):<30} {token.text}")

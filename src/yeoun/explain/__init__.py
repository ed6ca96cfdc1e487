"""Why a text got its label: one score a token, as plain data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..bundle import ModelBundle
from ..errors import ConfigError
from ..inference import Floats, answers_of, predict_proba
from .attention import explain_by_attention
from .explanation import Explanation, Scored, Scores, TokenScore
from .gates import explain_by_gates
from .gradients import explain_by_gradients
from .occlusion import explain_by_occlusion
from .reading import Reading, read

__all__ = ["DEFAULT", "EXPLAINERS", "Explanation", "contrast", "explain", "explain_answer"]

# Each finds what every piece of a text gives the logit of a label, which is a contrast of the logits.
EXPLAINERS: dict[str, Callable[[ModelBundle, Reading, Scores], Scored]] = {
    "integrated-gradients": explain_by_gradients,
    "occlusion": explain_by_occlusion,
    "attention": explain_by_attention,
    "gates": explain_by_gates,
}
DEFAULT = "integrated-gradients"


def explain(bundle: ModelBundle, text: str, method: str = DEFAULT, label: str | None = None) -> Explanation:
    """Return what `method` says each token of `text` gives `label`, or the likeliest label without one.

    Raises ConfigError for an unknown method or label, or a method that the model's network does not allow.
    """
    probabilities = predict_proba(bundle, [text])[0]
    return _explain(bundle, text, method, probabilities, label)


def explain_answer(bundle: ModelBundle, text: str, method: str = DEFAULT) -> list[Explanation]:
    """Return the explanation of each label that `text` gets: one; or, where there may be several or none, of
    each of them, or of the likeliest."""
    probabilities = predict_proba(bundle, [text])
    label = answers_of(bundle, probabilities)[0].label
    given: list[str | None] = [label] if isinstance(label, str) else [*(label or ())] or [None]
    return [_explain(bundle, text, method, probabilities[0], each) for each in given]


def contrast(bundle: ModelBundle, label: int) -> Scores:
    """Return what the logits [classes] are weighed by to give the logit of a label: its own less the mean of
    the others', which of two classes are the log-odds; its own alone where a text may have several."""
    classes = len(bundle.label_names)
    others = 0.0 if bundle.is_multilabel else -1.0 / (classes - 1)
    return np.where(np.arange(classes) == label, 1.0, others)


def _explain(
    bundle: ModelBundle, text: str, method: str, probabilities: Floats, label: str | None
) -> Explanation:
    names = bundle.label_names
    if method not in EXPLAINERS:
        raise ConfigError(f"unknown method {method!r}; expected one of {', '.join(EXPLAINERS)}")
    if label is not None and label not in names:
        raise ConfigError(f"unknown label {label!r}; expected one of {', '.join(names)}")
    of = int(probabilities.argmax()) if label is None else names.index(label)
    reading = read(bundle, text)
    scored = EXPLAINERS[method](bundle, reading, contrast(bundle, of))
    ngrams = [None] * len(reading) if scored.ngrams is None else scored.ngrams.tolist()
    pieces = zip(reading.starts.tolist(), reading.ends.tolist(), scored.scores.tolist(), ngrams, strict=True)
    # A method that is deaf to n-grams has nothing to say of what they alone read.
    is_heard = reading.is_token if scored.ngrams is None else np.ones(len(reading), bool)
    tokens = tuple(
        TokenScore(text[start:end], start, end, score, part)
        for (start, end, score, part), heard in zip(pieces, is_heard, strict=True)
        if heard
    )
    return Explanation(names[of], float(probabilities[of]), method, tokens, scored.gap, scored.layers, text)

"""A text with its tokens coloured by score, as HTML: escaped, without a script, with each score on hover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..explain.explanation import Explanation, TokenScore
from .markup import Html, document, tag

# Of pages that hold what `highlighted` gives, in either colour scheme.
STYLE = """\
:root { color-scheme: light dark; --for: 32 110 190; --against: 214 96 20 }
.scored { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9 }
.scored span { border-radius: .2em; padding: .1em 0 }
.scored .for { background: rgb(var(--for) / calc(var(--share) * .5)) }
.scored .against { background: rgb(var(--against) / calc(var(--share) * .5));
  border-bottom: 2px solid rgb(var(--against) / var(--share)) }
@media (prefers-color-scheme: dark) { :root { --for: 80 160 255; --against: 255 140 60 } }
@media print { .scored span { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""
_PAGE_STYLE = """\
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 2rem }
h2 { font-size: 1.1rem; margin: 1rem 0 0 }
.of { opacity: .75; margin: .2rem 0 0; font-size: .9rem }
.scored { max-width: 46rem }
"""
_COLOURS = "Blue speaks for the label, orange and underlined against it, the deeper the more."


def highlighted(explanation: Explanation) -> Html:
    """Return the whole text as a paragraph in which each token is coloured: blue where it speaks for the
    label, orange where against it, the deeper the more. Tokens that share characters are one stretch."""
    stretches = list(_stretches(explanation.tokens))
    largest = max((abs(score) for *_, score, _ in stretches), default=0.0) or 1.0
    parts: list[str] = []
    at = 0
    for start, end, score, title in stretches:
        kind, share = "for" if score >= 0 else "against", f"--share:{abs(score) / largest:.3f}"
        parts.append(explanation.text[at:start])
        parts.append(tag("span", explanation.text[start:end], class_=kind, style=share, title=title))
        at = end
    return tag("p", *parts, explanation.text[at:], class_="scored")


def explanation_page(explanations: Sequence[Explanation], title: str) -> str:
    """Return a page of these explanations, side by side where there is room."""
    parts = (
        tag(
            "section",
            tag("h2", f"{each.label}, probability {each.probability:.3f}"),
            tag("p", summary(each), class_="of"),
            highlighted(each),
        )
        for each in explanations
    )
    top = (tag("h1", title), tag("p", _COLOURS, class_="of"))
    return document(title, STYLE + _PAGE_STYLE, *top, tag("main", *parts))


def summary(explanation: Explanation) -> str:
    """Return the method in words, with what each half adds and what the scores miss, where that is known."""
    words = [explanation.method]
    if explanation.halves:
        words.append(
            "recurrent half {recurrent:+.2f} and n-grams {ngrams:+.2f} logits".format(**explanation.halves)
        )
    if explanation.gap is not None:
        words.append(f"gap {explanation.gap:.2%}")
    return "; ".join(words)


def _stretches(tokens: Sequence[TokenScore]) -> Iterator[tuple[int, int, float, str]]:
    """Yield start, end, score and title of the stretches that tokens cover, each once."""
    waiting: list[TokenScore] = []
    for token in (token for token in tokens if token.end > token.start):
        if waiting and token.start >= max(each.end for each in waiting):
            yield _stretch(waiting)
            waiting = []
        waiting.append(token)
    if waiting:
        yield _stretch(waiting)


def _stretch(tokens: Sequence[TokenScore]) -> tuple[int, int, float, str]:
    score = sum(token.score for token in tokens)
    title = f"{score:+.3f}"
    if tokens[0].ngrams is not None:
        title += f", of n-grams {sum(token.ngrams or 0.0 for token in tokens):+.3f}"
    return tokens[0].start, max(token.end for token in tokens), score, title

"""Rows to read: confident mistakes, likely label errors, right answers; each text with its words weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..bundle import ModelBundle
from ..evaluation.metrics import Labels
from ..explain import DEFAULT, Explanation, explain
from .evidence import LINEAR, Evidence, doubted, examples
from .highlight import highlighted
from .markup import Html, markup, tag
from .page import Section, note, section, share
from .words import say

MOST = 12  # rows of each kind
LONGEST = 600  # characters of a text


def doubts(bundle: ModelBundle, evidence: Evidence) -> list[Section]:
    """Return the sections of rows to read."""
    mistakes, errors = doubted(evidence, MOST)
    has_linear = LINEAR in evidence.others
    kinds = [("mistakes", "mistakes_note" if has_linear else "mistakes_alone", mistakes)]
    if has_linear:
        kinds.append(("label_errors", "label_errors_note", errors))
    kinds.append(("examples", "examples_note", examples(evidence, MOST // 2)))
    shading = note("highlight_note", method=DEFAULT)
    return [
        section(
            key, note(caption), shading if key == "mistakes" else None, *_examples(bundle, evidence, rows)
        )
        for key, caption, rows in kinds
    ]


def _examples(bundle: ModelBundle, evidence: Evidence, rows: Sequence[int]) -> list[Html]:
    return [_example(bundle, evidence, row) for row in rows] or [note("none_found")]


def _example(bundle: ModelBundle, evidence: Evidence, row: int) -> Html:
    names, targets = evidence.rows.label_names, evidence.rows.targets
    head = [
        say("row", number=f"{evidence.numbers[row]:,}"),
        say("labelled", label=tag("b", _names(targets[row], names))),
        say(
            "answers",
            label=tag("b", _names(evidence.chosen[row], names)),
            share=share(float(evidence.certainty[row])),
        ),
    ]
    if LINEAR in evidence.others:
        head.append(say("linear_says", label=_names(evidence.others[LINEAR][row], names)))
    text = highlighted(excerpt(explain(bundle, evidence.rows.texts[row])))
    return tag("article", tag("header", *(tag("span", each) for each in head)), text, class_="example")


def _names(labels: Labels, names: Sequence[str]) -> Html:
    if labels.ndim == 0:
        return markup(names[int(labels)])
    return markup(", ".join(names[int(i)] for i in np.flatnonzero(labels))) or say("no_label")


def excerpt(explanation: Explanation) -> Explanation:
    """Return the explanation of the 600 characters whose tokens weigh most, of a longer text."""
    text, tokens = explanation.text, sorted(explanation.tokens, key=lambda token: token.start)
    if len(text) <= LONGEST or not tokens:
        return replace(explanation, text=text[:LONGEST])
    starts = np.array([token.start for token in tokens])
    ends = np.maximum.accumulate([token.end for token in tokens])
    weight = np.concatenate([[0.0], np.abs([token.score for token in tokens]).cumsum()])
    behind = np.searchsorted(ends, starts + LONGEST, "right")
    first = int(np.argmax(weight[behind] - weight[:-1]))
    low, kept = int(starts[first]), tokens[first : behind[first]]
    high = int(ends[behind[first] - 1]) if kept else low + LONGEST
    before, after = "[...] " if low else "", " [...]" if high < len(text) else ""
    shift = len(before) - low
    moved = (replace(token, start=token.start + shift, end=token.end + shift) for token in kept)
    return replace(explanation, text=f"{before}{text[low:high]}{after}", tokens=tuple(moved))

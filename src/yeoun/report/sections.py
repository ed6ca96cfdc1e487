"""The sections of a report, each from what a bundle knows or from the evidence of labelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..bundle import ModelBundle
from ..card import FIGURES
from ..evaluation.abstention import PRECISIONS, abstains, coverage_curve, risk_coverage_area, score_answered
from ..evaluation.metrics import class_scores, confusion_counts, reliability, wilson_interval
from ..evaluation.significance import Estimate
from ..inference import least_probabilities
from .charts import Axis, Line, axis_around, interval_mark, line_chart, reliability_chart
from .evidence import HALF, LINEAR, Evidence, differences, scores_of, slices
from .markup import Html, markup, tag
from .page import Section, curve, figure, figures, interval, lead, matrix, note, pairs, section, share, table
from .words import say, words

LARGEST = 40  # classes of a confusion matrix
_LEASTS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def summary(bundle: ModelBundle, evidence: Evidence | None) -> Section:
    """Return how good the model is, in a sentence and a table, what is simpler beside it."""
    main = "subset_accuracy" if bundle.is_multilabel else "accuracy"
    own, others = (
        (bundle.metrics["validation"], _stored(bundle))
        if evidence is None
        else (evidence.figures, scores_of(evidence))
    )
    low, high = map(share, own[f"{main}_ci95"])
    first = say(
        "validated" if evidence is None else "tested_several" if bundle.is_multilabel else "tested",
        rows=f"{own['rows']:,}",
        source="" if evidence is None else evidence.source,
        share=share(own[main]),
        low=low,
        high=high,
    )
    found = {} if evidence is None else differences(evidence)
    beside = [_beside(who, others[who][main], found.get(who)) for who in (LINEAR, HALF) if who in others]
    if HALF in others and LINEAR in others and others[HALF][main] < others[LINEAR][main]:
        beside.append(say("half_behind"))
    if evidence is not None and evidence.is_known:
        beside.append(say("trained_on"))
    names = [name for name in FIGURES if name in own]
    lines = [
        [say(who), *(f"{each[name]:.4f}" if name in each else "" for name in names)]
        for who, each in {"own": own, **others}.items()
    ]
    return section("summary", lead(first, *beside), table(["", *map(say, names)], lines))


def _stored(bundle: ModelBundle) -> dict[str, Mapping[str, float]]:
    """Return the figures on validation rows of what is simpler than the whole model."""
    return {who: bundle.metrics[who] for who in (HALF, "ngrams_alone", LINEAR) if who in bundle.metrics}


def _beside(who: str, other: float, difference: Estimate | None) -> Html:
    if difference is None:
        return say("beside", who=words(who), other=share(other))
    low, high = difference.ci95
    key = "ahead" if low > 0 else "behind" if high < 0 else "even"
    sign = "+" if key == "even" else ""
    points = [100 * each for each in (difference.value, low, high)]
    if key == "behind":
        points = [-points[0], -points[2], -points[1]]
    written = {
        name: f"{each:{sign}.1f}" for name, each in zip(("points", "low", "high"), points, strict=True)
    }
    return say(key, who=words(who), other=share(other), **written)


def training(bundle: ModelBundle) -> Section | None:
    """Return loss and accuracy by epoch, None of a model without a history."""
    if not bundle.history:
        return None
    epochs = np.array([record["epoch"] for record in bundle.history], float)
    best = bundle.provenance["best_epoch"]
    drawn = []
    for name, unit in (("loss", ""), ("accuracy", "%")):
        lines = [
            Line(kind, epochs, np.array([record[key] for record in bundle.history]), has_dots=True)
            for kind, key in (("other", name), ("own", f"validation_{name}"))
        ]
        y = axis_around([line.ys for line in lines], unit)
        chart = line_chart(lines, axis_around([epochs], "whole"), y, best)
        drawn.append(figure(chart, "epoch", name, [("other", "train"), ("own", "validation")]))
    return section("training", figures(*drawn), note("kept", epoch=best))


def confusion(evidence: Evidence) -> Section | None:
    """Return the confusion matrix and its largest wrong cells; None where a row may have several labels."""
    rows = evidence.rows
    if rows.is_multilabel:
        return None
    names = rows.label_names
    counts = confusion_counts(evidence.chosen, rows.targets, len(names))
    wrong = counts * (1 - np.eye(len(names), dtype=np.int64))
    largest = [divmod(int(i), len(names)) for i in np.argsort(-wrong, axis=None, kind="stable")[:10]]
    worst = [
        tag("li", f"{names[true]} → {names[answer]}: {count:,} ({share(count / counts[true].sum())})")
        for true, answer in largest
        if (count := wrong[true, answer])
    ]
    return section(
        "confusion",
        matrix(counts, names) if len(names) <= LARGEST else None,
        note("truth_rows") if len(names) <= LARGEST else None,
        markup(tag("h3", say("most_confused")), tag("ul", *worst)) if worst and len(names) > 2 else None,
    )


def classes(evidence: Evidence) -> Section:
    """Return precision, recall and F1 of each class, the linear baseline's recall and F1 beside them."""
    targets, names = evidence.rows.targets, evidence.rows.label_names
    own = class_scores(evidence.chosen, targets, len(names))
    bounds = [
        wilson_interval(int(hits), max(1, int(rows)))
        for hits, rows in zip(own.hits, own.support, strict=True)
    ]
    low = _low_end(bounds, own.support.tolist())
    head = [say(key) for key in ("by_class", "rows", "precision", "recall", "interval")]
    lines: list[list[object]] = [
        [name, f"{own.support[i]:,}", share(own.precision[i]), share(own.recall[i]), interval(bounds[i])]
        for i, name in enumerate(names)
    ]
    linear = None
    if LINEAR in evidence.others:
        linear = class_scores(evidence.others[LINEAR], targets, len(names))
    for i, line in enumerate(lines):
        other = None if linear is None else float(linear.recall[i])
        line += [interval_mark(float(own.recall[i]), bounds[i], other, low), f"{own.f1[i]:.4f}"]
        line += [] if linear is None else [f"{linear.f1[i]:.4f}"]
    more = [say("f1")] if linear is None else [say("f1"), say("linear_f1")]
    return section("classes", table([*head, "", *more], lines), note("mark"))


def _low_end(bounds: Sequence[tuple[float, float]], rows: Sequence[int]) -> float:
    """Return where a scale begins on which the intervals of not too few rows have their place."""
    low = min((low for (low, _), few in zip(bounds, rows, strict=True) if few >= 50), default=0.0)
    return float(np.floor(20 * low)) / 20


def calibration(evidence: Evidence) -> Section:
    """Return how often answers of a probability are right."""
    counts, confidence, right = reliability(evidence.probabilities, evidence.rows.targets)
    some = counts.clip(1)
    chart = reliability_chart(confidence / some, right / some, counts)
    drawn = figure(chart, "confidence", "share_right")
    return section("calibration", figures(drawn), note("calibrated", ece=f"{evidence.figures['ece']:.4f}"))


def trust(bundle: ModelBundle, evidence: Evidence) -> Section:
    """Return accuracy against coverage, and what some least probabilities give."""
    coverage, accuracy = coverage_curve(evidence.certainty, evidence.right)
    first = min(len(coverage) - 1, max(20, len(coverage) // 50))  # before which a row is all or nothing
    lines, kinds = [curve("own", coverage[first:], accuracy[first:])], [("own", "own")]
    if LINEAR in evidence.others:
        level = float(evidence.right_of(LINEAR).mean())
        lines.append(Line("other", np.array([0.0, 1.0]), np.array([level, level])))
        kinds.append(("other", "linear_for_all"))
    chart = line_chart(lines, Axis(0, 1, "%"), axis_around([line.ys for line in lines], "%"))
    area = f"{risk_coverage_area(evidence.certainty, evidence.right):.4f}"
    stored = bundle.metrics.get("least_probabilities")
    given = [_answered(bundle, evidence, f"{least:.2f}", least) for least in _LEASTS]
    if stored:
        for precision in PRECISIONS:
            wanted = say("for_precision", wanted=f"{precision:.0%}")
            given.append(_answered(bundle, evidence, wanted, f"precision={precision}"))
    head = [say(key) for key in ("least", "coverage", "answered_right", "interval")]
    drawn = figures(figure(chart, "coverage", "answered_right", kinds), table(head, given))
    promised = _promised(stored) if stored else note("no_promise")
    return section("trust", note("risk_area", area=area), drawn, promised)


def _answered(bundle: ModelBundle, evidence: Evidence, name: object, least: float | str) -> list[object]:
    open_rows = abstains(evidence.probabilities, evidence.chosen, least_probabilities(bundle, least))
    given = score_answered(evidence.right, open_rows)
    if given["accuracy"] is None:
        return [name, share(0.0), "", ""]
    return [name, share(given["coverage"]), share(given["accuracy"]), interval(given["accuracy_ci95"])]


def _promised(stored: Mapping[str, Mapping[str, float | None]]) -> Html:
    """Return the least probability of each label for each wanted precision."""
    names = list(next(iter(stored.values())))
    lines = [
        [name, *(f"{each[name]:.3f}" if each[name] is not None else say("never") for each in stored.values())]
        for name in names
    ]
    head = [say("by_class"), *(say("for_precision", wanted=f"{float(each):.0%}") for each in stored)]
    return markup(note("promise"), table(head, lines))


def where(evidence: Evidence) -> Section:
    """Return the accuracy of slices of the rows, each in its interval beside the linear baseline."""
    right, found = evidence.right, [each for each in slices(evidence) if len(each.rows)]
    linear = evidence.right_of(LINEAR) if LINEAR in evidence.others else None
    bounds = [wilson_interval(int(right[each.rows].sum()), len(each.rows)) for each in found]
    low = _low_end(bounds, [len(each.rows) for each in found])
    lines: list[Sequence[object]] = []
    kinds = [each.kind for each in found]
    for i, (each, (lower, upper)) in enumerate(zip(found, bounds, strict=True)):
        if each.kind not in kinds[:i]:
            lines.append([say(each.kind)])
        own = float(right[each.rows].mean())
        other = None if linear is None else float(linear[each.rows].mean())
        lines.append(
            [
                each.name or say("no_letters"),
                f"{len(each.rows):,}",
                share(own),
                interval((lower, upper)),
                "" if other is None else share(other),
                interval_mark(own, (lower, upper), other, low),
            ]
        )
    head = [say(key) for key in ("slice", "rows", "accuracy", "interval", LINEAR)]
    return section("slices", table([*head, ""], lines), note("mark"), note("slices_note"))


def cost(bundle: ModelBundle, evidence: Evidence | None) -> Section:
    """Return what the model takes of space and time."""
    stored = bundle.metrics
    size = sum(map(len, bundle.files().values()))
    known = [("trained_rows", "rows"), *((name, name) for name in ("parameters", "epochs", "seconds"))]
    rows: list[tuple[object, object]] = [
        (say(key), f"{stored[name]:,}")
        for key, name in [*known, ("tokens_per_second",) * 2]
        if name in stored
    ]
    rows += [
        (say("size"), f"{size / 1e6:.1f} MB"),
        (say("vocabulary"), f"{bundle.indexer.vocabulary_size:,}"),
    ]
    if bundle.ngrams is not None:
        rows.append((say("ngrams"), f"{len(bundle.ngrams):,}"))
    for who, rate in (evidence.texts_per_second if evidence else {}).items():
        rows.append((say("texts_per_second", who=words(who)), f"{rate:,.0f}"))
    return section("cost", pairs(rows))


def configuration(bundle: ModelBundle) -> Section:
    """Return every value of the configuration."""
    return section(
        "configuration",
        *(
            markup(tag("h3", name), pairs((key, _plain(value)) for key, value in part.items()))
            for name, part in bundle.configuration.to_mapping().items()
        ),
    )


def provenance(bundle: ModelBundle, evidence: Evidence | None) -> Section:
    """Return what the model, and the evidence, came from."""
    told = {
        name: value
        for name, value in bundle.provenance.items()
        if name != "configuration" and value is not None
    }
    rows: list[tuple[object, object]] = [(name, _plain(value)) for name, value in told.items()]
    if evidence is not None:
        rows.append((say("evaluated"), f"{evidence.source} ({evidence.fingerprint})"))
    return section("provenance", pairs(rows, "wide"))


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)

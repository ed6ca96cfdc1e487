"""Rows with several labels: figures equal scikit-learn's, thresholds are the best, no label is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from yeoun.data.rows import Dataset, labelled, labelled_with_several, require_classes, require_kind
from yeoun.data.splits import stratified_split
from yeoun.errors import DataError
from yeoun.evaluation.linear import fit_linear
from yeoun.evaluation.metrics import (
    MultilabelMetrics,
    calibration_error,
    choose_thresholds,
    decide,
    macro_f1,
    measure,
    micro_f1,
    score_answers,
    wilson_interval,
)
from yeoun.inference import to_probabilities
from yeoun.training.objective import balanced_weights, count_hits, objective

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(untimed, max_examples=40)  # scikit-learn is slow

NEIGHBOURS = [float(np.nextafter(np.float32(0.5), np.float32(side))) for side in (0, 1)]
scores = st.floats(0, 1, width=32) | st.sampled_from([0.0, 0.25, 0.5, *NEIGHBOURS, 0.75, 1.0])


def random_rows(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (float32) and labels, 0 and 1, that have something to do with each other."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((rows, labels)) < generator.random(labels)).astype(np.int64)
    noise = generator.random((rows, labels))
    return (0.1 + 0.5 * noise + 0.3 * truth).astype(np.float32), truth


# thresholds


@few
@given(st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=20))
@example([(0.5, False), (NEIGHBOURS[1], True)])
def test_a_threshold_has_the_highest_f1_of_all_thresholds(rows: list[tuple[float, bool]]) -> None:
    probabilities = np.array([[score] for score, _ in rows], np.float32)
    labels = np.array([[present] for _, present in rows], np.int64)
    thresholds = choose_thresholds(probabilities, labels)
    if not labels.any():
        assert thresholds.tolist() == [0.5]
        return
    found = reference.f1_score(labels, decide(probabilities, True, thresholds), zero_division=0)
    best = max(reference.f1_score(labels, probabilities >= cut, zero_division=0) for cut in probabilities)
    assert found == pytest.approx(best, abs=1e-12)
    stored = decide(probabilities, True, thresholds.astype(np.float32))
    np.testing.assert_array_equal(stored, decide(probabilities, True, thresholds))


def test_a_threshold_lies_halfway_between_two_probabilities_and_at_a_half_without_rows() -> None:
    probabilities = np.array([[0.875, 0.9], [0.625, 0.2], [0.125, 0.4]])
    labels = np.array([[1, 0], [1, 0], [0, 0]])
    assert choose_thresholds(probabilities, labels).tolist() == [0.375, 0.5]


def test_thresholds_of_labels_do_not_depend_on_each_other() -> None:
    probabilities, labels = random_rows(50, 4, 0)
    alone = [choose_thresholds(probabilities[:, [c]], labels[:, [c]])[0] for c in range(4)]
    assert choose_thresholds(probabilities, labels).tolist() == alone


# figures


@few
@given(rows=st.integers(1, 30), labels=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_the_figures_are_those_of_scikit_learn(rows: int, labels: int, seed: int) -> None:
    probabilities, truth = random_rows(rows, labels, seed)
    thresholds = np.random.default_rng(seed).random(labels)
    predicted = (probabilities >= thresholds).astype(np.int64)
    figures = measure(probabilities, truth, thresholds)
    assert isinstance(figures, MultilabelMetrics)
    assert figures.rows == rows
    right = int((predicted == truth).all(1).sum())
    assert figures.subset_accuracy == pytest.approx(right / rows)
    assert tuple(figures.subset_accuracy_ci95) == wilson_interval(right, rows)
    columns = zip(truth.T, probabilities.T.astype(float), strict=True)
    losses = [reference.log_loss(present, column, labels=[0, 1]) for present, column in columns]
    assert figures.log_loss == pytest.approx(np.mean(losses), rel=1e-5)
    indicated = np.pad(truth, ((0, 0), (0, 1))), np.pad(predicted, ((0, 0), (0, 1)))  # two columns or more
    micro = reference.f1_score(*indicated, average="micro", zero_division=0)
    assert figures.micro_f1 == pytest.approx(micro, abs=1e-12)
    occurring = (truth | predicted).any(0)
    each = [
        reference.f1_score(truth[:, c], predicted[:, c], zero_division=0) for c in np.flatnonzero(occurring)
    ]
    assert figures.macro_f1 == pytest.approx(np.mean(each) if each else 0.0, abs=1e-12)
    assert score_answers(predicted, truth) == {
        name: getattr(figures, name) for name in ("subset_accuracy", "micro_f1", "macro_f1")
    }


def test_f1_is_0_where_nothing_is_given_or_there() -> None:
    nothing = np.zeros((3, 2), np.int64)
    assert (micro_f1(nothing, nothing), macro_f1(nothing, nothing)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        ([[1.0, 0.0]], [[1, 0]], 0.0),
        ([[1.0, 0.0]], [[0, 1]], 1.0),
        # One bin of two labels of the same row: 2 * 0.5 - 1.
        ([[0.5, 0.5]], [[1, 0]], 0.0),
        # Two bins: an absent label is no confidence in its absence.
        ([[0.2, 0.9]], [[0, 1]], (0.2 + 0.1) / 2),
        # A bin over rows and labels: 4 * 0.75 - 3.
        ([[0.75, 0.75], [0.75, 0.75]], [[1, 1], [1, 0]], 0.0),
        # From 0.8 to 0.8667 is one bin, 0.9 lies in the next.
        ([[0.81, 0.85], [0.9, 0.9]], [[1, 0], [1, 1]], (0.66 + 0.2) / 4),
    ],
)
def test_calibration_error_is_over_the_probability_of_each_label(
    probabilities: list[list[float]], labels: list[list[int]], expected: float
) -> None:
    found = calibration_error(np.array(probabilities), np.array(labels))
    assert found == pytest.approx(expected, abs=1e-12)


# rows


def test_names_are_ordered_as_those_of_one_label_a_row() -> None:
    flat = ["b", "10", "\u1102\u1161", "9", "-1", "가", "a"]
    dataset = labelled_with_several(["x", "y", "z"], [flat[:3], [], [*flat[2:], "b", "b"]])
    assert dataset.label_names == labelled(flat, flat).label_names == ("-1", "9", "10", "a", "b", "가", "나")
    assert dataset.targets.tolist() == [[0, 0, 1, 0, 1, 0, 1], [0] * 7, [1, 1, 0, 1, 1, 1, 1]]
    assert dataset.targets.dtype == np.int64
    assert dataset.is_multilabel


def test_given_names_keep_their_order_and_refuse_others() -> None:
    dataset = labelled_with_several(["x", "y"], [["b"], ["a", "b"]], ("c", "b", "a"))
    assert dataset.targets.tolist() == [[0, 1, 0], [0, 1, 1]]
    with pytest.raises(DataError, match="unknown label 'd': expected one of c, b, a"):
        labelled_with_several(["x"], [["d"]], ("c", "b", "a"))


@pytest.mark.parametrize("lists", [[["a"]], [["a"], [], ["b"]]])
def test_as_many_lists_as_texts_are_expected(lists: list[list[str]]) -> None:
    with pytest.raises(DataError, match=rf"got 2 texts and {len(lists)} lists of labels"):
        labelled_with_several(["x", "y"], lists)


@pytest.mark.parametrize("lists", [[[], []], [["a", "b"], ["b", "a"]]])
def test_rows_that_no_label_tells_apart_are_refused(lists: list[list[str]]) -> None:
    with pytest.raises(DataError, match="no label tells the 2 rows apart"):
        require_classes(labelled_with_several(["x", "y"], lists))


def test_a_row_that_lacks_what_the_others_have_can_be_learned_from() -> None:
    require_classes(labelled_with_several(["x", "y"], [["a"], []]))


def test_rows_of_the_other_kind_are_refused_with_both_kinds_named() -> None:
    one, several = labelled(["x", "y"], ["a", "b"]), labelled_with_several(["x", "y"], [["a"], ["b"]])
    require_kind(one, False, "rows")
    require_kind(several, True, "rows")
    kinds = "one label a row", 'a list of labels a row, as in ["a", "b"]'
    for dataset, (found, expected) in ((one, kinds), (several, kinds[::-1])):
        with pytest.raises(DataError) as refusal:
            require_kind(dataset, not dataset.is_multilabel, "rows.csv")
        assert str(refusal.value) == f"rows.csv: {found}; expected {expected}"


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Rows of few texts and labels, of which each occurs."""
    labels = draw(st.integers(1, 5))
    row = st.tuples(
        st.sampled_from("abcdefghijkl"), st.lists(st.integers(0, 1), min_size=labels, max_size=labels)
    )
    rows = draw(st.lists(row, min_size=2, max_size=24))
    targets = np.array([present for _, present in rows])
    return Dataset([text for text, _ in rows], targets, tuple(map(str, range(labels))))


@untimed
@given(dataset=datasets(), share=st.floats(0.05, 0.9), seed=st.integers(0, 1000))
def test_a_split_keeps_every_label_and_holds_out_each_that_can_be_spared(
    dataset: Dataset, share: float, seed: int
) -> None:
    try:
        kept, held_out = stratified_split(dataset, share, seed)
    except DataError:
        return
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(len(dataset)))
    texts = np.array(dataset.texts)
    assert not set(texts[kept]) & set(texts[held_out])
    targets = dataset.targets
    assert targets[kept].any(0).tolist() == targets.any(0).tolist()
    for label in np.flatnonzero(targets.any(0) & ~targets[held_out].any(0)):
        for text in set(texts[targets[:, label] == 1]):
            without = targets[kept][texts[kept] != text]
            assert (targets.any(0) & ~without.any(0)).any(), f"label {label} could be held out with {text}"


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_two_texts_is_on_both_sides_beside_common_ones(seed: int) -> None:
    lists = [["common"] for _ in range(60)]
    for row in (7, 40):
        lists[row] = ["common", "rare"]
    lists[20] = []
    dataset = labelled_with_several([f"text {i}" for i in range(60)], lists)
    kept, held_out = stratified_split(dataset, 0.1, seed)
    assert dataset.targets[kept].any(0).all()
    assert dataset.targets[held_out].any(0).all()
    assert 5 <= len(held_out) <= 8


def test_no_label_is_lost_that_only_shares_rows_with_others() -> None:
    dataset = labelled_with_several(list("abcd"), [["x", "z"], ["y", "z"], ["x"], ["y"]])
    for seed in range(20):
        assert dataset.targets[stratified_split(dataset, 0.5, seed)[0]].any(0).all(), seed


# training and the baseline


def log_probability(logit: float) -> float:
    return -float(np.logaddexp(0.0, -logit))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_is_the_mean_over_rows_and_labels(smoothing: float, weighted: bool) -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(6, 3)) * 3, generator.integers(0, 2, (6, 3))
    weights = generator.random((6, 3)) * 2
    losses = []
    for logit, label, weight in zip(logits.ravel(), labels.ravel(), weights.ravel(), strict=True):
        target = label * (1 - smoothing) + smoothing / 2
        loss = -target * log_probability(logit) - (1 - target) * log_probability(-logit)
        losses.append(loss * (weight if weighted else 1.0))
    given_weights = torch.from_numpy(weights) if weighted else None
    found = objective(torch.from_numpy(logits), torch.from_numpy(labels), smoothing, given_weights)
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-9)


@pytest.mark.parametrize("columns", [1, 3])
def test_the_objective_of_one_label_a_row_weighs_rows(columns: int) -> None:
    generator = np.random.default_rng(1)
    logits, labels = generator.normal(size=(6, columns)), generator.integers(0, max(2, columns), 6)
    weights = generator.random(6)
    whole = np.column_stack([np.zeros(6), logits]) if columns == 1 else logits
    chances = np.exp(whole) / np.exp(whole).sum(1, keepdims=True)
    expected = (weights * -np.log(chances[np.arange(6), labels])).sum() / 6
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)
    assert objective(*tensors, 0.0, torch.from_numpy(weights)).item() == pytest.approx(expected, rel=1e-9)


def test_balanced_weights_count_presence_and_absence_of_each_label_alike() -> None:
    labels = torch.tensor([[1, 0], [0, 0], [0, 0], [1, 1]])
    weights = balanced_weights(labels, 2)
    assert (weights * labels).sum(0).tolist() == pytest.approx([2, 2])
    assert (weights * (1 - labels)).sum(0).tolist() == pytest.approx([2, 2])
    assert torch.isfinite(balanced_weights(torch.ones(3, 1, dtype=torch.int64), 1)).all()


def test_a_row_is_hit_when_all_its_labels_are() -> None:
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    assert count_hits(logits, torch.tensor([[1, 0], [1, 0], [0, 0]])) == 2


@pytest.mark.parametrize("columns", [1, 2])
def test_probabilities_of_several_labels_are_the_sigmoid_of_each(columns: int) -> None:
    logits = np.array([[0.0, 2.0], [-1.0, 50.0], [-50.0, 0.5]], np.float32)[:, :columns]
    found = to_probabilities(logits, multilabel=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits.astype(float))), atol=1e-7)


def test_the_baseline_decides_each_label_as_if_it_were_alone() -> None:
    generator = np.random.default_rng(0)
    present = (generator.random((60, 2)) < 0.5).astype(np.int64)
    marks = np.array(["war", "laughter"])
    texts = ["the film of " + " ".join(marks[row == 1]) + f" number {i}" for i, row in enumerate(present)]
    together = fit_linear(texts, present, 2)
    assert together.predict(texts).tolist() == present.tolist()
    for column in range(2):
        alone = fit_linear(texts, present[:, column], 2)
        np.testing.assert_array_equal(together.coefficients[column], alone.coefficients[0])
        assert together.predict(texts)[:, column].tolist() == alone.predict(texts).tolist()


def test_the_baseline_gives_every_text_a_label_that_all_rows_have() -> None:
    present = np.array([[1, i % 2] for i in range(40)])
    texts = [f"{('dull', 'great')[i % 2]} film {i}" for i in range(40)]
    baseline = fit_linear(texts, present, 2)
    assert baseline.predict(["", "great", "never seen", "dull"]).tolist()[1::2] == [[1, 1], [1, 0]]
    assert baseline.predict(texts).tolist() == present.tolist()
    assert baseline.predict([]).shape == (0, 2)


@pytest.mark.parametrize("heavy", [0, 1])
def test_the_baseline_follows_the_heavier_rows(heavy: int) -> None:
    labels = np.arange(40) % 2
    weights = np.where(labels == heavy, 5.0, 0.5).astype(np.float32)
    assert fit_linear(["a film"] * 40, labels, 2, weights).predict(["a film"]).tolist() == [heavy]
    both = np.column_stack([labels, 1 - labels])
    assert fit_linear(["a film"] * 40, both, 2, weights).predict(["a film"]).tolist() == [[heavy, 1 - heavy]]

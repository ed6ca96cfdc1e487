"""Figures equal scikit-learn's and the textbooks', and the linear baseline learns what can be learned."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from yeoun.evaluation.linear import LinearBaseline, fit_linear
from yeoun.evaluation.metrics import calibration_error, log_loss, macro_f1, measure, wilson_interval

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

classes_of_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def probabilities_of(rows: int, classes: int, seed: int, dtype: type = np.float64) -> np.ndarray:
    """Random rows that add up to 1."""
    return np.random.default_rng(seed).dirichlet(np.ones(classes), rows).astype(dtype)


@untimed
@given(classes_of_rows)
def test_macro_f1_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    predicted, labels = np.array(rows).T
    expected = reference.f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro_f1(predicted, labels) == pytest.approx(expected, abs=1e-12)


@untimed
@given(rows=st.integers(1, 50), classes=st.integers(2, 5), seed=st.integers(0, 10_000))
def test_log_loss_is_that_of_scikit_learn(rows: int, classes: int, seed: int) -> None:
    probabilities = probabilities_of(rows, classes, seed).clip(1e-6)
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = np.random.default_rng(seed + 1).integers(0, classes, rows)
    expected = reference.log_loss(labels, probabilities, labels=list(range(classes)))
    assert log_loss(probabilities, labels) == pytest.approx(expected, rel=1e-9)


def test_log_loss_is_cut_off_where_the_right_label_was_impossible() -> None:
    impossible = np.array([[1.0, 0.0]], np.float32)
    assert log_loss(impossible, np.array([1])) == pytest.approx(-np.log(1e-12), rel=1e-5)
    assert log_loss(impossible, np.array([0])) == 0.0


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (81, 263, 0.2553, 0.3662),  # this and the next three: Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_wilson(right: int, rows: int, low: float, high: float) -> None:
    assert wilson_interval(right, rows) == pytest.approx((low, high), abs=5e-5)


@untimed
@given(rows=st.integers(1, 10_000), data=st.data())
def test_the_interval_holds_the_share_and_stays_between_none_and_all(rows: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, rows))
    low, high = wilson_interval(right, rows)
    assert 0.0 <= low <= right / rows + 1e-12
    assert right / rows - 1e-12 <= high <= 1.0
    assert high - low > 0
    mirrored = wilson_interval(rows - right, rows)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize(
    ("confidences", "right", "expected"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [False, False], 1.0),
        ([1.0, 1.0], [True, False], 0.5),
        ([0.8] * 5, [True, True, True, True, False], 0.0),
        ([0.9] * 5, [True, True, True, True, False], 0.1),
        # Two bins: (0.95 - 0.5) of two rows, (0.6 - 1) of one.
        ([0.95, 0.95, 0.6], [True, False, True], (2 * 0.45 + 0.4) / 3),
        # One bin, from 0.8 to 0.8667: misses on either side even out.
        ([0.81, 0.85], [True, True], 0.17),
        # Two bins do not even out.
        ([0.7, 0.9], [True, False], (0.3 + 0.9) / 2),
    ],
)
def test_calibration_error_is_the_gap_of_each_bin_by_its_rows(
    confidences: list[float], right: list[bool], expected: float
) -> None:
    probabilities = np.array([[confidence, 1 - confidence] for confidence in confidences])
    labels = np.where(right, 0, 1)
    assert calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_one_bin_is_confidence_less_accuracy() -> None:
    probabilities = probabilities_of(200, 3, 0)
    labels = np.random.default_rng(1).integers(0, 3, 200)
    accuracy = (probabilities.argmax(1) == labels).mean()
    gap = abs(probabilities.max(1).mean() - accuracy)
    assert calibration_error(probabilities, labels, bins=1) == pytest.approx(gap)
    assert calibration_error(probabilities, labels, bins=15) >= gap - 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measure_puts_the_figures_together(dtype: type) -> None:
    probabilities = probabilities_of(60, 3, 4, dtype)
    labels = np.random.default_rng(5).integers(0, 3, 60)
    predicted = probabilities.argmax(1)
    figures = measure(probabilities, labels)
    right = int((predicted == labels).sum())
    assert figures.rows == 60
    assert figures.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    assert figures.accuracy_ci95 == list(wilson_interval(right, 60))
    assert figures.macro_f1 == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    expected = reference.log_loss(labels, exact, labels=[0, 1, 2])
    assert figures.log_loss == pytest.approx(expected, rel=1e-5)
    assert figures.ece == calibration_error(probabilities, labels)
    assert all(type(value) in (int, float, list) for value in vars(figures).values())


MARKS = {"en": ("awful", "great", "average"), "ko": ("지루하다", "재밌다", "그저그렇다")}
FILLER = {
    "en": ["the", "film", "was", "a", "long", "story", "with", "people"],
    "ko": ["영화", "배우", "연기", "정말", "내용", "음악"],
}


def separable(language: str, classes: int, rows: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts in which one word decides the class."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(rows) % classes)
    texts = []
    for label in labels:
        words = [str(word) for word in generator.choice(FILLER[language], 6)]
        words.insert(int(generator.integers(7)), MARKS[language][label])
        texts.append(" ".join(words))
    return texts, labels


@pytest.fixture(scope="module")
def baselines() -> dict[tuple[str, int], LinearBaseline]:
    """A baseline for each language and number of classes."""
    cases = [(language, classes) for language in MARKS for classes in (2, 3)]
    return {case: fit_linear(*separable(*case, rows=90, seed=0), classes=case[1]) for case in cases}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("language", MARKS)
def test_the_baseline_learns_rows_that_one_word_separates(
    baselines: dict[tuple[str, int], LinearBaseline], language: str, classes: int
) -> None:
    baseline = baselines[language, classes]
    texts, labels = separable(language, classes, rows=60, seed=1)
    predicted = baseline.predict(texts)
    assert predicted.dtype == np.int64
    assert (predicted == labels).mean() >= 0.95
    assert len(np.unique(predicted)) == classes
    scores = 1 if classes == 2 else classes
    assert baseline.coefficients.shape == (scores, len(baseline.idf))
    assert baseline.intercepts.shape == (scores,)
    for array in (baseline.idf, baseline.coefficients, baseline.intercepts):
        assert array.dtype == np.float32


@pytest.mark.parametrize(("language", "analyzer"), [("en", "word"), ("ko", "char")])
def test_the_baseline_reads_korean_by_characters_and_the_rest_by_words(
    baselines: dict[tuple[str, int], LinearBaseline], language: str, analyzer: str
) -> None:
    assert {baselines[language, classes].analyzer for classes in (2, 3)} == {analyzer}


def test_the_baseline_is_the_same_each_time(baselines: dict[tuple[str, int], LinearBaseline]) -> None:
    again = fit_linear(*separable("en", 3, rows=90, seed=0), classes=3)
    for name in ("idf", "coefficients", "intercepts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(baselines["en", 3], name))


@pytest.mark.parametrize("case", [("en", 2), ("ko", 3)])
def test_the_baseline_answers_texts_it_knows_nothing_of(
    baselines: dict[tuple[str, int], LinearBaseline], case: tuple[str, int]
) -> None:
    nuisances = ["", " ", "ЖЩ", "\u200d", "👩\u200d👧", "e\u0301", "x" * 10_000]
    predicted = baselines[case].predict(nuisances)
    assert predicted.shape == (len(nuisances),)
    assert ((predicted >= 0) & (predicted < case[1])).all()


def test_the_baseline_answers_no_texts_with_no_classes(
    baselines: dict[tuple[str, int], LinearBaseline],
) -> None:
    assert baselines["en", 2].predict([]).tolist() == []


@pytest.mark.parametrize("case", [("en", 2), ("ko", 3)])
def test_the_baseline_reads_lone_surrogates(
    baselines: dict[tuple[str, int], LinearBaseline], case: tuple[str, int]
) -> None:
    word = MARKS[case[0]][1]
    assert baselines[case].predict([f"{word} \ud800 {word}"]).tolist() == [1]


def test_the_baseline_reads_decomposed_text_as_composed(
    baselines: dict[tuple[str, int], LinearBaseline],
) -> None:
    texts, labels = separable("ko", 3, rows=60, seed=2)
    decomposed = [unicodedata.normalize("NFD", text) for text in texts]
    assert baselines["ko", 3].predict(decomposed).tolist() == labels.tolist()

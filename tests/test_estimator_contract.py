"""What scikit-learn's own tools ask of an estimator, asked here of the estimator of texts.

scikit-learn's `check_estimator` leaves out estimators that take text, since all its data are tables of
numbers: it would say that everything is well whatever this estimator did. These tests stand in for it.
Those of its checks that need no data are run as they are.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import cross_val_score
from sklearn.utils import estimator_checks, get_tags

from conftest import VALUES, make_rows
from yeoun import RecurrentTextClassifier
from yeoun.errors import ConfigError, DataError

SHORT = {**VALUES, "train.epochs": 2}
ROWS, FRESH = make_rows(80), make_rows(30, seed=5)
TEXTS, OTHERS = list(ROWS.texts), list(FRESH.texts)
LABELS = [ROWS.label_names[target] for target in ROWS.targets]
SEVERAL = np.column_stack([ROWS.targets, ["film" in text.split() for text in TEXTS]]).astype(int)
CHANGED: dict[str, Any] = {
    "preset": "fast",
    "recipe": "imdb-lstm",
    "values": {"train.epochs": 3},
    "precision": "bf16",
    "device": "cpu",
    "random_state": 8,
}


def build(**changed: Any) -> RecurrentTextClassifier:
    return RecurrentTextClassifier(**{"values": SHORT, "random_state": 0, **changed})


def answers(classifier: Any) -> bytes:
    """Return the bytes of the probabilities of the fresh texts."""
    content: bytes = classifier.predict_proba(OTHERS).tobytes()
    return content


@pytest.fixture(scope="module")
def fitted() -> RecurrentTextClassifier:
    return build().fit(TEXTS, LABELS)


# scikit-learn's own checks


def test_the_checks_of_scikit_learn_leave_out_estimators_of_texts() -> None:
    with pytest.warns(SkipTestWarning, match="Can't test estimator RecurrentTextClassifier"):
        estimator_checks.check_estimator(build(), on_fail=None)


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_the_checks_of_scikit_learn_that_need_no_data_pass(name: str) -> None:
    getattr(estimator_checks, name)("RecurrentTextClassifier", build())


def test_the_tags_say_texts_and_several_labels() -> None:
    tags = get_tags(build())
    assert (tags.estimator_type, tags.target_tags.required) == ("classifier", True)
    assert (tags.input_tags.string, tags.input_tags.two_d_array) == (True, False)
    assert (tags.classifier_tags.multi_label, tags.classifier_tags.multi_class) == (True, True)


# parameters


@pytest.mark.parametrize("name", CHANGED)
def test_every_parameter_is_set_alone_and_got_back(name: str) -> None:
    before = RecurrentTextClassifier().get_params()
    assert before.keys() == CHANGED.keys()
    assert before[name] != CHANGED[name]
    classifier = RecurrentTextClassifier().set_params(**{name: CHANGED[name]})
    assert classifier.get_params() == {**before, name: CHANGED[name]}


def test_parameters_make_an_estimator_of_the_same_parameters() -> None:
    given = RecurrentTextClassifier(**CHANGED).get_params()
    assert given == CHANGED
    assert RecurrentTextClassifier().set_params(**given).get_params() == CHANGED


def test_it_is_shown_with_what_was_changed_fitted_or_not(fitted: RecurrentTextClassifier) -> None:
    assert repr(RecurrentTextClassifier(random_state=7)) == "RecurrentTextClassifier(random_state=7)"
    assert repr(fitted) == repr(build())
    for classifier in (build(), fitted):
        page = classifier._repr_html_()
        assert "RecurrentTextClassifier" in page
        assert "random_state" in page


# seeds


def test_without_a_random_state_each_fit_draws_another_seed() -> None:
    first, second = (build(random_state=None).fit(TEXTS, LABELS).bundle_ for _ in range(2))
    assert first.provenance["seed"] != second.provenance["seed"]
    assert not np.array_equal(first.weights["embedding.weight"], second.weights["embedding.weight"])


def test_a_random_state_is_drawn_from_by_each_fit() -> None:
    state, twin = np.random.RandomState(4), np.random.RandomState(4)
    classifier = build(random_state=state)
    found = [classifier.fit(TEXTS, LABELS).bundle_.provenance["seed"] for _ in range(2)]
    assert classifier.random_state is state
    assert found == [twin.randint(2**31), twin.randint(2**31)]
    assert answers(build(random_state=found[1]).fit(TEXTS, LABELS)) == answers(classifier)


def test_a_clone_has_a_random_state_of_its_own_in_the_same_state() -> None:
    classifier = build(random_state=np.random.RandomState(4))
    twin = clone(classifier)
    assert twin.random_state is not classifier.random_state
    assert answers(twin.fit(TEXTS, LABELS)) == answers(classifier.fit(TEXTS, LABELS))


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_an_integer_of_numpy_is_the_seed_that_it_says(fitted: RecurrentTextClassifier, kind: type) -> None:
    classifier = build(random_state=kind(0)).fit(TEXTS, LABELS)
    assert classifier.bundle_.provenance["seed"] == 0
    assert answers(classifier) == answers(fitted)


@pytest.mark.parametrize(
    "state",
    [-1, np.int64(-1), 2**63, 1.5, "one", np.random.default_rng(0)],
    ids=["negative", "negative of numpy", "huge", "fraction", "word", "generator"],
)
def test_what_is_no_seed_is_refused(state: Any) -> None:
    with pytest.raises(ConfigError, match="random_state"):
        build(random_state=state).fit(TEXTS, LABELS)


# fitting


def test_fitting_twice_gives_the_same_model(fitted: RecurrentTextClassifier) -> None:
    classifier = build().fit(TEXTS, LABELS)
    first = answers(classifier)
    assert answers(classifier.fit(TEXTS, LABELS)) == first == answers(fitted)


@pytest.mark.parametrize("labels", [np.array(LABELS), SEVERAL], ids=["one label", "several labels"])
def test_arrays_that_may_not_be_written_to_are_learned_from_as_lists(labels: Any) -> None:
    given = np.array(TEXTS), labels.copy(), np.linspace(0, 2, len(TEXTS))
    for array in given:
        array.setflags(write=False)
    classifier = build().fit(*given)
    lists = build().fit(TEXTS, labels.tolist(), given[2].tolist())
    assert classifier.predict_proba(given[0]).tobytes() == lists.predict_proba(TEXTS).tobytes()


def test_fitting_and_answering_leave_lists_and_columns_as_they_were() -> None:
    texts, labels, weights = [f" {text} " for text in TEXTS], list(LABELS), [0.0, *[1.0] * 79]
    column = pd.Series(texts, index=range(80, 0, -1))
    before = copy.deepcopy((texts, labels, weights, column))
    build().fit(texts, labels, weights).predict(column)
    assert (texts, labels, weights) == before[:3]
    pd.testing.assert_series_equal(column, before[3])


def test_a_first_answer_leaves_the_random_numbers_of_others_alone(fitted: RecurrentTextClassifier) -> None:
    fresh = copy.deepcopy(fitted)
    before = torch.get_rng_state()
    fresh.predict(OTHERS)
    assert torch.equal(torch.get_rng_state(), before)


# sample weights


def test_rows_of_weight_0_are_as_left_out(fitted: RecurrentTextClassifier) -> None:
    texts, labels = (
        ["odd lovely film", *TEXTS, "great", "never seen"],
        ["negative", *LABELS, *["negative"] * 2],
    )
    classifier = build().fit(texts, labels, sample_weight=[0, *[1] * 80, 0, 0])
    assert answers(classifier) == answers(fitted)
    weights = np.linspace(0.5, 2, 80)
    left_out = build().fit(TEXTS, LABELS, sample_weight=weights)
    assert answers(build().fit(texts, labels, sample_weight=[0, *weights, 0, 0])) == answers(left_out)
    assert answers(left_out) != answers(fitted)


def test_only_the_ratio_of_weights_counts_however_large_they_are() -> None:
    weights = np.linspace(0.5, 2, 80)
    plain = answers(build().fit(TEXTS, LABELS, sample_weight=weights))
    assert answers(build().fit(TEXTS, LABELS, sample_weight=weights * 2.0**126)) == plain


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_rows_of_equal_weight_count_as_without_weights(class_weight: str) -> None:
    values = {**SHORT, "train.class_weight": class_weight}
    texts, labels = TEXTS[:50] + TEXTS[50::2], LABELS[:50] + LABELS[50::2]
    without = build(values=values).fit(texts, labels)
    equal = build(values=values).fit(texts, labels, sample_weight=[3.0] * len(texts))
    np.testing.assert_allclose(equal.predict_proba(OTHERS), without.predict_proba(OTHERS), atol=1e-5)
    losses = [[epoch["loss"] for epoch in each.bundle_.history] for each in (equal, without)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    baselines = [each.bundle_.baseline for each in (equal, without)]
    np.testing.assert_allclose(*[each.coefficients for each in baselines], atol=1e-3)


@pytest.mark.parametrize("column", [0, 1])
def test_a_class_of_more_weight_becomes_likelier(fitted: RecurrentTextClassifier, column: int) -> None:
    heavy = [4.0 if label == fitted.classes_[column] else 1.0 for label in LABELS]
    classifier = build().fit(TEXTS, LABELS, sample_weight=heavy)
    moved = classifier.predict_proba(OTHERS) - fitted.predict_proba(OTHERS)
    assert moved[:, column].mean() > 0.05


@pytest.mark.parametrize(
    "weights",
    [
        [1.0] * 79,
        [1.0] * 81,
        [],
        2.0,
        np.ones((80, 1)),
        [-1.0, *[1.0] * 79],
        [float("nan"), *[1.0] * 79],
        [1e39, *[1.0] * 79],
        ["heavy"] * 80,
        [[1.0], *[[1.0, 2.0]] * 79],
        [0.0] * 80,
    ],
    ids=["short", "long", "none", "one", "column", "negative", "nan", "huge", "words", "ragged", "all 0"],
)
def test_weights_that_do_not_fit_are_refused(weights: Any) -> None:
    with pytest.raises(DataError, match=r"sample weight|no rows"):
        build().fit(TEXTS, LABELS, sample_weight=weights)


# answers


def test_logarithms_and_decisions_follow_the_probabilities() -> None:
    labels = ["story" if "story" in TEXTS[i].split() else label for i, label in enumerate(LABELS)]
    classifier = build().fit(TEXTS, labels)
    probabilities = classifier.predict_proba(OTHERS)
    assert probabilities.shape == (30, 3)
    np.testing.assert_allclose(classifier.predict_log_proba(OTHERS), np.log(probabilities), rtol=1e-6)
    np.testing.assert_array_equal(classifier.predict(OTHERS), classifier.classes_[probabilities.argmax(1)])


@pytest.mark.parametrize(
    "labels",
    [LABELS, [label == "positive" for label in LABELS], SEVERAL],
    ids=["strings", "booleans", "several"],
)
@pytest.mark.parametrize(
    "empty", [[], np.array([], str), pd.Series([], dtype=str)], ids=["list", "array", "series"]
)
def test_no_texts_have_no_answers_of_the_same_type(labels: Any, empty: Any) -> None:
    classifier = build(values={**SHORT, "train.epochs": 1}).fit(TEXTS, labels)
    some = classifier.predict(OTHERS)
    assert classifier.predict(empty).dtype == some.dtype
    assert classifier.predict(empty).shape == (0, *some.shape[1:])
    for method in (classifier.predict_proba, classifier.predict_log_proba):
        assert (method(empty).shape, method(empty).dtype) == ((0, 2), np.float32)


def test_several_labels_are_cross_validated_and_scored_by_whole_rows() -> None:
    scores = cross_val_score(build(values=VALUES, random_state=2), TEXTS, SEVERAL, scoring="f1_micro", cv=2)
    assert scores.shape == (2,)
    assert (scores > 0.6).all()
    classifier = build(values=VALUES).fit(TEXTS, SEVERAL)
    right = (classifier.predict(TEXTS) == SEVERAL).all(1)
    assert classifier.score(TEXTS, SEVERAL) == right.mean()
    assert 0 < right.mean() < (classifier.predict(TEXTS) == SEVERAL).mean() <= 1

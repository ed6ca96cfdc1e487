"""The estimator keeps scikit-learn's contract, and refuses what cannot be learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from conftest import TINY, make_rows
from yeoun import RecurrentTextClassifier, load
from yeoun.errors import ConfigError, DataError, OutputError, YeounError

VALUES = {**TINY, "text.scheme": "words"}
ROWS = make_rows(120)
TEXTS = list(ROWS.texts)
LABELS = [ROWS.label_names[target] for target in ROWS.targets]
PARAMETERS = {"preset", "recipe", "values", "precision", "device", "random_state"}


def build(**changed: Any) -> RecurrentTextClassifier:
    return RecurrentTextClassifier(**{"values": VALUES, "random_state": 0, **changed})


@pytest.fixture(scope="module")
def fitted() -> RecurrentTextClassifier:
    return build().fit(TEXTS, LABELS)


# parameters


def test_the_constructor_stores_what_it_is_given_and_nothing_else() -> None:
    given: dict[str, Any] = {
        "preset": "nonsense",
        "recipe": "nonsense",
        "values": {"no.such.key": object()},
        "precision": "fp1",
        "device": "abacus",
        "random_state": -1,
    }
    classifier = RecurrentTextClassifier(**given)
    assert vars(classifier) == given
    assert classifier.values is given["values"]


def test_the_defaults_are_the_balanced_preset_with_seed_0() -> None:
    parameters = RecurrentTextClassifier().get_params()
    assert parameters.keys() == PARAMETERS
    assert (parameters["preset"], parameters["recipe"], parameters["random_state"]) == ("balanced", None, 0)


def test_parameters_are_set_and_got_by_name() -> None:
    classifier = build()
    assert classifier.set_params(preset="fast", random_state=4) is classifier
    assert classifier.get_params() == {
        "preset": "fast",
        "recipe": None,
        "values": VALUES,
        "precision": "auto",
        "device": "auto",
        "random_state": 4,
    }
    with pytest.raises(ValueError, match="nonsense"):
        classifier.set_params(nonsense=1)


def test_a_clone_has_the_parameters_and_not_the_model(fitted: RecurrentTextClassifier) -> None:
    copy = clone(fitted)
    assert copy is not fitted
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)


def test_fit_returns_the_estimator_and_leaves_its_parameters() -> None:
    values = dict(VALUES)
    classifier = build(values=values)
    assert classifier.fit(TEXTS[:40], LABELS[:40]) is classifier
    assert classifier.values is values
    assert values == VALUES
    check_is_fitted(classifier)


def test_it_is_a_classifier() -> None:
    assert is_classifier(RecurrentTextClassifier())


@pytest.mark.parametrize(
    ("changed", "pattern"),
    [
        ({"preset": "slow"}, "unknown preset 'slow'"),
        ({"recipe": "imdb-transformer"}, "unknown recipe 'imdb-transformer'"),
        ({"values": {"model.units": 3}}, "model.units: no such key"),
        ({"values": {"train.epochs": -1}}, "train.epochs = -1"),
        ({"precision": "fp64"}, "precision 'fp64'"),
        ({"device": "tpu"}, "device 'tpu'"),
    ],
)
def test_wrong_parameters_are_refused_by_fit(changed: dict[str, Any], pattern: str) -> None:
    with pytest.raises(ConfigError, match=pattern):
        build(**changed).fit(TEXTS, LABELS)


# labels


@pytest.mark.parametrize(
    ("negative", "positive", "classes"),
    [
        ("negative", "positive", ["negative", "positive"]),
        ("so-so", "fine", ["fine", "so-so"]),
        (10, 9, [9, 10]),
        (-1, 1, [-1, 1]),
        (np.int64(1), np.int64(0), [0, 1]),
        (False, True, [False, True]),
        ("10", "9", ["10", "9"]),
    ],
)
def test_classes_are_sorted_and_predictions_have_the_type_of_y(
    negative: Any, positive: Any, classes: list[Any]
) -> None:
    y = [{"negative": negative, "positive": positive}[label] for label in LABELS]
    classifier = build().fit(TEXTS, y)
    assert classifier.classes_.tolist() == classes
    predicted = classifier.predict(TEXTS)
    assert predicted.dtype == np.asarray(y).dtype
    assert set(predicted.tolist()) == set(classes)
    columns = classifier.predict_proba(TEXTS).argmax(1)
    np.testing.assert_array_equal(classifier.classes_[columns], predicted)
    assert accuracy_score(y, predicted) > 0.8


@pytest.mark.parametrize(
    "container",
    [tuple, np.array, lambda texts: np.array(texts, object), pd.Series],
    ids=["tuple", "array", "object-array", "series"],
)
def test_any_sequence_of_texts_and_labels_will_do(
    fitted: RecurrentTextClassifier, container: Callable[[Sequence[str]], Any]
) -> None:
    classifier = build().fit(container(TEXTS), container(LABELS))
    expected = fitted.predict_proba(TEXTS[:9])
    assert classifier.predict_proba(container(TEXTS[:9])).tobytes() == expected.tobytes()
    assert classifier.classes_.tolist() == fitted.classes_.tolist()


def test_a_series_that_was_shuffled_is_read_in_its_order(fitted: RecurrentTextClassifier) -> None:
    series = pd.Series(TEXTS).sample(frac=1, random_state=3)
    expected = fitted.predict_proba(series.tolist())
    np.testing.assert_array_equal(fitted.predict_proba(series), expected)


# answers


def test_probabilities_are_a_float32_row_a_text_adding_up_to_1(fitted: RecurrentTextClassifier) -> None:
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 2)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_score_is_the_accuracy(fitted: RecurrentTextClassifier) -> None:
    fresh = make_rows(50, seed=9)
    truth = [fresh.label_names[target] for target in fresh.targets]
    score = fitted.score(fresh.texts, truth)
    assert score == accuracy_score(truth, fitted.predict(fresh.texts))
    assert score > 0.8


def test_the_same_random_state_gives_identical_probabilities_and_another_others(
    fitted: RecurrentTextClassifier,
) -> None:
    again, other = build().fit(TEXTS, LABELS), build(random_state=1).fit(TEXTS, LABELS)
    assert again.predict_proba(TEXTS).tobytes() == fitted.predict_proba(TEXTS).tobytes()
    assert other.predict_proba(TEXTS).tobytes() != fitted.predict_proba(TEXTS).tobytes()


def test_fitting_again_forgets_the_first_fit(fitted: RecurrentTextClassifier) -> None:
    classifier = build().fit(TEXTS[:60], [label == "positive" for label in LABELS[:60]])
    classifier.fit(TEXTS, LABELS)
    assert classifier.classes_.tolist() == fitted.classes_.tolist()
    assert classifier.predict_proba(TEXTS).tobytes() == fitted.predict_proba(TEXTS).tobytes()


def test_fitting_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002 - the global generator is what is watched
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    build(values={**VALUES, "train.epochs": 1}).fit(TEXTS[:40], LABELS[:40])
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


def test_explaining_goes_through_the_fitted_model(fitted: RecurrentTextClassifier) -> None:
    with pytest.raises(ConfigError, match="pools by mean-max"):
        fitted.explain("lovely film", method="attention")
    attending = build(values={**VALUES, "model.pooling": "attention", "train.epochs": 1})
    explanation = attending.fit(TEXTS[:40], LABELS[:40]).explain("the film was great", method="attention")
    assert [token.text for token in explanation.tokens] == ["the", "film", "was", "great"]
    assert explanation.label == attending.predict(["the film was great"])[0]


def test_a_recipe_is_fitted_with_changed_values() -> None:
    values = {"train.epochs": 1, "text.vocabulary_size": 50}
    classifier = build(recipe="imdb-lstm", values=values).fit(TEXTS[:40], LABELS[:40])
    model = classifier.bundle_.configuration.model
    assert (model.encoder, model.hidden_size, model.bidirectional) == ("lstm", 32, False)
    assert classifier.bundle_.configuration.train.epochs == 1


def test_a_saved_estimator_is_refused_a_taken_place_unless_forced(
    tmp_path: Path, fitted: RecurrentTextClassifier
) -> None:
    fitted.save(tmp_path / "model")
    with pytest.raises(OutputError, match="exists already"):
        fitted.save(str(tmp_path / "model"))
    fitted.save(tmp_path / "model", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load(str(tmp_path / "model")).predict(TEXTS[:5]) == fitted.predict(TEXTS[:5]).tolist()


@pytest.mark.parametrize("place", [".", "", "/"])
def test_a_place_that_can_have_no_name_beside_it_is_refused(
    tmp_path: Path, fitted: RecurrentTextClassifier, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        fitted.save(place)


# refusals


@pytest.mark.parametrize("method", ["predict", "predict_proba", "explain", "save", "score"])
def test_an_unfitted_estimator_answers_nothing(tmp_path: Path, method: str) -> None:
    arguments: dict[str, list[Any]] = {"explain": ["text"], "save": [tmp_path / "m"], "score": [["a"], ["b"]]}
    with pytest.raises(NotFittedError, match="call fit first"):
        getattr(build(), method)(*arguments.get(method, [["text"]]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("X", "y", "pattern"),
    [
        (TEXTS, LABELS[:-1], "got 120 texts and 119 labels"),
        (TEXTS[:-1], LABELS, "got 119 texts and 120 labels"),
        ("lovely film", ["a"] * 11, "got one string; expected a list of texts"),
        ([], [], "no rows"),
        (TEXTS, ["same"] * 120, "one label only, 'same'"),
        ([*TEXTS[:-1], None], LABELS, "text 119 is None: expected a string"),
        ([*TEXTS[:-1], float("nan")], LABELS, "text 119 is nan: expected a string"),
        ([b"bytes", *TEXTS[1:]], LABELS, "text 0 is b'bytes': expected a string"),
        (["one", "two"], ["a", "b"], "cannot hold out"),
        ([""] * 120, LABELS, "cannot hold out|no token"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_learned_from_is_refused(X: Any, y: Any, pattern: str) -> None:  # noqa: N803
    with pytest.raises(DataError, match=pattern):
        build().fit(X, y)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize(
    ("X", "pattern"),
    [("lovely film", "got one string"), (["lovely", None], "text 1 is None: expected a string")],
)
def test_what_is_no_list_of_texts_is_refused(
    fitted: RecurrentTextClassifier,
    method: str,
    X: Any,  # noqa: N803
    pattern: str,
) -> None:
    with pytest.raises(DataError, match=pattern):
        getattr(fitted, method)(X)


def test_a_refused_fit_leaves_an_unfitted_estimator_unfitted() -> None:
    classifier = build(device="tpu")
    with pytest.raises(YeounError):
        classifier.fit(TEXTS, LABELS)
    with pytest.raises(NotFittedError):
        check_is_fitted(classifier)


def test_a_refused_fit_leaves_a_fitted_estimator_as_it_was() -> None:
    classifier = build(values={**VALUES, "train.epochs": 1}).fit(TEXTS, LABELS)
    before = classifier.predict(TEXTS[:5]).tolist()
    with pytest.raises(DataError):
        classifier.fit(TEXTS, [0] * 120)
    assert classifier.predict(TEXTS[:5]).tolist() == before

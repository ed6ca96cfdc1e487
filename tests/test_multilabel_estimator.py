"""The estimator learns several labels a text, however they are given, and weighs rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score

from conftest import SEVERAL, VALUES, lists_of, make_lists
from yeoun import RecurrentTextClassifier
from yeoun.errors import DataError

NAMES = list(SEVERAL)
VALUES = {**VALUES, "train.batch_size": 8, "train.learning_rate": 0.05, "model.dropout": 0.0}
ROWS, FRESH = make_lists(80), make_lists(40, seed=2)
TEXTS = list(FRESH.texts)


def build(**changed: Any) -> RecurrentTextClassifier:
    return RecurrentTextClassifier(**{"values": VALUES, "precision": "fp32", **changed})


@pytest.fixture(scope="module")
def estimator() -> RecurrentTextClassifier:
    return build().fit(ROWS.texts, lists_of(ROWS))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (ROWS.targets, [0, 1, 2]),
        (ROWS.targets.tolist(), [0, 1, 2]),
        (sparse.csr_matrix(ROWS.targets), [0, 1, 2]),
        (pd.DataFrame(ROWS.targets, columns=NAMES), NAMES),
        (pd.Series(lists_of(ROWS)), NAMES),
    ],
    ids=["array", "lists of 0 and 1", "sparse matrix", "table", "series of lists"],
)
def test_labels_of_any_kind_train_the_same_model(
    estimator: RecurrentTextClassifier, labels: Any, classes: list[Any]
) -> None:
    classifier = build().fit(ROWS.texts, labels)
    assert classifier.classes_.tolist() == classes
    assert classifier.predict_proba(TEXTS).tobytes() == estimator.predict_proba(TEXTS).tobytes()
    np.testing.assert_array_equal(classifier.predict(TEXTS), estimator.predict(TEXTS))


def test_predictions_are_0_and_1_for_each_class_and_scored_by_whole_rows(
    estimator: RecurrentTextClassifier,
) -> None:
    predicted = estimator.predict(TEXTS)
    assert estimator.classes_.tolist() == NAMES
    assert (predicted.dtype, predicted.shape) == (np.int64, (len(TEXTS), 3))
    assert set(predicted.ravel().tolist()) == {0, 1}
    assert estimator.score(TEXTS, FRESH.targets) == accuracy_score(FRESH.targets, predicted) > 0.5
    assert estimator.predict([]).shape == (0, 3)


def test_equal_weights_change_nothing_and_a_row_of_weight_0_is_not_there(
    estimator: RecurrentTextClassifier,
) -> None:
    expected = estimator.predict_proba(TEXTS)
    equal = build().fit(ROWS.texts, lists_of(ROWS), sample_weight=[2.0] * len(ROWS))
    np.testing.assert_allclose(equal.predict_proba(TEXTS), expected, rtol=0, atol=1e-5)
    more, lists = [*ROWS.texts, "war war war"], [*lists_of(ROWS), ["music"]]
    left_out = build().fit(more, lists, sample_weight=[2.0] * len(ROWS) + [0.0])
    assert left_out.predict_proba(TEXTS).tobytes() == equal.predict_proba(TEXTS).tobytes()


@pytest.mark.parametrize("heavy", ["music", "war"])
def test_training_follows_the_heavier_of_contradicting_rows(heavy: str) -> None:
    labels = ["music", "war"] * 40
    weights = [5.0 if label == heavy else 0.5 for label in labels]
    texts = [f"film {i // 8}" for i in range(80)]
    values = {**VALUES, "train.epochs": 2, "text.minimum_count": 2}
    one = build(values=values).fit(texts, labels, sample_weight=weights)
    assert set(one.predict(texts).tolist()) == {heavy}
    several = build(values=values).fit(texts, [[label] for label in labels], sample_weight=weights)
    likeliest = several.predict_proba(texts).argmax(1)
    assert set(several.classes_[likeliest].tolist()) == {heavy}


def test_a_single_label_may_be_there_or_not() -> None:
    lists = [["war"] if "war" in labels else [] for labels in lists_of(ROWS)]
    classifier = build().fit(ROWS.texts, lists)
    assert classifier.classes_.tolist() == ["war"]
    assert classifier.predict_proba(TEXTS).shape == (len(TEXTS), 1)
    present = FRESH.targets[:, [2]]
    assert (classifier.predict(TEXTS) == present).mean() > 0.8


def test_a_label_that_every_row_has_is_learned_beside_another() -> None:
    lists = [["film", *labels[:1]] for labels in lists_of(ROWS)]
    classifier = build().fit(ROWS.texts, lists)
    film = classifier.classes_.tolist().index("film")
    assert classifier.predict(TEXTS)[:, film].all()


def test_lists_of_labels_are_scored_as_they_were_learned(estimator: RecurrentTextClassifier) -> None:
    labels = lists_of(FRESH)
    table = np.array([[name in each for name in estimator.classes_] for each in labels]).astype(int)
    expected = float((estimator.predict(TEXTS) == table).all(1).mean())
    assert 0 < expected == estimator.score(TEXTS, labels) == estimator.score(TEXTS, table)
    assert estimator.score(TEXTS, pd.Series([tuple(each) for each in labels])) == expected
    with pytest.raises(DataError, match="unknown label 'odd'"):
        estimator.score(TEXTS[:1], [["odd"]])

"""The estimator in the company of scikit-learn's other tools, of `joblib` and of `pickle`."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from conftest import VALUES, make_rows
from yeoun import RecurrentTextClassifier
from yeoun.errors import BundleError

ROWS, FRESH = make_rows(120), make_rows(30, seed=5)
TEXTS, OTHERS = list(ROWS.texts), list(FRESH.texts)
LABELS = [ROWS.label_names[target] for target in ROWS.targets]
TRUTH = [FRESH.label_names[target] for target in FRESH.targets]


def build(**changed: Any) -> RecurrentTextClassifier:
    return RecurrentTextClassifier(**{"values": VALUES, "random_state": 0, **changed})


def in_pipeline(**changed: Any) -> Pipeline:
    strip = FunctionTransformer(lambda texts: [text.strip() for text in texts])
    return Pipeline([("strip", strip), ("model", build(**changed))])


def answers(classifier: Any) -> bytes:
    """Return the bytes of the probabilities of the fresh texts."""
    content: bytes = classifier.predict_proba(OTHERS).tobytes()
    return content


@pytest.fixture(scope="module")
def fitted() -> RecurrentTextClassifier:
    return build().fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def processes() -> Iterator[Callable[[], AbstractContextManager[Any]]]:
    """Return what gives the work of `n_jobs` to processes of one thread each, as these tests run in."""
    yield lambda: joblib.parallel_config("loky", inner_max_num_threads=1)
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


# searches and cross-validation


def test_it_is_cross_validated_in_a_pipeline() -> None:
    read_once = in_pipeline(values={**VALUES, "train.consistency": 0.0})
    scores = cross_val_score(read_once, TEXTS, LABELS, cv=3)
    assert scores.shape == (3,)
    assert (scores > 0.6).all()


def test_a_grid_of_seeds_is_searched() -> None:
    search = GridSearchCV(in_pipeline(), {"model__random_state": [0, 1]}, cv=2)
    search.fit(TEXTS, LABELS)
    assert search.best_params_["model__random_state"] in (0, 1)
    assert search.predict(TEXTS[:3]).dtype.kind == "U"


def test_a_grid_is_searched_by_two_processes_as_by_one(processes: Callable[..., Any]) -> None:
    grid = {"values": [{**VALUES, "model.pooling": pooling} for pooling in ("mean-max", "attention")]}
    one, two = (GridSearchCV(build(), grid, scoring="neg_log_loss", cv=2, n_jobs=n) for n in (1, 2))
    one.fit(TEXTS, LABELS)
    with processes():
        two.fit(TEXTS, LABELS)
    scores = one.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]
    for key in ("split0_test_score", "split1_test_score", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(one.cv_results_[key], two.cv_results_[key])
    assert two.best_params_ == one.best_params_ == {"values": grid["values"][scores.argmax()]}
    assert answers(two) == answers(one)
    assert two.classes_.tolist() == ["negative", "positive"]


def test_two_processes_cross_validate_as_one(processes: Callable[..., Any]) -> None:
    one = cross_val_score(build(), TEXTS, LABELS, scoring="neg_log_loss", cv=2)
    with processes():
        two = cross_val_score(build(), TEXTS, LABELS, scoring="neg_log_loss", cv=2, n_jobs=2)
    assert one.tolist() == two.tolist()


def test_models_trained_and_asked_by_threads_at_once_are_as_trained_alone(
    fitted: RecurrentTextClassifier,
) -> None:
    def train(seed: int) -> bytes:
        return answers(build(random_state=seed).fit(TEXTS, LABELS))

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(train, [0, 1, 0, 1, 0, 1]))
    assert found == [answers(fitted), train(1)] * 3


def test_probabilities_are_cross_predicted_by_models_that_did_not_see_the_rows() -> None:
    folds = StratifiedKFold(2)
    found = cross_val_predict(build(), TEXTS, LABELS, cv=folds, method="predict_proba")
    for seen, unseen in folds.split(TEXTS, LABELS):
        model = build().fit([TEXTS[i] for i in seen], [LABELS[i] for i in seen])
        np.testing.assert_array_equal(found[unseen], model.predict_proba([TEXTS[i] for i in unseen]))


def test_scorers_read_its_labels_and_its_probabilities(fitted: RecurrentTextClassifier) -> None:
    probabilities = fitted.predict_proba(OTHERS)
    accuracy = accuracy_score(TRUTH, fitted.predict(OTHERS))
    assert make_scorer(accuracy_score)(fitted, OTHERS, TRUTH) == accuracy
    assert get_scorer("accuracy")(fitted, OTHERS, TRUTH) == fitted.score(OTHERS, TRUTH) == accuracy
    loss = make_scorer(log_loss, response_method="predict_proba", greater_is_better=False)
    assert loss(fitted, OTHERS, TRUTH) == pytest.approx(-log_loss(TRUTH, probabilities), rel=1e-5)
    area = roc_auc_score([label == "positive" for label in TRUTH], probabilities[:, 1])
    assert get_scorer("roc_auc")(fitted, OTHERS, TRUTH) == area > 0.8


# pipelines


def test_a_pipeline_answers_as_the_estimator_in_it(fitted: RecurrentTextClassifier) -> None:
    pipeline = in_pipeline().fit([f"  {text} " for text in TEXTS], LABELS)
    assert answers(pipeline) == answers(fitted)
    assert pipeline.classes_.tolist() == fitted.classes_.tolist()
    assert pipeline.score(OTHERS, TRUTH) == fitted.score(OTHERS, TRUTH)
    assert "RecurrentTextClassifier" in pipeline._repr_html_()


def test_a_clone_of_a_fitted_pipeline_is_unfitted_and_learns_the_same() -> None:
    pipeline = in_pipeline().fit(TEXTS, LABELS)
    twin = clone(pipeline)
    with pytest.raises(NotFittedError):
        twin["model"].predict(TEXTS)
    check_is_fitted(pipeline["model"])
    assert answers(twin.fit(TEXTS, LABELS)) == answers(pipeline)


def test_a_pipeline_hands_on_sample_weights(fitted: RecurrentTextClassifier) -> None:
    texts, labels, weights = ["great", *TEXTS], ["negative", *LABELS], [0.0, *[1.0] * 120]
    assert answers(in_pipeline().fit(texts, labels, model__sample_weight=weights)) == answers(fitted)


def test_sample_weights_are_routed_to_the_fits_of_a_cross_validation() -> None:
    weights = np.where(np.arange(120) < 60, 1.0, 0.0)
    folds = [(np.arange(120), np.arange(60, 120))]
    with config_context(enable_metadata_routing=True):
        asking = build().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(
            asking, TEXTS, LABELS, cv=folds, params={"sample_weight": weights}, return_estimator=True
        )
    (trained,) = found["estimator"]
    assert answers(trained) == answers(build().fit(TEXTS[:60], LABELS[:60]))


# estimators of estimators


def test_it_is_calibrated() -> None:
    calibrated = CalibratedClassifierCV(build(), cv=2).fit(TEXTS, LABELS)
    probabilities = calibrated.predict_proba(OTHERS)
    assert calibrated.classes_.tolist() == ["negative", "positive"]
    assert len(calibrated.calibrated_classifiers_) == 2
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    assert accuracy_score(TRUTH, calibrated.predict(OTHERS)) > 0.7


def test_a_fitted_one_is_calibrated_as_it_is(fitted: RecurrentTextClassifier) -> None:
    before = answers(fitted)
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(OTHERS, TRUTH)
    probabilities = calibrated.predict_proba(TEXTS)
    assert calibrated.classes_.tolist() == fitted.classes_.tolist()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    order = fitted.predict_proba(TEXTS)[:, 1].argsort(kind="stable")
    assert (np.diff(probabilities[order, 1]) >= -1e-6).all()
    assert len(np.unique(probabilities[:, 1])) > 50
    assert answers(fitted) == before


def test_two_of_them_vote_with_the_mean_of_their_probabilities(fitted: RecurrentTextClassifier) -> None:
    voting = VotingClassifier([("one", build()), ("two", build(random_state=1))], voting="soft")
    voting.fit(TEXTS, LABELS)
    other = build(random_state=1).fit(TEXTS, LABELS)
    mean = (fitted.predict_proba(OTHERS) + other.predict_proba(OTHERS)) / 2
    np.testing.assert_allclose(voting.predict_proba(OTHERS), mean, atol=1e-7)
    assert voting.classes_.tolist() == ["negative", "positive"]
    np.testing.assert_array_equal(voting.predict(OTHERS), voting.classes_[mean.argmax(1)])


# copies


def through_joblib(classifier: RecurrentTextClassifier, folder: Path) -> Any:
    joblib.dump(classifier, folder / "classifier.joblib", compress=1)
    return joblib.load(folder / "classifier.joblib")


COPIES: dict[str, Callable[[RecurrentTextClassifier, Path], Any]] = {
    "pickle": lambda classifier, folder: pickle.loads(pickle.dumps(classifier)),
    "pickle in text": lambda classifier, folder: pickle.loads(pickle.dumps(classifier, protocol=0)),
    "deepcopy": lambda classifier, folder: copy.deepcopy(classifier),
    "joblib": through_joblib,
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    "names",
    [("negative", "positive"), (-1, 1), (False, True)],
    ids=["strings", "integers", "booleans"],
)
def test_a_copy_of_a_fitted_estimator_is_the_same(tmp_path: Path, way: str, names: Any) -> None:
    values = {**VALUES, "train.epochs": 1}
    classifier = build(values=values).fit(TEXTS, [names[target] for target in ROWS.targets])
    again = COPIES[way](classifier, tmp_path)
    assert again is not classifier
    assert answers(again) == answers(classifier)
    assert again.classes_.tolist() == list(names)
    assert again.predict(OTHERS).dtype == classifier.predict(OTHERS).dtype
    assert again.predict(OTHERS).tolist() == classifier.predict(OTHERS).tolist()
    assert again.get_params() == classifier.get_params()
    assert again.bundle_.files() == classifier.bundle_.files()


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_an_unfitted_estimator_is_unfitted(tmp_path: Path, way: str) -> None:
    again = COPIES[way](build(preset="fast"), tmp_path)
    assert again.get_params() == build(preset="fast").get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(again)


def test_a_copy_of_a_model_of_several_labels_decides_alike(tmp_path: Path) -> None:
    several = np.column_stack([ROWS.targets, ["film" in text.split() for text in TEXTS]]).astype(int)
    classifier = build(values={**VALUES, "train.epochs": 1}).fit(TEXTS, several)
    for way in COPIES.values():
        again = way(classifier, tmp_path)
        assert again.bundle_.thresholds == classifier.bundle_.thresholds
        np.testing.assert_array_equal(again.predict(OTHERS), classifier.predict(OTHERS))


def test_a_pickle_holds_the_files_of_the_folder_and_no_live_object_of_the_model(
    fitted: RecurrentTextClassifier, tmp_path: Path
) -> None:
    answers(fitted)  # the network lives now
    stream, found = pickle.dumps(fitted), set()

    class Recording(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add((module.split(".")[0], name))
            return super().find_class(module, name)

    Recording(io.BytesIO(stream)).load()
    assert {name for place, name in found if place == "yeoun"} == {"RecurrentTextClassifier", "_from_pickled"}
    assert {place for place, _ in found} <= {"yeoun", "numpy"}
    fitted.save(tmp_path / "model")
    saved = [path for path in (tmp_path / "model").iterdir() if path.suffix in (".safetensors", ".md")]
    assert len(saved) == 3
    assert all(path.read_bytes() in stream for path in saved)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "metrics.json"])
def test_a_pickle_with_an_altered_byte_in_a_file_is_refused(
    fitted: RecurrentTextClassifier, name: str
) -> None:
    stream, content = bytearray(pickle.dumps(fitted)), fitted.bundle_.files()[name]
    assert stream.count(content) == 1
    stream[stream.index(content) + len(content) // 2] ^= 1
    with pytest.raises(BundleError, match=rf"pickled model/{name}: altered"):
        pickle.loads(stream)

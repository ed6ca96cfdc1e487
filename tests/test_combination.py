"""A network and its n-grams together: each half counts as far as it is to be trusted, and the whole is one
model behind every door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yeoun.training.loop as loop
from conftest import TINY, make_lists, make_rows
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration, TextConfig
from yeoun.data.rows import Dataset, labelled
from yeoun.data.splits import stratified_split
from yeoun.errors import BundleError
from yeoun.evaluation.evenness import Evenness
from yeoun.evaluation.metrics import decide, log_loss, measure, score_answers
from yeoun.export import export_onnx
from yeoun.inference import class_logits, decide_labels, predict_proba, to_probabilities
from yeoun.text.ngrams import NgramIndexer
from yeoun.training.combination import combine, fit_evenness, fit_scales
from yeoun.training.fit import fit
from yeoun.training.ngrams import fit_ngrams
from yeoun.training.state import Progress, TrainingFolder

# A busy machine is no failure.
few = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=30)

VALUES = {**TINY, "text.character_ngrams": 2, "model.ngrams": True, "train.calibrate": True}
HEADS = {"softmax": 3, "softmax of two": 2, "sigmoid": 2, "sigmoids": 3}
TEXTS = ["the film was lovely", "", "boring 영화 " * 40, "zzz", "최고 😀", "war and music"]


def draw_labels(head: str, rows: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng([seed, 1])
    if head == "sigmoids":
        return (generator.random((rows, 3)) < 0.4).astype(np.int64)
    return generator.integers(0, HEADS[head], rows)


def draw_logits(head: str, labels: np.ndarray, trust: float, spread: float, seed: int = 0) -> np.ndarray:
    """Logits of which `trust` says how much they know, and `spread` how sure they are of it."""
    truth = 2 * (labels if head == "sigmoids" else np.eye(HEADS[head])[labels]) - 1
    noise = np.random.default_rng([seed, 2]).normal(size=truth.shape)
    logits = (spread * (trust * truth + noise)).astype(np.float32)
    return logits[:, 1:] - logits[:, :1] if head == "sigmoid" else logits


def loss(head: str, logits: np.ndarray, labels: np.ndarray) -> float:
    return log_loss(to_probabilities(logits.astype(np.float64), head == "sigmoids"), labels)


def answers(head: str, logits: np.ndarray) -> np.ndarray:
    return logits >= 0 if head == "sigmoids" else class_logits(logits).argmax(1)


@few
@given(
    st.sampled_from(list(HEADS)),
    st.integers(1, 60),
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 100)), min_size=1, max_size=3),
    st.integers(0, 9),
)
def test_scales_are_numbers_above_zero_and_change_no_halfs_answers(
    head: str, rows: int, halves: list[tuple[float, float]], seed: int
) -> None:
    labels = draw_labels(head, rows, seed)
    drawn = [draw_logits(head, labels, *half, seed + i) for i, half in enumerate(halves)]
    scales = fit_scales(drawn, labels, [1.0] * len(drawn))
    assert len(scales) == len(drawn)
    assert all(np.isfinite(scales))
    assert min(scales) > 0
    for half, scale in zip(drawn, scales, strict=True):
        np.testing.assert_array_equal(answers(head, half * np.float32(scale)), answers(head, half))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("seed", range(3))
def test_no_other_scales_predict_the_rows_better(head: str, seed: int) -> None:
    labels = draw_labels(head, 1000, seed)
    first, second = draw_logits(head, labels, 0.6, 4.0, seed), draw_logits(head, labels, 0.3, 0.1, seed + 9)
    found = fit_scales([first, second], labels, [1.0, 1.0])
    reached = loss(head, first * found[0] + second * found[1], labels)
    for factors in np.random.default_rng(seed).lognormal(0, 0.5, (60, 2)):
        scaled = first * found[0] * factors[0] + second * found[1] * factors[1]
        assert reached <= loss(head, scaled, labels) + 1e-3
    assert reached <= min(loss(head, half, labels) for half in (first, second, first + second, 0 * first))


@pytest.mark.parametrize("head", HEADS)
def test_noise_beside_a_half_that_knows_counts_for_little(head: str) -> None:
    labels = draw_labels(head, 500)
    good, noise = draw_logits(head, labels, 1.0, 3.0), draw_logits(head, labels, 0.0, 3.0, seed=5)
    scales = fit_scales([good, noise], labels, [1.0, 1.0])
    assert scales[1] < scales[0] / 5


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("value", [-30.0, -0.7, 0.0, 0.3])
def test_a_half_that_says_the_same_of_every_text_does_no_harm(head: str, value: float) -> None:
    labels = draw_labels(head, 300)
    good = draw_logits(head, labels, 0.8, 2.0)
    same = np.full_like(good, value)
    same[:, : -same.shape[1] // 2] = 0.0
    with_it, alone = fit_scales([same, good], labels, [1.0, 1.0]), fit_scales([good], labels, [1.0])
    together = loss(head, same * with_it[0] + good * with_it[1], labels)
    assert together <= loss(head, good * alone[0], labels) + 1e-3


def test_a_few_rows_make_no_half_sure_of_itself() -> None:
    labels = np.array([0, 1])
    logits = np.array([[2.0, -2.0], [-2.0, 2.0]], np.float32)
    (scale,) = fit_scales([logits], labels, [1.0])
    assert to_probabilities(logits * scale, False).max() < 0.9
    many = fit_scales([np.tile(logits, (500, 1))], np.tile(labels, 500), [1.0])
    assert many[0] > 1.5 * scale


@few
@given(st.floats(0, 0.95), st.floats(1e-3, 1e3), st.integers(2, 30), st.integers(0, 9))
def test_evening_out_changes_no_rows_order(power: float, typical: float, classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = (generator.normal(size=(20, classes)) * generator.lognormal(0, 3, (20, 1))).astype(np.float32)
    logits[0] = 0.0
    evened = Evenness(power, typical).even_out(logits)
    assert np.isfinite(evened).all()
    assert (np.diff(np.take_along_axis(evened, logits.argsort(1), 1)) >= 0).all()


@few
@given(st.floats(0, 0.95), st.floats(0, 1), st.integers(2, 30), st.integers(0, 9))
def test_doubt_changes_no_rows_order(power: float, doubt: float, classes: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, (20, classes)).astype(np.float32)
    given = Evenness(power, 4.0, doubt).probabilities(logits)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given.sum(1), 1, rtol=1e-5)
    assert (np.diff(np.take_along_axis(given, logits.argsort(1), 1)) >= 0).all()


def test_doubt_takes_most_from_the_surest_and_gives_it_to_what_is_likely_too() -> None:
    logits = np.log(np.array([[0.989, 0.01, 0.001], [0.4, 0.3, 0.3]], np.float32))
    sure, doubtful = Evenness().probabilities(logits), Evenness(doubt=0.05).probabilities(logits)
    (taken, given, hardly), unsure = (sure - doubtful)[0], (sure - doubtful)[1]
    assert taken > 2 * unsure[0] > 0
    assert given < 2 * hardly < 0


def test_answers_of_three_labels_leave_room_for_doubt() -> None:
    labels = draw_labels("softmax", 2000)
    logits = draw_logits("softmax", labels, 0.7, 2.0)
    assert 0 < fit_evenness(logits, labels)[0].doubt < 0.1


def test_texts_of_weak_scores_are_taken_like_others() -> None:
    labels = draw_labels("softmax", 2000)
    logits = draw_logits("softmax", labels, 0.7, 2.0)
    weak = logits * np.random.default_rng(0).lognormal(0, 1, (2000, 1)).astype(np.float32)
    evenness, scale = fit_evenness(weak, labels)
    assert evenness.power == 0.75
    evened = to_probabilities(weak * np.float32(scale), False, evenness)
    assert (
        log_loss(evened, labels) < loss("softmax", fit_scales([weak], labels, [1.0])[0] * weak, labels) - 0.02
    )
    plain, _ = fit_evenness(logits, labels)
    assert plain.power < 0.75


def test_the_whole_is_evened_out_as_its_rows_ask_for() -> None:
    labels = draw_labels("softmax", 2000)
    logits = draw_logits("softmax", labels, 0.7, 2.0)
    weak = logits * np.random.default_rng(0).lognormal(0, 1, (2000, 1)).astype(np.float32)
    valid = Dataset([""] * 2000, labels, tuple("abc"))
    parameters = {"head.weight": np.ones((1, 2), np.float32), "head.bias": np.ones(1, np.float32)}
    whole = combine(weak, parameters, None, valid, True)
    assert whole.evenness.power > 0
    evened = to_probabilities(whole.logits, False, whole.evenness)
    evenness, scale = fit_evenness(weak, labels)
    expected = to_probabilities(weak * np.float32(scale), False, evenness)
    np.testing.assert_allclose(evened, expected, rtol=0.02, atol=1e-3)


def test_logits_of_two_classes_are_not_evened_out(two_labels: ModelBundle) -> None:
    assert two_labels.evenness == Evenness()


def test_a_saved_model_keeps_its_evenness(tmp_path: Path, two_labels: ModelBundle) -> None:
    again = save(replace(two_labels, evenness=Evenness(0.5, 3.0, 0.1)), tmp_path / "model")
    assert again.evenness == Evenness(0.5, 3.0, 0.1)
    uneven = predict_proba(two_labels, TEXTS)
    evened = predict_proba(again, TEXTS)
    assert not np.allclose(evened, uneven)
    np.testing.assert_array_equal(evened.argmax(1), uneven.argmax(1))


@pytest.mark.parametrize("trust", [-2.0, 0.7])
@pytest.mark.parametrize("head", HEADS)
def test_calibration_alone_changes_no_answer_and_lowers_the_loss(head: str, trust: float) -> None:
    labels = draw_labels(head, 300)
    logits = draw_logits(head, labels, trust, 6.0)
    valid = Dataset([""] * 300, labels, tuple("abc"[: HEADS[head]]))
    parameters = {"head.weight": np.ones((1, 2), np.float32), "head.bias": np.ones(1, np.float32)}
    plain, scaled = (combine(logits, parameters, None, valid, calibrate) for calibrate in (False, True))
    np.testing.assert_array_equal(plain.logits, logits)
    assert plain.parameters == parameters
    assert plain.alone == scaled.alone == {}
    np.testing.assert_array_equal(answers(head, scaled.logits), answers(head, logits))
    assert loss(head, scaled.logits, labels) < loss(head, logits, labels)
    (scale,) = {float(array.flat[0]) for array in scaled.parameters.values()}
    np.testing.assert_allclose(scaled.logits, logits * scale, rtol=1e-5)


@pytest.mark.parametrize("trust", [-2.0, 0.0, 1.0])
def test_each_half_is_measured_as_it_stands_alone_and_both_join_to_the_whole(trust: float) -> None:
    valid = make_rows(80, seed=1)
    branch = fit_ngrams(make_rows(80), TextConfig(word_ngrams=1))
    logits = draw_logits("softmax of two", valid.targets, trust, 1.0)
    parameters = {"head.weight": np.ones((1, 2), np.float32), "head.bias": np.ones(1, np.float32)}
    whole = combine(logits, parameters, branch, valid, True)
    alone = whole.alone
    np.testing.assert_allclose(whole.join(logits, branch.score(valid.texts)), whole.logits, rtol=1e-5)
    assert alone["recurrent_alone"] == score_answers(logits.argmax(1), valid.targets)
    scores = (branch.score(valid.texts)[:, 0] > 0).astype(np.int64)
    assert alone["ngrams_alone"] == score_answers(scores, valid.targets)


# whole models


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("softmax of ten", 20.0),
        ("softmax", 30.0),
        ("softmax of two", 30.0),
        ("sigmoid", 30.0),
        ("sigmoids", 30.0),
    ],
)
def test_the_more_labels_the_less_is_a_recurrent_half_pulled_that_was_not_pretrained(
    monkeypatch: pytest.MonkeyPatch, head: str, expected: float
) -> None:
    asked: list[list[float]] = []

    def scales(halves: Any, labels: Any, pulls: list[float], together: float = 0.0) -> list[float]:
        assert (together > 0) == (pretrained and len(halves) == 2)
        asked.append(pulls)
        return [1.0] * len(pulls)

    monkeypatch.setattr("yeoun.training.combination.fit_scales", scales)
    rows = MAKE.get(head, make_ten)(60)
    ngrams = fit_ngrams(rows, TextConfig(word_ngrams=1))
    width = 1 if head == "sigmoid" else len(rows.label_names)
    parameters = {"head.weight": np.ones((width, 2), np.float32), "head.bias": np.ones(width, np.float32)}
    for pretrained in (False, True):
        combine(np.zeros((60, width), np.float32), parameters, ngrams, rows, True, pretrained)
        assert asked[0] == [1.0 if pretrained else expected, 1.0]
        asked.clear()


def make_three(count: int, seed: int = 0) -> Dataset:
    texts = [f"{text} {'uvw'[i % 3]}" for i, text in enumerate(make_rows(count, seed).texts)]
    return labelled(texts, [f"label {i % 3}" for i in range(count)])


def make_ten(count: int) -> Dataset:
    return labelled(make_rows(count).texts, [f"label {i % 10}" for i in range(count)])


MAKE: dict[str, Callable[..., Dataset]] = {
    "softmax": make_three,
    "softmax of two": make_rows,
    "sigmoid": make_rows,
    "sigmoids": make_lists,
}


def train(head: str, valid: Dataset | None = None, **changed: Any) -> ModelBundle:
    values = {**VALUES, "model.head": head.split()[0], "train.epochs": 2}
    values |= {name.replace("__", "."): value for name, value in changed.items()}
    rows = MAKE[head](120)
    configuration = Configuration().with_values(values)
    return fit(rows, configuration, valid or MAKE[head](60, seed=1), seed=3, precision="fp32")


@pytest.fixture(scope="module", params=HEADS)
def head(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def bundle(head: str) -> ModelBundle:
    return train(head)


@pytest.fixture(scope="module")
def two_labels() -> ModelBundle:
    return train("softmax of two")


def save(bundle: ModelBundle, place: Path) -> ModelBundle:
    bundle.save(place, {}, place.with_name("saving"))
    return ModelBundle.load(place)


def same_arrays(one: ModelBundle, other: ModelBundle) -> bool:
    arrays = [{**b.weights, **(b.ngrams.arrays() if b.ngrams else {})} for b in (one, other)]
    return arrays[0].keys() == arrays[1].keys() and all(
        array.tobytes() == arrays[1][name].tobytes() for name, array in arrays[0].items()
    )


def test_the_model_gives_the_probabilities_that_its_figures_were_measured_on(
    head: str, bundle: ModelBundle
) -> None:
    valid = MAKE[head](60, seed=1)
    measured = measure(predict_proba(bundle, valid.texts), valid.targets, np.array(bundle.thresholds))
    assert vars(measured) == {
        name: pytest.approx(value, abs=1e-5) for name, value in bundle.metrics["validation"].items()
    }


def test_the_recurrent_half_alone_scores_what_training_said(head: str, bundle: ModelBundle) -> None:
    valid, recurrent = MAKE[head](60, seed=1), bundle.without_ngrams()
    chosen = decide_labels(recurrent, predict_proba(recurrent, valid.texts))
    assert score_answers(chosen, valid.targets) == bundle.metrics["recurrent_alone"]
    assert not np.array_equal(predict_proba(recurrent, TEXTS), predict_proba(bundle, TEXTS))


def test_without_ngrams_the_recurrent_network_is_the_same_but_for_its_scale(
    head: str, bundle: ModelBundle
) -> None:
    plain = train(head, model__ngrams=False)
    assert bundle.metrics.keys() - plain.metrics.keys() == {"recurrent_alone", "ngrams_alone"}
    assert plain.ngrams is None
    assert bundle.weights.keys() - plain.weights.keys() == {"ngrams.weight", "ngrams.bias"}
    for name, array in plain.weights.items():
        if not name.startswith("head."):
            np.testing.assert_array_equal(bundle.weights[name], array)
    ratios = [bundle.weights[f"head.{name}"] / plain.weights[f"head.{name}"] for name in ("weight", "bias")]
    np.testing.assert_allclose(np.concatenate([each.ravel() for each in ratios]), ratios[1][0], rtol=1e-4)
    valid, several = MAKE[head](60, seed=1), head == "sigmoids"
    chosen = decide(predict_proba(plain, valid.texts), several)
    assert score_answers(chosen, valid.targets) == bundle.metrics["recurrent_alone"]


def test_saving_and_loading_changes_no_probability(tmp_path: Path, head: str, bundle: ModelBundle) -> None:
    loaded = save(bundle, tmp_path / "model")
    assert predict_proba(loaded, TEXTS).tobytes() == predict_proba(bundle, TEXTS).tobytes()
    assert same_arrays(loaded, bundle)
    half = save(bundle.without_ngrams(), tmp_path / "half")
    assert not (tmp_path / "half" / "ngrams.safetensors").exists()
    assert predict_proba(half, TEXTS).tobytes() == predict_proba(bundle.without_ngrams(), TEXTS).tobytes()


def test_graphs_add_the_scores_of_ngrams_too(head: str, bundle: ModelBundle) -> None:
    graphs = {"model.onnx": export_onnx(bundle), "model.int8.onnx": export_onnx(bundle, "int8")}
    exported = replace(bundle, graphs=graphs)
    for texts in (TEXTS, [""], ["zzz", ""], []):
        expected = predict_proba(bundle, texts)
        np.testing.assert_allclose(predict_proba(exported, texts, runtime="onnx"), expected, atol=1e-5)
        np.testing.assert_allclose(predict_proba(exported, texts, runtime="onnx-int8"), expected, atol=0.03)


def test_altered_ngrams_are_refused_and_missing_ones_are_missed(
    tmp_path: Path, two_labels: ModelBundle
) -> None:
    save(two_labels, tmp_path / "model")
    place = tmp_path / "model" / "ngrams.safetensors"
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(content)
    with pytest.raises(BundleError, match=r"ngrams\.safetensors: altered or truncated"):
        ModelBundle.load(tmp_path / "model")
    place.unlink()
    with pytest.raises(BundleError, match=r"ngrams\.safetensors is missing"):
        ModelBundle.load(tmp_path / "model")


def test_ngrams_learn_from_all_rows_given_but_those_of_valid(two_labels: ModelBundle) -> None:
    rows, config = make_rows(120), two_labels.configuration
    unheard = Dataset([f"{text} unheard" for text in rows.texts[:60]], rows.targets[:60], rows.label_names)
    other = train("softmax of two", unheard)
    for found in (other, fit(rows, config, seed=3)):
        assert found.ngrams is not None
        for name, array in NgramIndexer.fit(rows.texts, config.text).arrays().items():
            np.testing.assert_array_equal(found.ngrams.arrays()[name], array)
    weights = [found.weights["ngrams.weight"] for found in (other, two_labels)]
    np.testing.assert_allclose(*(each / np.abs(each).max() for each in weights), atol=1e-5)


def test_figures_of_validation_are_of_ngrams_that_have_not_seen_its_rows() -> None:
    rows = labelled([f"word{i // 2} {'ab'[i % 2]}{i // 4}" for i in range(400)], ["no", "yes"] * 200)
    config = Configuration().with_values({**VALUES, "train.epochs": 1, "text.character_ngrams": 0})
    found = fit(rows, config, seed=3)
    kept, held_out = stratified_split(rows, config.train.validation_share, 3)
    valid = rows.take(held_out)
    before = fit_ngrams(rows.take(kept), config.text).score(valid.texts)[:, 0] > 0
    after = fit_ngrams(rows, config.text).score(valid.texts)[:, 0] > 0
    assert found.metrics["ngrams_alone"]["accuracy"] == np.mean(before == valid.targets)
    assert np.mean(after == valid.targets) > np.mean(before == valid.targets)


def test_texts_that_share_no_ngram_train_a_model_all_the_same(tmp_path: Path) -> None:
    rows = labelled([f"u{i} v{i}" for i in range(60)], ["ab"[i % 2] for i in range(60)])
    values = {**VALUES, "text.character_ngrams": 0, "train.epochs": 1}
    bundle = fit(rows, Configuration().with_values(values), precision="fp32")
    assert bundle.ngrams is not None
    assert len(bundle.ngrams) == 0
    expected = predict_proba(bundle, TEXTS)
    loaded = replace(save(bundle, tmp_path / "model"), graphs={"model.onnx": export_onnx(bundle)})
    np.testing.assert_array_equal(predict_proba(loaded, TEXTS), expected)
    np.testing.assert_allclose(predict_proba(loaded, TEXTS, runtime="onnx"), expected, atol=1e-5)


def test_the_rows_of_the_linear_baseline_are_told_beside_ngrams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yeoun.training.linear._BASELINE_ROWS", 50)
    assert 50 <= train("softmax of two").metrics["baseline_rows"] < 60


def test_the_same_seed_gives_the_same_model_also_after_a_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_labels: ModelBundle
) -> None:
    assert same_arrays(train("softmax of two"), two_labels)
    monkeypatch.setattr(loop, "steps_between_saves", lambda *_: 2)

    def go_on(watch: Callable[[Progress], None]) -> ModelBundle:
        rows, valid, config = make_rows(120), make_rows(60, seed=1), two_labels.configuration
        with TrainingFolder.of(tmp_path / "model") as folder:
            return fit(rows, config, valid, 3, "fp32", folder=folder, resume=True, watch=watch)

    def cut(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (1, 3):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        go_on(cut)
    assert same_arrays(go_on(lambda _: None), two_labels)

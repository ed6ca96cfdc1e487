"""A model may give no answer, in the same way at every door, and its thresholds keep what they promise."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_lists, make_rows, write_csv
from test_metrics import untimed
from yeoun import Model, load
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.errors import ConfigError
from yeoun.evaluation.abstention import (
    abstains,
    coverage_curve,
    least_by_precision,
    least_probability,
    risk_coverage_area,
    score_answered,
)
from yeoun.inference import least_probabilities, predict
from yeoun.training.fit import fit

Run = Callable[..., tuple[int, str, str]]
TEXTS = ["great", "awful", "the film was really", "great awful", ""]


@pytest.fixture(scope="module")
def folder(tiny_bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("abstention") / "model"
    tiny_bundle.save(place, {}, place.with_name("staging"))
    return place


@pytest.fixture(scope="module")
def middle(folder: Path) -> float:
    """A probability that some of the texts reach and some do not."""
    return float(np.median(load(folder).predict_proba(TEXTS).max(1)))


# the figures


def calibrated_rows(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores from 0.5 to 1, each right as often as it says."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0.5, 1.0, rows)
    return scores, generator.random(rows) < scores


def test_the_wanted_precision_is_missed_on_new_rows_in_at_most_a_twentieth_of_the_draws() -> None:
    """Of scores from `least` to 1 that say how often they are right, (1 + least) / 2 are right."""
    found = [least_probability(*calibrated_rows(3000, seed), 0.9) for seed in range(300)]
    missed = [least is not None and (1 + least) / 2 < 0.9 for least in found]
    assert 0 < np.mean(missed) <= 0.05
    assert np.mean([least is None for least in found]) < 0.05


def test_more_rows_allow_more_answers() -> None:
    few, many = (least_probability(*calibrated_rows(rows, 0), 0.9) for rows in (2000, 40_000))
    assert few is not None
    assert many is not None
    assert 0.8 <= many < few


def test_nothing_is_promised_of_too_few_or_too_wrong_rows() -> None:
    assert least_probability(np.zeros(0), np.zeros(0, bool), 0.9) is None
    assert least_probability(np.full(20, 0.99), np.ones(20, bool), 0.9) is None
    assert least_probability(np.full(9999, 0.99), np.arange(9999) % 2 == 0, 0.9) is None
    assert least_probability(np.full(9999, 0.99), np.ones(9999, bool), 0.9) == 0.99


def test_labels_of_few_rows_share_a_threshold_that_holds_for_them_together() -> None:
    labels = np.repeat([0, 1, 2], [900, 40, 40])
    probabilities = np.full((980, 3), 0.1)
    probabilities[np.arange(980), labels] = 0.8
    found = least_by_precision(probabilities, labels, labels, ["common", "rare", "rarer"])
    assert found["0.9"] == {"common": 0.8, "rare": 0.8, "rarer": 0.8}
    assert found["0.99"] == {"common": 0.8, "rare": None, "rarer": None}


def test_a_row_of_several_labels_is_left_open_where_one_that_it_would_get_is_doubtful() -> None:
    probabilities = np.array([[0.9, 0.6], [0.9, 0.4], [0.3, 0.2]])
    chosen = (probabilities >= 0.5).astype(np.int64)
    assert abstains(probabilities, chosen, np.array([0.7, 0.7])).tolist() == [True, False, False]
    assert abstains(probabilities, chosen, np.array([0.95, 0.0])).tolist() == [True, True, False]


@untimed
@given(st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_accuracy_against_coverage_ends_at_the_accuracy_and_knows_no_order(
    rows: list[tuple[float, bool]],
) -> None:
    scores, right = (np.array(each) for each in zip(*rows, strict=True))
    coverage, accuracy = coverage_curve(scores, right)
    assert coverage[-1] == 1.0
    assert accuracy[-1] == pytest.approx(right.mean())
    np.testing.assert_allclose(coverage_curve(scores[::-1], right[::-1])[1], accuracy)
    for least in np.unique(scores):
        reached = scores >= least
        assert accuracy[reached.sum() - 1] == pytest.approx(right[reached].mean())


def test_the_area_under_risk_is_that_of_hand_and_falls_where_the_wrong_rows_come_last() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert risk_coverage_area(scores, np.array([True, True, True, False])) == pytest.approx(1 / 16)
    assert risk_coverage_area(scores, np.array([False, True, True, True])) == pytest.approx(
        (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    )
    assert risk_coverage_area(scores, np.ones(4, bool)) == 0.0


def test_where_no_row_is_answered_there_is_no_accuracy() -> None:
    right = np.array([True, False])
    assert score_answered(right, np.array([True, True])) == {
        "coverage": 0.0,
        "accuracy": None,
        "accuracy_ci95": None,
    }
    assert score_answered(right, np.array([False, True]))["accuracy"] == 1.0


# what a model stores


def test_a_trained_model_knows_the_least_probability_of_each_label_for_three_precisions() -> None:
    values = {"text.scheme": "words", "train.epochs": 4, "train.learning_rate": 0.02, "model.hidden_size": 8}
    bundle = fit(make_rows(3000), Configuration().with_values(values), precision="fp32")
    stored = bundle.metrics["least_probabilities"]
    assert list(stored) == ["0.9", "0.95", "0.99"]
    assert all(list(each) == ["negative", "positive"] for each in stored.values())
    least = least_probabilities(bundle, "precision=0.90")
    assert least.tolist() == pytest.approx(list(stored["0.9"].values()))
    assert (least < 1).all()


def test_a_label_without_a_least_probability_is_never_given(tiny_bundle: ModelBundle) -> None:
    stored = {"0.9": {"negative": None, "positive": 0.5}}
    bundle = replace(tiny_bundle, metrics={**tiny_bundle.metrics, "least_probabilities": stored})
    labels = [answer.label for answer in predict(bundle, make_rows(40).texts, abstain_below="precision=0.9")]
    assert {None, "positive"} == set(labels)


@pytest.mark.parametrize("wrong", ["2", "-0.1", "nan", "often", "recall=0.9", "precision=often"])
def test_what_is_no_probability_is_refused(tiny_bundle: ModelBundle, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a number from 0 to 1 or precision=0\.95"):
        least_probabilities(tiny_bundle, wrong)


def test_a_precision_that_the_model_does_not_know_is_refused_with_those_it_knows(
    tiny_bundle: ModelBundle,
) -> None:
    with pytest.raises(ConfigError, match=r"precision=0\.97: .* 0\.9, 0\.95, 0\.99"):
        least_probabilities(tiny_bundle, "precision=0.97")
    with pytest.raises(ConfigError, match="train it again"):
        least_probabilities(replace(tiny_bundle, metrics={}), "precision=0.9")


# the doors


def test_predict_prints_null_where_it_abstains(folder: Path, run_cli: Run, middle: float) -> None:
    plain = [json.loads(line) for line in run_cli("predict", folder, *TEXTS, "--json")[1].splitlines()]
    status, out, _ = run_cli("predict", folder, *TEXTS, "--abstain-below", middle, "--json")
    assert status == 0
    answers = [json.loads(line) for line in out.splitlines()]
    labels = [each["label"] if each["probability"] >= np.float32(middle) else None for each in plain]
    assert answers == [{**each, "label": label} for each, label in zip(plain, labels, strict=True)]
    assert {None} < set(labels)
    assert "no answer" in run_cli("predict", folder, *TEXTS, "--abstain-below", middle)[1]


def test_a_loaded_model_abstains_as_the_command_line(folder: Path, run_cli: Run, middle: float) -> None:
    _, out, _ = run_cli("predict", folder, *TEXTS, "--abstain-below", middle, "--json")
    labels = [json.loads(line)["label"] for line in out.splitlines()]
    assert load(folder).predict(TEXTS, abstain_below=middle) == labels
    assert None not in load(folder).predict(TEXTS)


def test_a_table_has_an_empty_label_and_the_probability_where_the_model_abstains(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    rows, out = write_csv(tmp_path / "rows.csv", make_rows(40)), tmp_path / "out.csv"
    middle = float(np.median(load(folder).predict_proba(make_rows(40).texts).max(1)))
    assert run_cli("predict", folder, "--input", rows, "--output", out, "--abstain-below", middle)[0] == 0
    with out.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    expected = load(folder).predict(make_rows(40).texts, abstain_below=middle)
    assert [row["label"] or None for row in written] == expected
    assert all((float(row["probability"]) < middle) == (not row["label"]) for row in written)
    assert "" in {row["label"] for row in written}


def test_an_interrupted_run_is_not_gone_on_with_under_another_threshold(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    from yeoun.bulk import GrowingFile
    from yeoun.cli import build_parser
    from yeoun.cli.predict import _identity

    rows, out = write_csv(tmp_path / "rows.csv", make_rows(10)), tmp_path / "out.csv"
    command = ["predict", str(folder), "--input", str(rows), "--output", str(out), "--abstain-below"]
    with GrowingFile(out, _identity(build_parser().parse_args([*command, "0.9"]), "text")) as begun:
        begun.begin(resume=False, force=False)
        begun.grow("text,label,probability\n", 0, 0)
    status, _, err = run_cli(*command, "0.8", "--resume")
    assert status == 1
    assert "of a run with another abstain below" in err
    assert run_cli(*command, "0.9", "--resume")[0] == 0


def test_a_model_of_several_labels_answers_null_where_it_abstains(tmp_path: Path, run_cli: Run) -> None:
    values = {"text.scheme": "words", "train.epochs": 3, "model.hidden_size": 8, "model.ngrams": False}
    rows = make_lists(300)
    configuration = Configuration().with_values(values).for_labels(3, True)
    model = Model(fit(rows, configuration, precision="fp32"))
    model.bundle.save(tmp_path / "model", {}, tmp_path / "staging")
    given = [max((answer.probability or [1.0]), default=1.0) for answer in predict(model.bundle, rows.texts)]
    least = float(np.median(given))
    out = tmp_path / "out.jsonl"
    (tmp_path / "in.txt").write_text("\n".join(rows.texts), encoding="utf-8")
    flags = ("--input", tmp_path / "in.txt", "--abstain-below", least)
    printed = [
        json.loads(each)
        for each in run_cli("predict", tmp_path / "model", *flags, "--json")[1].split("\n")[:-1]
    ]
    assert [answer["labels"] for answer in printed] == model.predict(rows.texts, abstain_below=least)
    assert any(answer["labels"] is None for answer in printed)
    assert any(answer["labels"] for answer in printed)
    assert run_cli("predict", tmp_path / "model", *flags, "--output", out)[0] == 0
    written = [json.loads(line)["label"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert written == [answer["labels"] for answer in printed]


def test_evaluate_says_how_many_rows_are_answered_and_how_many_of_these_are_right(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    rows = make_rows(60, seed=5)
    path, model = write_csv(tmp_path / "rows.csv", rows), load(folder)
    least = float(np.median(model.predict_proba(rows.texts).max(1)))
    figures = json.loads(run_cli("evaluate", folder, path, "--abstain-below", least, "--json")[1])
    labels = [rows.label_names[i] for i in rows.targets]
    pairs = list(zip(model.predict(rows.texts, abstain_below=least), labels, strict=True))
    answered = [answer == label for answer, label in pairs if answer is not None]
    assert figures["answered"]["coverage"] == len(answered) / 60
    assert figures["answered"]["accuracy"] == pytest.approx(np.mean(answered))
    assert "answered" not in json.loads(run_cli("evaluate", folder, path, "--json")[1])
    assert (
        f"answered          {len(answered) / 60:.4f} of the rows"
        in (run_cli("evaluate", folder, path, "--abstain-below", least)[1])
    )

"""Models of rows with several labels: saved, loaded, asked and refused."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import FLAGS, SEVERAL, VALUES, lists_of, make_lists, make_rows, write_csv
from yeoun import load
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.data.rows import Dataset
from yeoun.data.tables import read_dataset
from yeoun.errors import DataError
from yeoun.estimator import save_model
from yeoun.evaluation.metrics import choose_thresholds, measure
from yeoun.inference import decide_labels, predict_proba
from yeoun.training.fit import fit

Run = Callable[..., tuple[int, str, str]]

NAMES = list(SEVERAL)
VALUES = {**VALUES, "train.batch_size": 8, "train.learning_rate": 0.05, "model.dropout": 0.0}
LISTS = 'a list of labels a row, as in ["a", "b"]'


def write_lists(path: Path, dataset: Dataset) -> Path:
    lists = map(json.dumps, lists_of(dataset))
    pd.DataFrame({"text": dataset.texts, "label": lists}).to_csv(path, index=False)
    return path


ROWS, VALID, FRESH = make_lists(80), make_lists(40, seed=1), make_lists(40, seed=2)
TEXTS = list(FRESH.texts)


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    configuration = Configuration().with_values({**VALUES, "train.epochs": 6}).for_labels(3, multilabel=True)
    return fit(ROWS, configuration, valid=VALID, precision="fp32")


@pytest.fixture(scope="module")
def folder(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("several")
    save_model(bundle, place / "model", place / "model.saving")
    return place / "model"


@pytest.fixture
def one_label(tmp_path: Path, tiny_bundle: ModelBundle) -> Path:
    """A model of rows with one label each."""
    save_model(tiny_bundle, tmp_path / "one", tmp_path / "one.saving")
    return tmp_path / "one"


def refusal(answer: tuple[int, str, str]) -> str:
    """Return the one line of a refusal without its mark."""
    status, out, err = answer
    assert (status, out) == (1, "")
    return err.splitlines()[-1].removeprefix("yeoun: ")


# the bundle


def test_thresholds_are_the_best_on_the_validation_rows_and_their_figures_are_kept(
    bundle: ModelBundle,
) -> None:
    probabilities = predict_proba(bundle, VALID.texts)
    thresholds = choose_thresholds(probabilities, VALID.targets)
    assert bundle.thresholds == tuple(thresholds.tolist())
    figures = asdict(measure(probabilities, VALID.targets, thresholds))
    assert {name: bundle.metrics["validation"][name] for name in figures} == figures
    assert figures["subset_accuracy"] > 0.7
    assert bundle.metrics["linear_baseline"].keys() == {"subset_accuracy", "micro_f1", "macro_f1"}


def test_a_saved_model_keeps_its_thresholds_and_decides_alike(bundle: ModelBundle, folder: Path) -> None:
    expected = decide_labels(bundle, predict_proba(bundle, TEXTS))
    assert 0 < expected.mean() < 1
    for again in (ModelBundle.load(folder), pickle.loads(pickle.dumps(bundle))):
        assert again.is_multilabel
        assert again.thresholds == bundle.thresholds
        assert len(again.thresholds) == 3
        np.testing.assert_array_equal(decide_labels(again, predict_proba(again, TEXTS)), expected)
        assert again.baseline is not None
        assert bundle.baseline is not None
        np.testing.assert_array_equal(again.baseline.predict(TEXTS), bundle.baseline.predict(TEXTS))


def test_a_model_answers_with_lists_of_the_labels_that_reach_their_thresholds(folder: Path) -> None:
    model = load(folder)
    reached = model.predict_proba(TEXTS) >= np.array(model.bundle.thresholds, np.float32)
    answers = model.predict(TEXTS)
    assert answers == [[name for name, yes in zip(NAMES, row, strict=True) if yes] for row in reached]
    assert np.mean([given == truth for given, truth in zip(answers, lists_of(FRESH), strict=True)]) > 0.7


def test_the_card_of_a_model_says_that_a_text_may_have_several_labels(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "several labels a text" in card
    assert "| validation | subset accuracy | micro F1 | macro F1 |" in card


# the command line


def test_predict_prints_labels_instead_of_label_and_probability(folder: Path, run_cli: Run) -> None:
    status, out, _ = run_cli("predict", folder, *TEXTS, "--json")
    assert status == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["labels"] for answer in answers] == load(folder).predict(TEXTS)
    for answer in answers:
        assert list(answer["probabilities"]) == NAMES
        assert answer.keys() == {"labels", "probabilities"}


def test_predict_prints_each_label_in_words_or_that_there_is_none(folder: Path, run_cli: Run) -> None:
    texts = ["the film of music war", "the film of a story"]
    assert load(folder).predict(texts) == [["music", "war"], []]
    _, out, _ = run_cli("predict", folder, *texts)
    lines = out.splitlines()
    assert [line.split(" with a probability of ")[0] for line in lines[1].split(", ")] == ["  music", "war"]
    assert lines[3] == "  no label"


def test_a_table_that_predict_wrote_trains_a_model_of_several_labels(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    rows, answers = write_lists(tmp_path / "rows.csv", FRESH), tmp_path / "answers.csv"
    assert run_cli("predict", folder, "--input", rows, "--output", answers)[0] == 0
    with answers.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == ["text", "input_label", "label", "probability"]
    assert [json.loads(row["label"]) for row in written] == load(folder).predict(TEXTS)
    assert lists_of(read_dataset(answers, names=NAMES).dataset) == load(folder).predict(TEXTS)
    status, out, err = run_cli("train", answers, "--out", tmp_path / "again", *FLAGS, "--json")
    assert status == 0, err
    assert json.loads(out)["labels"] == NAMES
    assert load(tmp_path / "again").bundle.is_multilabel


def test_evaluate_scores_every_label_and_shows_those_of_some_rows(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    rows = write_lists(tmp_path / "rows.csv", FRESH)
    figures = json.loads(run_cli("evaluate", folder, rows, "--json")[1])
    model = load(folder)
    expected = asdict(measure(model.predict_proba(TEXTS), FRESH.targets, np.array(model.bundle.thresholds)))
    assert {name: figures[name] for name in expected} == expected
    assert figures["linear_baseline"].keys() == {"subset_accuracy", "micro_f1", "macro_f1"}
    status, out, err = run_cli("evaluate", folder, rows)
    assert status == 0
    assert f"subset accuracy   {figures['subset_accuracy']:.4f}" in out
    assert f"truth {', '.join(lists_of(FRESH)[0]) or 'none'}" in out
    assert f"several labels a row, {FRESH.targets.sum(1).mean():.2f} on average" in err


@pytest.mark.parametrize("names", [["music", "war"], NAMES])
def test_a_recipe_with_a_sigmoid_learns_several_labels_with_sigmoids(
    tmp_path: Path, run_cli: Run, names: list[str]
) -> None:
    columns = [NAMES.index(name) for name in names]
    chosen = Dataset(ROWS.texts, ROWS.targets[:, columns], tuple(names))
    rows = write_lists(tmp_path / "rows.csv", chosen)
    flags = ["--recipe", "imdb-lstm", *FLAGS, "--set", "train.batch_size=8"]
    status, out, err = run_cli("train", rows, "--out", tmp_path / "model", *flags, "--json")
    assert status == 0, err
    assert f"{len(names)} labels: head sigmoid becomes sigmoids" in err
    assert json.loads(out)["labels"] == names
    model = load(tmp_path / "model")
    assert model.bundle.configuration.model.head == "sigmoids"
    assert model.predict_proba(TEXTS).shape == (len(TEXTS), len(columns))


# refusals


def test_a_file_of_the_other_kind_is_not_evaluated(
    tmp_path: Path, folder: Path, one_label: Path, run_cli: Run
) -> None:
    single, several = tmp_path / "single.csv", tmp_path / "several.csv"
    pd.DataFrame({"text": TEXTS[:3], "label": NAMES}).to_csv(single, index=False)
    pd.DataFrame({"text": TEXTS[:2], "label": ['["positive"]', "[]"]}).to_csv(several, index=False)
    line = refusal(run_cli("evaluate", folder, single, "--json"))
    assert line == f"{single}: one label a row; expected {LISTS}"
    line = refusal(run_cli("evaluate", one_label, several, "--json"))
    assert line == f"{several}: {LISTS}; expected one label a row"


def test_validation_rows_of_the_other_kind_are_refused(tmp_path: Path, run_cli: Run) -> None:
    rows = write_lists(tmp_path / "rows.csv", ROWS)
    single = write_csv(tmp_path / "single.csv", make_rows(20))
    foreign, several = tmp_path / "foreign.csv", tmp_path / "several.csv"
    pd.DataFrame({"text": TEXTS[:3], "label": NAMES}).to_csv(foreign, index=False)
    pd.DataFrame({"text": TEXTS[:2], "label": ['["positive"]', "[]"]}).to_csv(several, index=False)
    out = tmp_path / "model"
    line = refusal(run_cli("train", rows, "--valid", foreign, "--out", out, *FLAGS))
    assert line == f"{foreign}: one label a row; expected {LISTS}"
    line = refusal(run_cli("train", single, "--valid", several, "--out", out, *FLAGS))
    assert line == f"{several}: {LISTS}; expected one label a row"
    assert not out.exists()


@pytest.mark.parametrize(
    ("others", "odd", "message"),
    [
        ('["a", "b"]', "a", "line 7: got one label, where the first row has a list"),
        ("a", "['a', 'b']", "line 7: got a list, where the first row has one label"),
    ],
)
def test_a_file_of_both_kinds_is_refused_by_the_line_that_differs(
    tmp_path: Path, run_cli: Run, others: str, odd: str, message: str
) -> None:
    labels = [odd if row == 5 else others for row in range(20)]
    rows = tmp_path / "rows.csv"
    pd.DataFrame({"text": ["a film"] * 20, "label": labels}).to_csv(rows, index=False)
    line = refusal(run_cli("train", rows, "--out", tmp_path / "model", *FLAGS))
    assert line.startswith(f"{rows}, {message}; 1 of 20 rows")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("cell", ["[a]", "[1, 2", "[{[]: 1}]", "[] or so", "[" * 5000])
def test_a_cell_that_only_starts_like_a_list_is_one_label(tmp_path: Path, cell: str) -> None:
    rows = tmp_path / "rows.csv"
    pd.DataFrame({"text": ["x", "y"], "label": [cell, "plain"]}).to_csv(rows, index=False)
    dataset = read_dataset(rows).dataset
    assert not dataset.is_multilabel
    assert set(dataset.label_names) == {cell, "plain"}


def test_validation_rows_of_the_other_kind_are_refused_by_fit() -> None:
    configuration = Configuration().with_values(VALUES).for_labels(2)
    with pytest.raises(DataError, match="the validation rows: a list of labels a row"):
        fit(make_rows(40), configuration, valid=VALID)

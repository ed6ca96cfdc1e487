"""Configurations compared: on one split, the linear baseline among them, cut anywhere, plain data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from conftest import VALUES, make_lists, make_rows, write_csv
from yeoun.compare import Comparison, Pair, Standing, compare, configuration_of
from yeoun.compare.weighing import labels_of, verdict_of
from yeoun.data.rows import Dataset, statistics
from yeoun.errors import ConfigError, DataError, OutputError
from yeoun.evaluation.metrics import score_answers
from yeoun.presets import resolve
from yeoun.runs import Result, pack_answers, unpack_answers
from yeoun.training.state import Progress

Run = Callable[..., tuple[int, str, str]]

TINY = "+".join(["fast", *(f"{key}={value}" for key, value in VALUES.items())])
GRU = f"{TINY}+model.encoder=gru"
WHOLE = f"{TINY}+model.ngrams=true"  # both halves
TRAIN, TEST = make_rows(120), make_rows(60, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared") / "runs"


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return compare(TRAIN, TEST, [WHOLE, GRU], folder, seeds=2, stamp={"split": "as given"})


def results_in(folder: Path) -> dict[str, Result]:
    return {
        path.name: json.loads(path.read_bytes())
        for path in folder.glob("*.json")
        if path.name != "split.json"
    }


def without_time(comparison: Comparison) -> Comparison:
    """Return what a comparison says of anything but speed, whose digits lie in the model's files as well."""
    runs = []
    for run in comparison.runs:
        history = [{**epoch, "seconds": 0} for epoch in run.get("history", [])]
        test = {**run["test"], "texts_per_second": 0}
        runs.append({**run, "seconds": 0, "bytes": 0, "history": history, "test": test})
    standings = [replace(each, seconds=0, bytes=0, texts_per_second=0) for each in comparison.configurations]
    return replace(comparison, runs=runs, configurations=standings)


def refuse_to_run(name: str, seed: int) -> Callable[[Progress], None]:
    pytest.fail(f"{name} ran again")


# what comes back


def test_a_comparison_is_plain_data(comparison: Comparison) -> None:
    assert json.loads(json.dumps(asdict(comparison))) == asdict(comparison)
    assert (comparison.rows, comparison.test_rows) == (120, 60)
    assert [each.name for each in comparison.configurations] == [WHOLE, GRU, "linear"]
    assert [each.seeds for each in comparison.configurations] == [[0, 1], [0, 1], [0]]
    assert len(comparison.runs) == 5
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [
        (WHOLE, GRU),
        (WHOLE, "linear"),
        (GRU, "linear"),
    ]


def test_the_figures_are_those_of_the_result_files(comparison: Comparison, folder: Path) -> None:
    results = results_in(folder)
    assert len(results) == 5
    for standing in comparison.configurations:
        runs = [run for run in results.values() if run["name"] == standing.name]
        runs.sort(key=lambda run: run["seed"])
        for run in runs:
            scored = score_answers(unpack_answers(run["answers"]), TEST.targets)
            assert scored == {name: run["test"][name] for name in scored}
        by_seed = [run["test"]["accuracy"] for run in runs]
        assert standing.by_seed["accuracy"] == by_seed
        assert standing.figures["accuracy"] == pytest.approx(np.mean(by_seed))
        low, high = standing.figures["accuracy_ci95"]
        assert 0 <= low <= standing.figures["accuracy"] <= high <= 1
        assert standing.bytes > 0
        assert standing.parameters > 0


def test_the_pure_recurrent_figure_stands_beside_the_whole(comparison: Comparison) -> None:
    whole, gru, linear = comparison.configurations
    assert whole.recurrent_alone is not None
    assert whole.recurrent_alone.keys() == {"accuracy", "macro_f1"}
    assert gru.recurrent_alone is None
    assert linear.recurrent_alone is None
    assert "log_loss" in gru.figures
    assert "log_loss" not in linear.figures  # it gives no probabilities


def test_a_result_file_says_what_was_run_on_what(folder: Path, comparison: Comparison) -> None:
    for result in results_in(folder).values():
        assert result["data"] == TRAIN.fingerprint()
        assert result["test_data"] == TEST.fingerprint()
        assert result["split"] == "as given"
        assert result["rows"] == 120
    (gru, _) = (run for run in comparison.runs if run["name"] == GRU)
    assert gru["configuration"]["model"]["encoder"] == "gru"
    assert "answers" not in gru


def test_the_difference_of_a_pair_is_that_of_its_configurations(comparison: Comparison) -> None:
    figures = {each.name: each.figures for each in comparison.configurations}
    for pair in comparison.pairs:
        for name in ("accuracy", "macro_f1"):
            difference = figures[pair.first][name] - figures[pair.second][name]
            assert pair.figures[name] == pytest.approx(difference)
            low, high = pair.figures[f"{name}_ci95"]
            assert low <= difference <= high
        assert len(pair.mcnemar) == 2
        assert pair.p <= pair.p_holm <= 1


def test_two_names_of_one_configuration_are_level(tmp_path: Path) -> None:
    values = resolve("fast", statistics(TRAIN)).with_values(VALUES).to_mapping()
    file = tmp_path / "tiny.toml"
    file.write_text(
        "\n".join(
            line
            for section, keys in values.items()
            for line in (f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
        )
    )
    comparison = compare(TRAIN, TEST, [TINY, str(file)], tmp_path / "out")
    pair = comparison.pairs[0]
    assert (pair.first, pair.second, pair.figures["accuracy"]) == (TINY, str(file), 0.0)
    assert pair.mcnemar == [1.0]
    assert pair.p == pair.p_holm == 1.0


def test_rows_with_several_labels_are_compared_by_their_own_figures(tmp_path: Path) -> None:
    comparison = compare(make_lists(120), make_lists(60, seed=1), [TINY], tmp_path / "out")
    tiny, linear = comparison.configurations
    assert list(tiny.by_seed) == ["subset_accuracy", "micro_f1"]
    assert {"subset_accuracy_ci95", "micro_f1_ci95", "log_loss"} <= tiny.figures.keys()
    assert comparison.pairs[0].figures.keys() == {
        "subset_accuracy",
        "subset_accuracy_ci95",
        "micro_f1",
        "micro_f1_ci95",
    }
    assert linear.figures["micro_f1"] > 0.9


# going on


def test_a_finished_run_is_not_run_again(folder: Path, comparison: Comparison) -> None:
    again = compare(TRAIN, TEST, [WHOLE, GRU], folder, seeds=2, watch=refuse_to_run)
    assert again == comparison


def test_a_comparison_can_be_given_further_configurations(folder: Path, comparison: Comparison) -> None:
    begun: list[tuple[str, int]] = []

    def watch(name: str, seed: int) -> Callable[[Progress], None]:
        begun.append((name, seed))
        return lambda progress: None

    compare(TRAIN, TEST, [GRU, f"{GRU}+train.epochs=1"], folder, watch=watch)
    assert begun == [(f"{GRU}+train.epochs=1", 0)]


def test_an_interrupted_comparison_goes_on_to_the_same_result(folder: Path, comparison: Comparison) -> None:
    def interrupt(name: str, seed: int) -> Callable[[Progress], None]:
        def watch(progress: Progress) -> None:
            if (name, seed, progress.epoch) == (GRU, 1, 2):
                raise KeyboardInterrupt

        return watch

    cut = folder.with_name("cut")
    stamp = {"split": "as given"}
    with pytest.raises(KeyboardInterrupt):
        compare(TRAIN, TEST, [WHOLE, GRU], cut, seeds=2, stamp=stamp, watch=interrupt)
    assert len(results_in(cut)) == 4
    epochs: list[int] = []
    resumed = compare(
        TRAIN,
        TEST,
        [WHOLE, GRU],
        cut,
        seeds=2,
        stamp=stamp,
        watch=lambda name, seed: lambda progress: epochs.append(progress.epoch),
    )
    assert min(epochs) >= 2
    assert without_time(resumed) == without_time(comparison)
    assert not list(cut.glob("*.training"))


# what is refused


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("slow", "unknown configuration 'slow'; expected a TOML file or one of linear, fast, balanced"),
        ("linear+model.layers=2", "the linear baseline has no values to change"),
        ("fast+model.layers", "'model.layers': expected section.key=value"),
        ("fast+model.units=2", "model.units: no such key"),
        ("", "unknown configuration ''"),
    ],
)
def test_a_name_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        compare(TRAIN, TEST, [TINY, name], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seeds = 0: expected a number from 1"):
        compare(TRAIN, TEST, [TINY], tmp_path / "out", seeds=0)


def test_a_recipe_is_a_name_too() -> None:
    found = configuration_of("imdb-lstm+train.epochs=1", TRAIN)
    assert found is not None
    assert found.train.epochs == 1
    assert configuration_of("linear", TRAIN) is None


def test_a_folder_of_another_comparison_is_refused(folder: Path, comparison: Comparison) -> None:
    before = results_in(folder)
    for train, test in ((make_rows(120, seed=2), TEST), (TRAIN, make_rows(60, seed=3))):
        with pytest.raises(OutputError, match="holds a comparison on other rows"):
            compare(train, test, [GRU], folder)
    assert results_in(folder) == before


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(OutputError, match="holds something else"):
        compare(TRAIN, TEST, ["linear"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for test in (TEST.take(np.array([], np.int64)), Dataset(TEST.texts, TEST.labels, ("no", "yes"))):
        with pytest.raises(DataError, match="expected at least one, with the labels of the training rows"):
            compare(TRAIN, test, ["linear"], tmp_path / "out")
    with pytest.raises(DataError, match="the test rows: a list of labels a row"):
        compare(TRAIN, make_lists(20), ["linear"], tmp_path / "out")


# words


def test_a_label_is_what_tells_a_name_from_the_others() -> None:
    assert labels_of(["fast", "balanced", "linear"]) == {
        "fast": "fast",
        "balanced": "balanced",
        "linear": "linear",
    }
    assert labels_of(["fast+a.b=1+c.d=2", "fast+a.b=1", "linear"]) == {
        "fast+a.b=1+c.d=2": "c.d=2",
        "fast+a.b=1": "fast",
        "linear": "linear",
    }
    assert labels_of(["fast+a.b=1", "linear"])["fast+a.b=1"] == "fast+a.b=1"


def verdict(*pairs: tuple[str, str, float, float, float, float]) -> str:
    """Return the verdict on pairs of (first, second, difference, low, high, corrected p)."""
    accuracy = {"x": 0.88, "y": 0.879, "linear": 0.868}
    standings = [
        Standing(name, name, [0], {"accuracy": value}, {"accuracy": [value]}, None, 1.0, 1, 1, 1.0)
        for name, value in accuracy.items()
    ]
    return verdict_of(
        standings,
        [
            Pair(first, second, {"accuracy": value, "accuracy_ci95": [low, high]}, [], p, p)
            for first, second, value, low, high, p in pairs
        ],
    )


def test_a_verdict_says_what_is_better_and_where_no_difference_is_shown() -> None:
    said = verdict(
        ("x", "y", 0.001, -0.003, 0.005, 0.7),
        ("linear", "x", -0.012, -0.016, -0.008, 0.001),
        ("y", "linear", 0.011, 0.007, 0.015, 0.001),
    )
    assert said == (
        "In accuracy, x is better than linear by 1.2 points (95 % interval 0.8 to 1.6)."
        " Between x and y (95 % interval -0.3 to 0.5 points) no difference is shown."
    )


def test_a_difference_is_shown_by_the_corrected_p_alone() -> None:
    said = verdict(("x", "y", 0.001, 0.0001, 0.002, 0.06), ("x", "linear", 0.012, 0.001, 0.023, 0.0501))
    assert said == (
        "Between x and y (95 % interval 0.0 to 0.2 points) and linear (95 % interval 0.1 to 2.3 points)"
        " no difference is shown."
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_answers_come_back_from_their_file(dtype: type) -> None:
    largest = min(100_000, np.iinfo(dtype).max)
    for shape in ((0,), (7,), (5, 3)):
        answers = np.random.default_rng(0).integers(largest, size=shape)
        packed = json.loads(json.dumps(pack_answers(answers)))
        assert np.array_equal(unpack_answers(packed), answers)


# the command


def test_the_command_prints_tables_and_a_verdict_and_draws_them(tmp_path: Path, run_cli: Run) -> None:
    rows, out = write_csv(tmp_path / "rows.csv", make_rows(150)), tmp_path / "out"
    command = ["compare", rows, "--recipes", f"linear,{TINY}", "--test-share", 0.4, "--out", out]
    status, printed, err = run_cli(*command)
    assert status == 0, err
    assert printed == (out / "comparison.md").read_text(encoding="utf-8")
    first, pairs, scope, said = printed.strip().split("\n\n")
    assert len(first.splitlines()) == 4
    assert len(pairs.splitlines()) == 3
    assert "of one seed each; others may differ" in scope
    assert said.startswith(("In accuracy, ", "Between "))
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    (result,) = [run for run in results_in(out).values() if run.get("name") == TINY]
    assert (result["source"], result["test_share"], result["split_seed"]) == (str(rows), 0.4, 0)
    again = run_cli(*command, "--json")
    assert again[0] == 0
    content = json.loads(again[1])
    assert content == json.loads((out / "comparison.json").read_bytes())
    assert {"rows", "test_rows", "configurations", "runs", "pairs", "scope", "verdict"} == content.keys()
    assert content["rows"] + content["test_rows"] == 150
    status, _, err = run_cli(*command, "--split-seed", 1)
    assert (status, "holds a comparison on other rows" in err) == (1, True)


def test_the_command_scores_on_the_rows_it_is_given(tmp_path: Path, run_cli: Run) -> None:
    train, test = write_csv(tmp_path / "a.csv", TRAIN), write_csv(tmp_path / "b.csv", TEST)
    status, printed, err = run_cli(
        "compare", train, "--test", test, "--recipes", "linear", "--out", tmp_path / "out", "--json"
    )
    assert status == 0, err
    content = json.loads(printed)
    assert (content["rows"], content["test_rows"], content["pairs"]) == (120, 60, [])
    assert content["verdict"] == "There is nothing to compare linear with."


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--recipes", "linear", "--seeds", "0"], "--seeds: expected at least 1"),
        (["--recipes", ","], "--recipes: expected a name"),
        (["--recipes", "linear", "--test", "b.csv", "--test-share", "0.5"], "not allowed with argument"),
        (["--recipes", "linear", "--test-share", "1"], "expected a number between 0 and 1"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, run_cli: Run, flags: list[str], words: str) -> None:
    rows = write_csv(tmp_path / "rows.csv", make_rows(40))
    status, _, err = run_cli("compare", rows, "--out", tmp_path / "out", *flags)
    assert status == 2
    assert words in err
    assert not (tmp_path / "out").exists()

"""The command line on a small file: each verb, what it prints where, what it leaves on disk, how it ends."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from conftest import BUNDLE_FILES, FLAGS, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.cli import build_parser, main
from yeoun.data.corpora import CORPORA
from yeoun.data.readers import read_rows
from yeoun.estimator import save_model
from yeoun.recipes import recipe_names
from yeoun.training.state import Progress

Run = Callable[..., tuple[int, str, str]]

TEXTS = ["the film was lovely", "", "boring boring 영화", "정말 최고 😀"]
ESCAPES = re.compile(r"[\x1b\r\x08]")
COLORS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Trained:
    """What one `train --json` with attention pooling printed and left behind."""

    out: Path
    rows: Path
    printed: str
    notes: str

    @property
    def answer(self) -> dict[str, Any]:
        return json.loads(self.printed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    rows, out = write_csv(folder / "rows.csv", make_rows(120)), folder / "models" / "first"
    printed, notes = io.StringIO(), io.StringIO()
    arguments = ["train", str(rows), "--out", str(out), *FLAGS, "--set", "model.pooling=attention", "--json"]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(notes):
        assert main(arguments) == 0, notes.getvalue()
    return Trained(out, rows, printed.getvalue(), notes.getvalue())


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: ModelBundle) -> Path:
    """A saved model without attention."""
    folder = tmp_path_factory.mktemp("plain")
    save_model(tiny_bundle, folder / "model", folder / "model.saving")
    return folder / "model"


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def json_lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def subprocess_of(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)


def interrupt_after(monkeypatch: pytest.MonkeyPatch, epoch: int, step: int) -> None:
    """Make `train` be interrupted after `step` steps of the epoch that follows `epoch` whole ones."""

    class Interrupting:
        def __call__(self, progress: Progress) -> None:
            assert progress.epochs > epoch
            if (progress.epoch, progress.step) == (epoch, step):
                raise KeyboardInterrupt

    monkeypatch.setattr("yeoun.cli.train.TrainingDisplay", Interrupting)


# train


def test_train_prints_one_json_object_with_the_promised_keys(trained: Trained) -> None:
    answer = trained.answer
    assert trained.printed.count("\n") == 1
    assert list(answer) == [
        "out",
        "rows",
        "labels",
        "parameters",
        "epochs",
        "seconds",
        "tokens_per_second",
        "precision",
        "shortened",
        "validation",
        "linear_baseline",
        "least_probabilities",
    ]
    assert {"accuracy", "macro_f1", "log_loss", "ece"} <= answer["validation"].keys()
    assert answer["linear_baseline"].keys() == {"accuracy", "macro_f1"}
    assert answer["out"] == str(trained.out)
    assert (answer["rows"], answer["epochs"]) == (120, 4)
    assert answer["labels"] == ["negative", "positive"]
    assert answer["precision"] in ("fp32", "bf16")
    assert answer["seconds"] > 0
    assert answer["tokens_per_second"] > 0
    assert answer["validation"]["accuracy"] > 0.7
    assert answer["linear_baseline"]["accuracy"] > 0.7


def test_trained_parameters_add_up_by_hand(trained: Trained) -> None:
    vocabulary = len(json.loads((trained.out / "tokenizer.json").read_bytes())["model"]["vocab"])
    lstm = 4 * 8 * (8 + 8) + 4 * 8
    attention = (16 * 8 + 8) + (8 + 1)
    head = 16 * 2 + 2
    assert trained.answer["parameters"] == vocabulary * 8 + 2 * lstm + attention + head


def test_the_model_stands_whole_and_the_training_state_is_gone(trained: Trained) -> None:
    assert files_of(trained.out) == BUNDLE_FILES
    assert [path.name for path in trained.out.parent.iterdir()] == [trained.out.name]


def test_train_says_what_it_guessed_and_a_line_an_epoch_on_standard_error(trained: Trained) -> None:
    assert "text column 'text', label column 'label'" in trained.notes
    assert [line[:9] for line in trained.notes.splitlines() if line.startswith("epoch")] == [
        f"epoch   {epoch}" for epoch in (1, 2, 3, 4)
    ]


def test_train_without_json_prints_both_models_figures(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    status, out, _ = run_cli("train", trained.rows, "--out", tmp_path / "m", *FLAGS)
    assert status == 0
    metrics = json.loads((tmp_path / "m" / "metrics.json").read_bytes())
    own, linear = metrics["validation"], metrics["linear_baseline"]
    assert f"{metrics['parameters']:,} parameters" in out
    assert re.search(rf"this model +{own['accuracy']:.4f} +{own['macro_f1']:.4f}", out)
    assert re.search(rf"linear baseline +{linear['accuracy']:.4f} +{linear['macro_f1']:.4f}", out)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run_cli("train", trained.rows, "--out", tmp_path / name, "--seed", seed, *FLAGS)[0] == 0
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_train_chooses_its_epoch_on_the_rows_given_as_valid(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    valid = write_csv(tmp_path / "valid.csv", make_rows(26, seed=5))
    status, out, _ = run_cli(
        "train", trained.rows, "--out", tmp_path / "m", "--valid", valid, *FLAGS, "--json"
    )
    assert status == 0
    assert json.loads(out)["validation"]["rows"] == 26
    assert json.loads(out)["rows"] == 120


def test_train_takes_the_columns_it_is_told(tmp_path: Path, run_cli: Run) -> None:
    rows = write_csv(tmp_path / "rows.csv", make_rows(60), text="words", label="mood")
    arguments = ["train", rows, "--out", tmp_path / "m", "--text", "words", "--label", "mood", *FLAGS]
    status, out, _ = run_cli(*arguments, "--json")
    assert status == 0
    assert json.loads(out)["labels"] == ["negative", "positive"]


def test_train_takes_a_configuration_file_and_stores_every_value_resolved(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[text]\nscheme = "characters"\n[model]\nencoder = "gru"\nhidden_size = 6\n[train]\nepochs = 1\n'
    )
    flags = ["--set", "model.hidden_size=5", "--set", "model.embedding_size=4"]
    status, _, err = run_cli("train", trained.rows, "--out", tmp_path / "m", "--config", file, *flags)
    assert status == 0, err
    config = json.loads((tmp_path / "m" / "config.json").read_bytes())
    assert config["text"]["scheme"] == "characters"
    assert (config["model"]["encoder"], config["model"]["hidden_size"]) == ("gru", 5)
    assert config["train"]["epochs"] == 1
    assert config["train"]["optimizer"] == "adamw"


def test_train_takes_a_recipe_with_changed_values(tmp_path: Path, trained: Trained, run_cli: Run) -> None:
    flags = ["--recipe", "imdb-lstm", "--set", "train.epochs=1", "--set", "text.vocabulary_size=60"]
    status, _, err = run_cli("train", trained.rows, "--out", tmp_path / "m", *flags)
    assert status == 0, err
    config = json.loads((tmp_path / "m" / "config.json").read_bytes())
    assert (config["model"]["hidden_size"], config["text"]["maximum_length"]) == (32, 500)
    assert (config["train"]["epochs"], config["text"]["vocabulary_size"]) == (1, 60)


def test_a_sigmoid_head_becomes_a_softmax_over_three_labels_and_it_is_said(
    tmp_path: Path, run_cli: Run
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"word{i % 3} and more {i},{i % 3}\n" for i in range(60)))
    flags = [*FLAGS, "--set", "model.head=sigmoid", "--set", "train.epochs=1"]
    status, out, err = run_cli("train", rows, "--out", tmp_path / "m", *flags, "--json")
    assert status == 0
    assert json.loads(out)["labels"] == ["0", "1", "2"]
    assert "head sigmoid becomes softmax" in err
    assert json.loads((tmp_path / "m" / "config.json").read_bytes())["model"]["head"] == "softmax"


def test_a_source_whose_name_is_not_utf8_can_be_trained_on(tmp_path: Path, run_cli: Run) -> None:
    rows = write_csv(tmp_path / os.fsdecode(b"caf\xe9.csv"), make_rows(60))
    status, _, err = run_cli("train", rows, "--out", tmp_path / "m", *FLAGS)
    assert status == 0, err
    assert files_of(tmp_path / "m") == BUNDLE_FILES


def test_force_replaces_the_model_and_leaves_nothing_beside_it(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    out = tmp_path / "m"
    assert run_cli("train", trained.rows, "--out", out, *FLAGS)[0] == 0
    first = (out / "model.safetensors").read_bytes()
    assert run_cli("train", trained.rows, "--out", out, "--seed", 9, "--force", *FLAGS)[0] == 0
    assert (out / "model.safetensors").read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_an_interrupted_run_exits_130_and_resumes_to_the_same_weights(
    tmp_path: Path, trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_cli("train", trained.rows, "--out", whole, *FLAGS)[0] == 0
    interrupt_after(monkeypatch, epoch=2, step=3)
    status, out, err = run_cli("train", trained.rows, "--out", cut, *FLAGS)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "yeoun: interrupted; go on with --resume"
    assert not cut.exists()
    assert (tmp_path / "cut.training").is_dir()
    monkeypatch.undo()
    assert run_cli("train", trained.rows, "--out", cut, *FLAGS, "--resume")[0] == 0
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not (tmp_path / "cut.training").exists()


def test_resume_starts_afresh_where_nothing_was_interrupted(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    assert run_cli("train", trained.rows, "--out", tmp_path / "m", *FLAGS, "--resume")[0] == 0
    assert files_of(tmp_path / "m") == BUNDLE_FILES


def test_resume_where_the_model_is_whole_removes_leftovers_and_exits_0(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    out, leftover = tmp_path / "m", tmp_path / "m.training"
    command = ("train", trained.rows, "--out", out, *FLAGS, "--json")
    assert run_cli(*command)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    leftover.mkdir()
    (leftover / "run.json").write_text("{}")
    status, printed, _ = run_cli(*command, "--resume")
    assert status == 0
    assert json.loads(printed).keys() == trained.answer.keys()
    assert not leftover.exists()
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    status, _, err = run_cli(*command, "--resume", "--seed", 5)
    assert status == 1
    assert "trained with another seed" in err


def test_an_interrupted_replacement_is_not_sent_to_a_resume_that_would_throw_it_away(
    tmp_path: Path, trained: Trained, plain_model: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    out.symlink_to(plain_model)
    interrupt_after(monkeypatch, epoch=2, step=3)
    status, _, err = run_cli("train", trained.rows, "--out", out, *FLAGS, "--force")
    assert status == 130
    monkeypatch.undo()
    if "--resume" in err:
        run_cli("train", trained.rows, "--out", out, *FLAGS, "--resume")
        origin = json.loads((out / "config.json").read_bytes())["provenance"]
        assert origin.get("source") == str(trained.rows)  # the advice led to the new model


# evaluate


def test_evaluate_prints_the_promised_keys_and_the_accuracy_of_its_own_predictions(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    dataset = make_rows(50, seed=8)
    rows = write_csv(tmp_path / "test.csv", dataset)
    status, out, _ = run_cli("evaluate", trained.out, rows, "--json")
    assert status == 0
    (answer,) = json_lines(out)
    promised = {"rows", "accuracy", "accuracy_ci95", "macro_f1", "log_loss", "ece", "texts_per_second"}
    assert promised <= answer.keys()
    assert answer["rows"] == 50
    low, high = answer["accuracy_ci95"]
    assert 0 <= low < answer["accuracy"] <= high <= 1
    assert answer["texts_per_second"] > 0
    predicted = json_lines(run_cli("predict", trained.out, "--input", rows, "--json")[1])
    truth = [dataset.label_names[target] for target in dataset.targets]
    right = sum(p["label"] == t for p, t in zip(predicted, truth, strict=True))
    assert answer["accuracy"] == right / 50


def test_evaluate_prints_the_figures_beside_the_linear_baseline(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    rows = write_csv(tmp_path / "test.csv", make_rows(50, seed=8))
    (answer,) = json_lines(run_cli("evaluate", trained.out, rows, "--json")[1])
    status, out, _ = run_cli("evaluate", trained.out, rows)
    assert status == 0
    assert re.search(rf"^accuracy +{answer['accuracy']:.4f} ", out, re.MULTILINE)
    assert re.search(
        rf"^linear baseline +accuracy {answer['linear_baseline']['accuracy']:.4f},", out, re.MULTILINE
    )


def test_evaluate_reads_one_label_only(tmp_path: Path, trained: Trained, run_cli: Run) -> None:
    rows = tmp_path / "test.csv"
    rows.write_text("text,label\nlovely film,positive\ngreat,positive\n")
    status, out, _ = run_cli("evaluate", trained.out, rows, "--json")
    assert status == 0
    assert json.loads(out)["rows"] == 2


# predict


def test_predict_prints_one_object_a_text_in_order(trained: Trained, run_cli: Run) -> None:
    status, out, err = run_cli("predict", trained.out, *TEXTS, "--json")
    answers = json_lines(out)
    assert (status, err) == (0, "")
    assert len(answers) == len(TEXTS)
    for answer in answers:
        assert list(answer) == ["label", "probability", "probabilities"]
        assert list(answer["probabilities"]) == ["negative", "positive"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)
        assert answer["probability"] == max(answer["probabilities"].values())
        assert answer["probability"] == answer["probabilities"][answer["label"]]
    backwards = json_lines(run_cli("predict", trained.out, *TEXTS[::-1], "--json")[1])
    assert [a["label"] for a in backwards[::-1]] == [a["label"] for a in answers]
    assert answers[0]["label"] == "positive"
    assert answers[2]["label"] == "negative"


def test_predict_prints_each_text_with_its_label(trained: Trained, run_cli: Run) -> None:
    (answer,) = json_lines(run_cli("predict", trained.out, "so\nlovely", "--json")[1])
    status, out, _ = run_cli("predict", trained.out, "so\nlovely")
    assert status == 0
    assert out == f"so lovely\n  {answer['label']} with a probability of {answer['probability']:.3f}\n"


@pytest.mark.parametrize("name", ["in.csv", "in.tsv"])
def test_predict_reads_a_table_as_it_reads_texts(
    tmp_path: Path, trained: Trained, run_cli: Run, name: str
) -> None:
    with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",")
        writer.writerows([["id", "review"], *([str(i), text] for i, text in enumerate(TEXTS))])
    status, out, err = run_cli("predict", trained.out, "--input", tmp_path / name, "--json")
    assert status == 0
    assert json_lines(out) == json_lines(run_cli("predict", trained.out, *TEXTS, "--json")[1])
    assert "text column 'review'" in err


def test_predict_reads_the_column_it_is_told(tmp_path: Path, trained: Trained, run_cli: Run) -> None:
    (tmp_path / "in.csv").write_text("text,other\nboring,lovely\n")
    arguments = ["predict", trained.out, "--input", tmp_path / "in.csv", "--text", "other", "--json"]
    assert json_lines(run_cli(*arguments)[1]) == json_lines(
        run_cli("predict", trained.out, "lovely", "--json")[1]
    )


def test_predict_reads_standard_input_a_text_a_line(
    trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(text + "\n" for text in TEXTS)))
    status, out, _ = run_cli("predict", trained.out, "--input", "-", "--json")
    assert status == 0
    assert json_lines(out) == json_lines(run_cli("predict", trained.out, *TEXTS, "--json")[1])


def test_predict_reads_korean_in_cp949_from_standard_input_and_says_which_line_is_no_text(
    trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"\xef\xbb\xbflovely film\n" + "정말 좋다\n".encode("cp949") + b"lovely \xff film\nboring\r\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), "utf-8"))
    status, out, err = run_cli("predict", trained.out, "--input", "-", "--json")
    assert status == 0
    first, second, third, last = json_lines(out)
    assert third == {"error": "not text in UTF-8 or CP949", "row": 3}
    expected = json_lines(run_cli("predict", trained.out, "lovely film", "정말 좋다", "boring", "--json")[1])
    assert [first, second, last] == expected
    assert "1 of 4 rows could not be read" in err


@pytest.mark.parametrize("before", [["--json"], ["--abstain-below", "0.0", "--json"]])
def test_texts_may_stand_behind_options(trained: Trained, run_cli: Run, before: list[str]) -> None:
    status, out, _ = run_cli("predict", trained.out, *before, *TEXTS)
    assert status == 0
    assert json_lines(out) == json_lines(run_cli("predict", trained.out, *TEXTS, "--json")[1])
    status, _, err = run_cli("predict", trained.out, "--jsn", *TEXTS)
    assert status == 2
    assert "unrecognized arguments: --jsn" in err


def test_the_rows_that_could_not_be_read_are_told(tmp_path: Path, trained: Trained, run_cli: Run) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("id,text\n" + "1,lovely\n" * 3 + "2,a,b\n" * 7, encoding="utf-8")
    for output in (tmp_path / "new" / "folder" / "out.csv", "-"):
        status, _, err = run_cli("predict", trained.out, "--input", rows, "--output", output)
        assert status == 0
        assert [line for line in err.splitlines() if line.startswith("row ")] == [
            f"row {number}: got 3 cells, expected 2" for number in range(4, 9)
        ]
    assert (tmp_path / "new" / "folder" / "out.csv").exists()


@pytest.mark.parametrize("given", ["abc", "-3", "1.5"])
def test_what_is_no_whole_number_is_refused_in_words(trained: Trained, run_cli: Run, given: str) -> None:
    status, _, err = run_cli("neighbours", trained.out, "film", f"--count={given}")
    assert status == 2
    assert f"{given}: expected a whole number from 0" in err


def test_predict_prints_a_text_that_is_not_utf8(trained: Trained, run_cli: Run) -> None:
    status, out, _ = run_cli("predict", trained.out, os.fsdecode(b"lovely \xff film"))
    assert status == 0
    assert "with a probability of" in out


def table_of(content: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content), delimiter=delimiter))


@pytest.mark.parametrize(("name", "delimiter"), [("out.csv", ","), ("out.tsv", "\t")])
def test_predict_output_keeps_the_columns_and_adds_label_and_probability(
    tmp_path: Path, trained: Trained, run_cli: Run, name: str, delimiter: str
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / name
    rows = [["7", "lovely, really", 'a "quoted" cell'], ["8", "two\nlines boring", ""], ["9", "", "x"]]
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text", "remark"], *rows])
    status, out, err = run_cli("predict", trained.out, "--input", source, "--output", target)
    assert (status, out) == (0, "")
    assert "3 rows written to" in err
    with target.open(newline="", encoding="utf-8") as file:
        written = table_of(file.read(), delimiter)
    assert list(written[0]) == ["id", "text", "remark", "label", "probability"]
    assert [[row[c] for c in ("id", "text", "remark")] for row in written] == rows
    answers = json_lines(run_cli("predict", trained.out, "--input", source, "--json")[1])
    assert [row["label"] for row in written] == [answer["label"] for answer in answers]
    for row, answer in zip(written, answers, strict=True):
        assert float(row["probability"]) == pytest.approx(answer["probability"], abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", name])


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.txt", "out.csv.gz", "out.tsv.gz"])
def test_a_table_that_predict_wrote_can_be_read_again(
    tmp_path: Path, trained: Trained, run_cli: Run, name: str
) -> None:
    texts = ['so "lovely", really', "a boring 영화 😀", "it's"]
    assert run_cli("predict", trained.out, *texts, "--output", tmp_path / name)[0] == 0
    rows = list(read_rows(tmp_path / name))
    assert [row.error for row in rows] == [None] * 3
    assert [row.cells["text"] for row in rows] == texts
    assert [row.cells["label"] for row in rows][:2] == ["positive", "negative"]


def test_predict_writes_the_table_to_standard_output(trained: Trained, run_cli: Run) -> None:
    status, out, _ = run_cli("predict", trained.out, "lovely", "boring", "--output", "-")
    assert status == 0
    assert [(row["text"], row["label"]) for row in table_of(out)] == [
        ("lovely", "positive"),
        ("boring", "negative"),
    ]


def test_predict_replaces_its_output_with_force(tmp_path: Path, trained: Trained, run_cli: Run) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    status, _, _ = run_cli("predict", trained.out, "lovely", "--output", target, "--force")
    assert status == 0
    assert table_of(target.read_text())[0]["text"] == "lovely"


def test_a_row_that_cannot_be_read_gives_its_error_in_its_place(
    tmp_path: Path, trained: Trained, run_cli: Run
) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,lovely\n2\n3,boring\n4,a,b\n")
    status, out, err = run_cli("predict", trained.out, "--input", tmp_path / "in.csv", "--json")
    assert status == 0
    answers = json_lines(out)
    assert [list(answer) for answer in answers[1::2]] == [["error", "row"]] * 2
    assert [answer["row"] for answer in answers[1::2]] == [2, 4]
    assert [answer["label"] for answer in answers[::2]] == ["positive", "negative"]
    assert "2 of 4 rows could not be read" in err


# explain


@pytest.mark.parametrize("text", ["The film was lovely!", "정말 최고 😀 film", "\u1112\u1161\u11ab 최고", ""])
def test_explain_prints_a_score_for_each_token_of_the_text(trained: Trained, run_cli: Run, text: str) -> None:
    status, out, _ = run_cli("explain", trained.out, text, "--method", "attention", "--json")
    assert status == 0
    (answer,) = json_lines(out)
    assert list(answer) == ["label", "probability", "method", "tokens", "gap"]
    assert (answer["method"], answer["gap"]) == ("attention", None)
    for token in answer["tokens"]:
        assert list(token) == ["text", "start", "end", "score"]
        assert token["text"] == text[token["start"] : token["end"]]
        assert token["score"] >= 0
    assert sum(t["score"] for t in answer["tokens"]) == pytest.approx(1 if text else 0, abs=1e-5)
    (predicted,) = json_lines(run_cli("predict", trained.out, text, "--json")[1])
    assert (answer["label"], answer["probability"]) == (predicted["label"], predicted["probability"])


def test_explain_prints_a_line_a_token(trained: Trained, run_cli: Run) -> None:
    status, out, _ = run_cli("explain", trained.out, "the film was lovely")
    assert status == 0
    assert re.match(r"(negative|positive) with a probability of [01]\.\d{3}\n", out)
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["the", "film", "was", "lovely"]


@pytest.mark.parametrize("text", ["the film was lovely", "costs $5 and $6_x^2", "정말 최고 영화", "😀 great"])
def test_explain_draws_any_text_without_a_warning(
    tmp_path: Path, trained: Trained, run_cli: Run, text: str
) -> None:
    status, _, _ = run_cli("explain", trained.out, text, "--picture", tmp_path / "tokens.png")
    assert status == 0
    assert (tmp_path / "tokens.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


# summary, recipes, corpora


def summary_of(printed: str) -> dict[str, int]:
    rows = [re.fullmatch(r"(\S.*?)\s{2,}(?:.*\s)?([\d,]+)", line) for line in printed.splitlines()[1:]]
    return {row[1]: int(row[2].replace(",", "")) for row in rows if row}


def values(**changed: object) -> list[str]:
    return [p for key, v in changed.items() for p in ("--set", f"{key.replace('__', '.')}={v}")]


def test_summary_counts_a_small_lstm_as_by_hand(run_cli: Run) -> None:
    flags = values(text__vocabulary_size=100, model__embedding_size=3, model__hidden_size=2)
    flags += values(model__bidirectional="false", model__pooling="last")
    status, out, _ = run_cli("summary", *flags)
    assert status == 0
    assert summary_of(out) == {
        "embedding": 100 * 3,
        "lstm 1 forward": 4 * (2 * 3 + 2 * 2 + 2),
        "pooling: last": 0,
        "before the head": 300 + 48,
        "head": 2 * 2 + 2,
        "all": 300 + 48 + 6,
    }


def test_summary_counts_both_directions_of_stacked_layers_two_biases_and_attention(run_cli: Run) -> None:
    flags = values(text__vocabulary_size=10, model__embedding_size=3, model__hidden_size=2)
    flags += values(model__layers=2, model__pooling="attention", model__initialization="torch")
    status, out, _ = run_cli("summary", *flags)
    assert status == 0
    first, second = 4 * (2 * 3 + 2 * 2 + 2 + 2), 4 * (2 * 4 + 2 * 2 + 2 + 2)
    before = 30 + 2 * first + 2 * second + (4 * 2 + 2) + (2 + 1)
    assert summary_of(out) == {
        "embedding": 30,
        "lstm 1 forward": first,
        "lstm 1 backward": first,
        "lstm 2 forward": second,
        "lstm 2 backward": second,
        "pooling: attention": 13,
        "before the head": before,
        "head": 4 * 2 + 2,
        "all": before + 10,
    }


def test_a_simple_rnn_of_32_units_over_10_000_words_has_322_080_parameters_before_the_head(
    run_cli: Run,
) -> None:
    flags = values(text__vocabulary_size=10_000, model__embedding_size=32, model__hidden_size=32)
    flags += values(model__encoder="rnn", model__bidirectional="false", model__initialization="keras")
    status, out, _ = run_cli("summary", *flags)
    assert status == 0
    assert re.search(r"^before the head +322,080$", out, re.MULTILINE)


@pytest.mark.parametrize("name", recipe_names())
def test_summary_adds_up_for_every_recipe(run_cli: Run, name: str) -> None:
    status, out, _ = run_cli("summary", "--recipe", name)
    assert status == 0
    rows = summary_of(out)
    total, before, head = rows.pop("all"), rows.pop("before the head"), rows["head"]
    assert sum(rows.values()) == total == before + head


def test_summary_of_a_recipe_takes_changed_values(run_cli: Run) -> None:
    out = run_cli("summary", "--recipe", "imdb-lstm", *values(model__encoder="rnn"))[1]
    assert summary_of(out)["before the head"] == 10_000 * 32 + 32 * 32 + 32 * 32 + 32


def test_summary_of_a_model_counts_what_was_trained(trained: Trained, run_cli: Run) -> None:
    status, out, _ = run_cli("summary", trained.out)
    assert status == 0
    assert summary_of(out)["all"] == trained.answer["parameters"]


def test_recipes_lists_every_recipe(run_cli: Run) -> None:
    status, out, _ = run_cli("recipes")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == recipe_names()


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_tells_one_with_the_command_that_runs_it(run_cli: Run, name: str) -> None:
    status, out, _ = run_cli("recipes", name)
    assert status == 0
    assert out.startswith(f"{name}: ")
    (command,) = re.findall(r"^yeoun (train .*)$", out, re.MULTILINE)
    options = build_parser().parse_args(command.split())
    assert (options.recipe, options.out) == (name, name)
    assert re.findall(r"^\[(\w+)\]$", out, re.MULTILINE) == ["text", "model", "train"]


def test_corpora_lists_each_with_its_parts_and_homes(run_cli: Run) -> None:
    status, out, _ = run_cli("corpora")
    assert status == 0
    for name, corpus in CORPORA.items():
        assert re.search(rf"^{name} +{re.escape(corpus.title)}$", out, re.MULTILINE)
        assert f"parts: {', '.join(corpus.parts)}" in out
        assert all(download.url in out for download in corpus.downloads)


# help, imports, streams, exit status


def verbs() -> Sequence[str]:
    (choices,) = [a.choices for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return list(choices or ())


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_in_the_help_works_and_helps(run_cli: Run, verb: str) -> None:
    status, out, err = run_cli(verb, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: yeoun {verb}")
    assert callable(import_module(f"yeoun.cli.{verb}").run)


def test_help_and_import_load_nothing_heavy() -> None:
    program = f"""
import contextlib, io, sys
import yeoun
from yeoun.cli import main
for arguments in [["--help"], ["--version"], *([verb, "--help"] for verb in {verbs()!r})]:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(arguments)
heavy = ("torch", "numpy", "sklearn", "scipy", "matplotlib", "tokenizers", "safetensors")
print([name for name in heavy if name in sys.modules])
for arguments in (["recipes"], ["corpora"]):
    with contextlib.redirect_stdout(io.StringIO()):
        main(arguments)
print("torch" in sys.modules)
"""
    ran = subprocess_of(sys.executable, "-c", program)
    assert ran.stderr == ""
    assert ran.stdout == "[]\nFalse\n"


def test_the_module_runs_as_a_program() -> None:
    ran = subprocess_of(sys.executable, "-m", "yeoun", "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(re.search(rf"^ +{verb}\s", ran.stdout, re.MULTILINE) for verb in verbs())


def test_a_reader_that_goes_away_ends_the_program_without_a_word() -> None:
    program = [sys.executable, "-m", "yeoun", "corpora"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    assert said == b""
    assert running.returncode == -signal.SIGPIPE


def as_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_without_a_terminal_nothing_moves_or_shines_on_standard_error(
    tmp_path: Path, trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not ESCAPES.search(trained.notes)
    status, out, err = run_cli("train", trained.rows, "--out", tmp_path / "m", *FLAGS)
    assert status == 0
    assert "epoch   4/4" in err
    assert not ESCAPES.search(out + err)


def test_no_color_is_heeded_on_a_terminal(
    tmp_path: Path, trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    status, out, err = run_cli("train", trained.rows, "--out", tmp_path / "m", *FLAGS)
    assert status == 0
    assert "epoch   4/4" in err
    assert not COLORS.search(out + err)


def test_a_terminal_sees_a_bar_and_the_best_epochs_marked(
    tmp_path: Path, trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_terminal(monkeypatch)
    monkeypatch.delenv("NO_COLOR", raising=False)
    status, out, err = run_cli("train", trained.rows, "--out", tmp_path / "m", *FLAGS, "--json")
    assert status == 0
    assert "\r" in err
    assert COLORS.search(err)
    assert not ESCAPES.search(out)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["train"],
        ["train", "rows.csv"],
        ["train", "rows.csv", "--out", "m", "--nonsense"],
        ["train", "rows.csv", "--out", "m", "--seed", "many"],
        ["train", "rows.csv", "--out", "m", "--seed", "-1"],
        ["train", "rows.csv", "--out", "m", "--resume", "--force"],
        ["train", "rows.csv", "--out", "m", "--recipe", "imdb-lstm", "--config", "own.toml"],
        ["predict"],
        ["predict", "m", "text", "--precision", "fp64"],
        ["corpora", "remove", "imdb"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(
    tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run_cli(*arguments)
    assert status == 2
    assert "usage: yeoun" in out + err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["predict", "m"], ["predict", "m", "text", "--input", "-"], ["summary"], ["corpora", "fetch"]],
    ids=" ".join,
)
def test_arguments_that_are_missing_or_exclude_each_other_are_wrong_usage_too(
    run_cli: Run, arguments: list[str]
) -> None:
    status, _, err = run_cli(*arguments)
    assert status == 2
    assert "yeoun" in err


@pytest.mark.parametrize(
    ("verb", "place"),
    [("predict", "yeoun.bulk.predict_chunks"), ("explain", "yeoun.explain.explain_answer")],
)
def test_an_interrupted_answer_exits_130_without_a_trace(
    trained: Trained, run_cli: Run, monkeypatch: pytest.MonkeyPatch, verb: str, place: str
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    status, out, err = run_cli(verb, trained.out, "lovely")
    assert (status, out) == (130, "")
    assert err.strip() == "yeoun: interrupted"

"""What is refused is refused in one line that says why, with exit status 1, and changes nothing on disk."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from conftest import BUNDLE_FILES, FLAGS, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.data.rows import labelled
from yeoun.data.splits import random_split, stratified_split
from yeoun.estimator import save_model
from yeoun.training.state import Progress

Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]

ROWS = "text,label\n" + "".join(f"word and more {i},{'ab'[i % 2]}\n" for i in range(20))

# name of the file, its content (None: no file), what the line says
BROKEN_FILES: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("rows.csv", None, "no such file"),
    "empty": ("rows.csv", b"", "empty file"),
    "header-only": ("rows.csv", b"text,label\n", "no rows"),
    "binary": ("rows.csv", b"text,label\n\x00\x01\x02\xff,a\n", "binary content"),
    "no-encoding": ("rows.csv", b"text,label\n\xff\xff\xff,a\n", "not text in UTF-8, UTF-16 or CP949"),
    "truncated-gzip": ("rows.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-20], "broken gzip"),
    "altered-gzip": ("rows.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-8] + bytes(8), "broken gzip"),
    "not-gzip": ("rows.csv.gz", ROWS.encode(), "broken gzip"),
    "unknown-suffix": ("rows.docx", ROWS.encode(), "unknown kind of file '.docx'"),
    "no-suffix": ("rows", ROWS.encode(), "unknown kind of file ''"),
    "open-quote": ("rows.csv", b'text,label\n"never closed,a\n', "line 2: .*quotes to be closed"),
    "twin-columns": ("rows.csv", b"text,text,label\na,b,c\n", "column names occur twice"),
    "unclear-columns": ("rows.csv", b"one,two,three\na,b,c\n", "cannot tell the .* column among one, two"),
}
UNTRAINABLE_FILES: dict[str, tuple[str, bytes, str]] = {
    "one-label": ("rows.csv", ROWS.replace(",b\n", ",a\n").encode(), "one label only, 'a'"),
    "no-labels": ("rows.csv", b"text,label\n" + b"some text,\n" * 20, "no label in column 'label'"),
    "short-rows": ("rows.csv", ROWS.encode() + b"alone\n" * 5, "line 22: got 1 cells, expected 2; 5 of 25"),
    "texts-alone": ("rows.txt", b"one text\nanother\n", "one column only"),
}
WRONG_SETTINGS: dict[str, tuple[list[str], str]] = {
    "preset": (["--preset", "slow"], "unknown preset 'slow'; expected one of fast, balanced, accurate"),
    "recipe": (
        ["--recipe", "imdb-transformer"],
        "unknown recipe 'imdb-transformer'; expected one of 20news-",
    ),
    "missing-config": (["--config", "nowhere.toml"], "nowhere.toml: no such file"),
    "broken-config": (["--config", "broken.toml"], "broken.toml: not TOML"),
    "config-of-bytes": (["--config", "bytes.toml"], "bytes.toml: not TOML"),
    "config-that-is-a-folder": (["--config", "."], "Is a directory|a folder"),
    "config-section": (["--config", "section.toml"], "section 'network'"),
    "config-key": (["--config", "key.toml"], "model.units: no such key; expected one of inputs, encoder"),
    "config-value": (["--config", "value.toml"], "model.layers = 'two'"),
    "config-no-table": (["--config", "table.toml"], "section 'model'"),
    "section": (["--set", "network.layers=2"], "'network.layers': expected section.key"),
    "key": (
        ["--set", "model.units=2"],
        "model.units: no such key; expected one of inputs, encoder, hidden_size",
    ),
    "no-key": (["--set", "model=2"], "'model': expected section.key"),
    "no-equals": (["--set", "model.layers"], "'model.layers': expected section.key=value"),
    "nothing-set": (["--set", ""], "expected section.key=value"),
    "empty-value": (["--set", "model.layers="], "model.layers = ''"),
    "negative-epochs": (["--set", "train.epochs=-1"], "train.epochs = -1: expected a number from 1"),
    "no-epochs": (["--set", "train.epochs=0"], "train.epochs = 0: expected a number from 1"),
    "half-an-epoch": (["--set", "train.epochs=1.5"], "train.epochs = '1.5': expected a whole number"),
    "word-for-number": (["--set", "train.epochs=many"], "train.epochs = 'many': expected a whole number"),
    "nan": (["--set", "train.learning_rate=nan"], "train.learning_rate = 'nan': expected a finite number"),
    "negative-rate": (["--set", "train.learning_rate=-1"], "train.learning_rate = -1.0: expected"),
    "neither-true-nor-false": (["--set", "model.bidirectional=maybe"], "expected true or false"),
    "encoder": (["--set", "model.encoder=transformer"], "expected one of rnn, lstm, gru"),
    "pooling": (["--set", "model.pooling=first"], "model.pooling = 'first': expected one of last"),
    "scheme": (["--set", "text.scheme=morse"], "text.scheme = 'morse': expected one of whitespace"),
    "dropout-of-all": (["--set", "model.dropout=1"], "model.dropout = 1.0: expected a number from 0 to 0.95"),
    "padding": (["--set", "text.pad_to=10"], "text.pad_to = 10: expected at least text.maximum_length"),
    "precision": (["--precision", "fp64"], "precision 'fp64': expected auto, fp32 or bf16"),
    "device": (["--device", "tpu"], "device 'tpu': not on this machine; expected one of auto, cpu"),
    "device-of-no-data": (["--device", "meta"], "device 'meta': not on this machine"),
    "missing-column": (["--text", "body"], "no column 'body'; expected one of text, label"),
    "missing-label-column": (["--label", "mood"], "no column 'mood'; expected one of text, label"),
    "missing-valid": (["--valid", "nowhere.csv"], "nowhere.csv: no such file"),
    "foreign-valid": (["--valid", "foreign.csv"], "unknown label 'neutral': expected one of negative"),
}
# refused only once the rows are known
UNFIT: dict[str, tuple[bytes | None, list[str], str]] = {
    "pattern": (None, ["--set", "text.pattern=("], r"text.pattern = '\('"),
    "counts-too-high": (None, ["--set", "text.minimum_count=9999"], "no token occurs 9999 times"),
    "endless-bpe": (
        None,
        ["--set", "text.scheme=bpe", "--set", "text.vocabulary_size=0"],
        "text.vocabulary_size = 0: expected a size",
    ),
    "empty-texts": (b"text,label\n" + b",a\n,b\n" * 20, [], "cannot hold out|no token"),
    "two-rows": (b"text,label\none,a\ntwo,b\n", [], "cannot hold out some of 2 rows"),
    "share-of-nothing": (
        None,
        ["--set", "train.validation_split=random", "--set", "train.validation_share=0.001"],
        "no validation rows",
    ),
}


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: ModelBundle) -> Path:
    """A whole model, in a place that no test may touch."""
    folder = tmp_path_factory.mktemp("refusals")
    save_model(tiny_bundle, folder / "model", folder / "model.saving")
    return folder / "model"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Good rows; the working folder is the one they lie in."""
    monkeypatch.chdir(tmp_path)
    return write_csv(tmp_path / "rows.csv", make_rows(60))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def the_line(status: int, out: str, err: str) -> str:
    """Return the one line of a refusal that printed nothing but notes before it."""
    lines = err.splitlines()
    assert status == 1, err
    assert out == ""
    assert [line.startswith("yeoun: ") for line in lines] == [False] * (len(lines) - 1) + [True]
    assert "Traceback" not in err
    return lines[-1]


@pytest.fixture
def refused(tmp_path: Path, run_cli: Run) -> Refused:
    """Run a command that is refused and return its line; nothing under `tmp_path` has changed."""

    def run(*arguments: object) -> str:
        before = snapshot(tmp_path)
        line = the_line(*run_cli(*arguments))
        assert snapshot(tmp_path) == before
        return line

    return run


# files


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, saved: Path, refused: Refused, verb: str, case: str
) -> None:
    name, content, pattern = BROKEN_FILES[case]
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    arguments = {
        "train": ["train", file, "--out", tmp_path / "m", *FLAGS],
        "evaluate": ["evaluate", saved, file],
        "predict": ["predict", saved, "--input", file, "--output", tmp_path / "answers.csv"],
    }
    line = refused(*arguments[verb])
    assert re.search(pattern, line)
    assert str(file) in line


@pytest.mark.parametrize("case", UNTRAINABLE_FILES)
def test_rows_without_labels_to_learn_are_refused(tmp_path: Path, refused: Refused, case: str) -> None:
    name, content, pattern = UNTRAINABLE_FILES[case]
    (tmp_path / name).write_bytes(content)
    assert re.search(pattern, refused("train", tmp_path / name, "--out", tmp_path / "m", *FLAGS))


def test_a_folder_of_no_corpus_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "rows").mkdir()
    assert re.search("rows", refused("train", tmp_path / "rows", "--out", tmp_path / "m", *FLAGS))


@pytest.mark.parametrize("source", ["imdb", "nsmc:test", "20news:article-train"])
def test_a_corpus_that_is_not_in_the_folder_named_is_refused(
    tmp_path: Path, refused: Refused, source: str
) -> None:
    line = refused("train", source, "--data-dir", tmp_path, "--out", tmp_path / "m", *FLAGS)
    assert re.search("expected the official files of", line)


def test_a_data_folder_that_is_not_there_is_refused(tmp_path: Path, refused: Refused) -> None:
    line = refused("train", "imdb", "--data-dir", tmp_path / "nowhere", "--out", tmp_path / "m")
    assert re.search("nowhere: no such folder", line)


@pytest.mark.parametrize("arguments", [["train", "imdb:first"], ["corpora", "fetch", "reuters"]])
def test_an_unknown_corpus_or_part_is_refused(tmp_path: Path, refused: Refused, arguments: list[str]) -> None:
    more = ["--out", tmp_path / "m"] if arguments[0] == "train" else []
    assert re.search("imdb", refused(*arguments, *more, "--data-dir", tmp_path))


# settings


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_refused(tmp_path: Path, rows: Path, refused: Refused, case: str) -> None:
    (tmp_path / "broken.toml").write_text("[model\n")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "section.toml").write_text("[network]\nlayers = 2\n")
    (tmp_path / "key.toml").write_text("[model]\nunits = 2\n")
    (tmp_path / "value.toml").write_text('[model]\nlayers = "two"\n')
    (tmp_path / "table.toml").write_text("model = 3\n")
    (tmp_path / "foreign.csv").write_text("text,label\nso so,neutral\n")
    flags, pattern = WRONG_SETTINGS[case]
    assert re.search(pattern, refused("train", rows, "--out", "m", *flags))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused(rows: Path, refused: Refused) -> None:
    assert re.search("device 'cuda': not on this", refused("train", rows, "--out", "m", "--device", "cuda"))


@pytest.mark.parametrize("case", UNFIT)
def test_settings_that_do_not_fit_the_rows_are_refused_and_leave_nothing(
    tmp_path: Path, rows: Path, refused: Refused, case: str
) -> None:
    content, flags, pattern = UNFIT[case]
    if content is not None:
        rows.write_bytes(content)
    assert re.search(pattern, refused("train", rows, "--out", "m", *FLAGS, *flags))


@pytest.mark.parametrize("split", ["random", "stratified"])
def test_a_split_that_would_leave_a_label_untrained_trains_or_is_refused(
    tmp_path: Path, rows: Path, run_cli: Run, split: str
) -> None:
    share, texts = 0.5, [f"row {i} word" for i in range(20)]
    labels = ["a"] * 20 + ["b"]
    texts.append("rare" if split == "random" else texts[0])  # the label b, alone or on an equal text
    dataset = labelled(texts, labels)

    def kept(seed: int) -> list[int]:
        rows = random_split(21, share, seed) if split == "random" else stratified_split(dataset, share, seed)
        return rows[0].tolist()

    seed = next((seed for seed in range(50) if 20 not in kept(seed)), 0)
    write_csv(rows, dataset)
    flags = [*FLAGS, "--set", f"train.validation_split={split}", "--set", f"train.validation_share={share}"]
    status, out, err = run_cli("train", rows, "--out", "m", "--seed", seed, *flags)
    if status == 0:
        assert (tmp_path / "m").is_dir()
    else:
        assert "label" in the_line(status, out, err)
        assert list(snapshot(tmp_path)) == ["rows.csv"]


@pytest.mark.parametrize("verb", ["explain", "summary", "recipes"])
def test_unknown_names_are_refused_by_the_other_verbs(saved: Path, refused: Refused, verb: str) -> None:
    arguments = {
        "explain": ["explain", saved, "text", "--method", "tea-leaves"],
        "summary": ["summary", "--recipe", "nonsense"],
        "recipes": ["recipes", "nonsense"],
    }
    assert re.search("unknown (method|recipe) '", refused(*arguments[verb]))


def test_attention_of_a_model_without_it_is_refused_with_the_reason(saved: Path, refused: Refused) -> None:
    line = refused("explain", saved, "lovely film", "--method", "attention", "--json")
    assert re.search("pools by mean-max, which has no attention weights; expected a model trained with", line)


def test_a_missing_text_column_is_refused_by_predict(saved: Path, rows: Path, refused: Refused) -> None:
    assert re.search("no column 'body'", refused("predict", saved, "--input", rows, "--text", "body"))


def test_an_unknown_label_is_refused_in_evaluation(tmp_path: Path, saved: Path, refused: Refused) -> None:
    (tmp_path / "rows.csv").write_text("text,label\nlovely,positive\nso so,neutral\n")
    line = refused("evaluate", saved, tmp_path / "rows.csv", "--json")
    assert re.search("unknown label 'neutral': expected one of negative, positive", line)


# models


@pytest.fixture
def model(tmp_path: Path, saved: Path) -> Path:
    """A copy of the whole model, to be damaged."""
    return shutil.copytree(saved, tmp_path / "model")


def test_the_files_that_are_damaged_below_are_all_there_are(model: Path) -> None:
    assert sorted(p.relative_to(model).as_posix() for p in model.rglob("*") if p.is_file()) == BUNDLE_FILES


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_model_with_a_missing_file_is_refused(model: Path, refused: Refused, name: str) -> None:
    (model / name).unlink()
    line = refused("predict", model, "lovely")
    assert name in line
    assert re.search("missing|no model there", line)


@pytest.mark.parametrize("name", BUNDLE_FILES)
@pytest.mark.parametrize("kept", ["nothing", "half", "all-but-one-byte", "one-byte-more"])
def test_a_model_with_a_truncated_or_longer_file_is_refused(
    model: Path, refused: Refused, name: str, kept: str
) -> None:
    content = (model / name).read_bytes()
    lengths = {"nothing": 0, "half": len(content) // 2, "all-but-one-byte": len(content) - 1}
    (model / name).write_bytes(content[: lengths[kept]] if kept in lengths else content + b"\n")
    line = refused("predict", model, "lovely")
    assert name in line
    assert re.search("altered or truncated", line)


@pytest.mark.parametrize("name", BUNDLE_FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_model_with_one_flipped_byte_is_refused(
    model: Path, refused: Refused, name: str, place: float
) -> None:
    content = bytearray((model / name).read_bytes())
    content[round(place * (len(content) - 1))] ^= 0xFF
    (model / name).write_bytes(content)
    line = refused("predict", model, "lovely")
    assert name in line
    assert re.search("altered or truncated", line)


def test_a_model_of_a_newer_format_is_refused(model: Path, refused: Refused) -> None:
    config = model / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"format": 4', '"format": 99'))
    assert json.loads(config.read_bytes())["format"] == 99
    line = refused("predict", model, "lovely")
    assert re.search("format 99, this release reads up to 4; install", line)


@pytest.mark.parametrize("there", ["nothing", "an-empty-folder", "a-file"])
@pytest.mark.parametrize("verb", ["evaluate", "predict", "explain", "summary"])
def test_a_place_without_a_model_is_refused(
    tmp_path: Path, rows: Path, refused: Refused, verb: str, there: str
) -> None:
    place = tmp_path / "place"
    if there == "an-empty-folder":
        place.mkdir()
    elif there == "a-file":
        place.write_text("")
    more = {"evaluate": [rows], "predict": ["text"], "explain": ["text"], "summary": []}
    assert re.search("place: no model there", refused(verb, place, *more[verb]))


# outputs


@pytest.mark.parametrize("there", ["a-model", "a-folder", "a-file"])
@pytest.mark.parametrize("verb", ["train", "quickstart"])
def test_an_output_that_exists_is_refused(
    tmp_path: Path, saved: Path, rows: Path, refused: Refused, there: str, verb: str
) -> None:
    if there == "a-model":
        shutil.copytree(saved, tmp_path / "m")
    elif there == "a-folder":
        (tmp_path / "m").mkdir()
    else:
        (tmp_path / "m").write_text("mine")
    arguments = {"train": ["train", rows, *FLAGS], "quickstart": ["quickstart"]}[verb]
    line = refused(*arguments, "--out", tmp_path / "m")
    assert re.search("m: exists already; .* --force", line)


@pytest.mark.parametrize("verb", ["train", "quickstart"])
@pytest.mark.parametrize("out", [".", "", "/"])
def test_an_output_that_can_have_no_name_beside_it_is_refused(
    rows: Path, refused: Refused, verb: str, out: str
) -> None:
    arguments = {"train": ["train", rows, *FLAGS], "quickstart": ["quickstart"]}[verb]
    assert re.search("exists already", refused(*arguments, "--out", out))


@pytest.mark.parametrize("verb", ["train", "quickstart"])
@pytest.mark.parametrize("below", ["file/m", "file/deeper/m"])
def test_an_output_below_a_file_is_refused(
    tmp_path: Path, rows: Path, refused: Refused, verb: str, below: str
) -> None:
    (tmp_path / "file").write_text("mine")
    arguments = {"train": ["train", rows, *FLAGS], "quickstart": ["quickstart"]}[verb]
    assert re.search("file is not a folder", refused(*arguments, "--out", tmp_path / below))


@pytest.mark.parametrize("there", ["a-file", "a-folder"])
def test_a_table_that_exists_is_refused(
    tmp_path: Path, saved: Path, rows: Path, refused: Refused, there: str
) -> None:
    target = tmp_path / "answers.csv"
    target.write_text("mine") if there == "a-file" else target.mkdir()
    line = refused("predict", saved, "--input", rows, "--output", target)
    assert re.search("answers.csv: exists already; .* --force", line)


def test_a_folder_is_not_replaced_by_a_table(
    tmp_path: Path, saved: Path, rows: Path, refused: Refused
) -> None:
    (tmp_path / "answers.csv").mkdir()
    line = refused("predict", saved, "--input", rows, "--output", tmp_path / "answers.csv", "--force")
    assert "answers.csv" in line


def test_a_table_below_a_file_is_refused(tmp_path: Path, saved: Path, rows: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("mine")
    line = refused("predict", saved, "--input", rows, "--output", tmp_path / "file" / "answers.csv")
    assert str(tmp_path / "file") in line


def test_a_picture_that_exists_is_refused(tmp_path: Path, saved: Path, refused: Refused) -> None:
    (tmp_path / "tokens.png").write_text("mine")
    line = refused("explain", saved, "lovely", "--picture", tmp_path / "tokens.png")
    assert re.search("tokens.png: exists already", line)


# interrupted runs


@pytest.fixture
def interrupted(tmp_path: Path, rows: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rows of a run to `m` that was interrupted in its third epoch; its state lies in m.training."""

    def watch() -> Callable[[Progress], None]:
        def interrupt(progress: Progress) -> None:
            if (progress.epoch, progress.step) == (2, 1):
                raise KeyboardInterrupt

        return interrupt

    with monkeypatch.context() as patch:
        patch.setattr("yeoun.cli.train.TrainingDisplay", watch)
        assert run_cli("train", rows, "--out", "m", *FLAGS)[0] == 130
    assert not (tmp_path / "m").exists()
    assert sorted(snapshot(tmp_path / "m.training")) == ["run.json", "state.safetensors", "tokenizer.json"]
    return rows


OTHER_RUNS: dict[str, tuple[list[str], str]] = {
    "seed": (["--seed", "1"], "seed .0, now 1"),
    "setting": (["--set", "model.hidden_size=9"], "hidden_size .8, now 9"),
    "epochs": (["--set", "train.epochs=9"], "epochs .4, now 9"),
    "validation": (["--valid", "other.csv"], "validation .None, now"),
    "validation-share": (["--set", "train.validation_share=0.2"], "validation_share .0.1, now 0.2"),
}


@pytest.mark.parametrize("case", OTHER_RUNS)
def test_resuming_with_other_settings_is_refused(
    tmp_path: Path, interrupted: Path, refused: Refused, case: str
) -> None:
    write_csv(tmp_path / "other.csv", make_rows(20, seed=4))
    flags, pattern = OTHER_RUNS[case]
    line = refused("train", interrupted, "--out", "m", *FLAGS, *flags, "--resume")
    assert re.search("m.training: its run has another " + pattern, line)
    assert "--force" in line


def test_resuming_with_other_precision_is_refused(interrupted: Path, refused: Refused) -> None:
    record = json.loads(Path("m.training/run.json").read_bytes())
    other = {"fp32": "bf16", "bf16": "fp32"}[record["precision"]]
    line = refused("train", interrupted, "--out", "m", *FLAGS, "--precision", other, "--resume")
    assert re.search("its run has another precision", line)


def test_resuming_with_other_data_is_refused(interrupted: Path, refused: Refused) -> None:
    lines = interrupted.read_text(encoding="utf-8").splitlines(keepends=True)
    interrupted.write_text("".join([lines[0], *lines[2:], lines[1]]), encoding="utf-8")
    line = refused("train", interrupted, "--out", "m", *FLAGS, "--resume")
    assert re.search("its run has another data", line)


def test_a_run_left_behind_is_neither_resumed_nor_replaced_unasked(
    interrupted: Path, refused: Refused
) -> None:
    line = refused("train", interrupted, "--out", "m", *FLAGS)
    assert re.search("m.training: left by an interrupted run; go on with --resume or .* --force", line)


@pytest.mark.parametrize("name", ["run.json", "state.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_resuming_a_damaged_state_is_refused(
    interrupted: Path, refused: Refused, name: str, content: bytes
) -> None:
    Path("m.training", name).write_bytes(content)
    line = refused("train", interrupted, "--out", "m", *FLAGS, "--resume")
    assert "m.training" in line
    assert "--force" in line


@pytest.mark.parametrize("case", ["device", "precision", "pattern", "missing-column"])
def test_a_refused_fresh_start_leaves_the_interrupted_run(
    interrupted: Path, refused: Refused, case: str
) -> None:
    flags = UNFIT[case][1] if case in UNFIT else WRONG_SETTINGS[case][0]
    refused("train", interrupted, "--out", "m", *FLAGS, *flags, "--force")


def test_resume_beside_something_that_is_no_model_leaves_the_interrupted_run(
    tmp_path: Path, interrupted: Path, refused: Refused
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes.txt").write_text("mine")
    refused("train", interrupted, "--out", "m", *FLAGS, "--resume")


# disks


def fill_disk_at(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Let the disk be full when a file with `part` in its path is brought onto it."""
    opened: dict[int, str] = {}
    open_path, fsync = Path.open, os.fsync

    def remember(path: Path, *arguments: object, **named: object) -> object:
        file = open_path(path, *arguments, **named)  # type: ignore[arg-type]
        opened[file.fileno()] = path.as_posix()
        return file

    def fail(descriptor: int) -> None:
        if part in opened[descriptor]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(Path, "open", remember)
    monkeypatch.setattr(os, "fsync", fail)


def make_read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let `folder` lie on a disk that is mounted read-only."""
    open_path, mkdir = Path.open, Path.mkdir

    def refuse(path: Path) -> None:
        if folder in path.absolute().parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def read_only_open(path: Path, mode: str = "r", *arguments: object, **named: object) -> object:
        if not set("wax+").isdisjoint(mode):
            refuse(path)
        return open_path(path, mode, *arguments, **named)  # type: ignore[arg-type, misc]

    def read_only_mkdir(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if not path.exists():
            refuse(path)
        mkdir(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "open", read_only_open)
    monkeypatch.setattr(Path, "mkdir", read_only_mkdir)


STAGES = [
    "m.training/run.json",
    "m.training/tokenizer.json",
    "m.training/state.safetensors",
    "bundle/model.safetensors",
    "bundle/plots/history.png",
    "bundle/config.json",
]


@pytest.mark.parametrize("stage", STAGES)
def test_training_onto_a_full_disk_ends_in_one_line_and_without_a_model(
    tmp_path: Path, rows: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    with monkeypatch.context() as patch:
        fill_disk_at(patch, stage)
        line = the_line(*run_cli("train", rows, "--out", "m", *FLAGS))
    assert line.startswith("yeoun: m")
    assert "No space left on device" in line
    assert not (tmp_path / "m").exists()
    assert not [name for name in snapshot(tmp_path) if name.endswith(".partial") or "bundle" in name]
    assert run_cli("train", rows, "--out", "m", *FLAGS, "--resume")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "rows.csv"]


@pytest.mark.parametrize("stage", STAGES)
def test_replacing_a_model_on_a_full_disk_leaves_the_old_one(
    tmp_path: Path, saved: Path, rows: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    shutil.copytree(saved, tmp_path / "m")
    before = snapshot(tmp_path / "m")
    fill_disk_at(monkeypatch, stage)
    the_line(*run_cli("train", rows, "--out", "m", *FLAGS, "--force"))
    assert snapshot(tmp_path / "m") == before


def test_a_table_for_a_full_disk_leaves_no_part_of_it(
    saved: Path, rows: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk_at(monkeypatch, "answers.csv")
    line = refused("predict", saved, "--input", rows, "--output", "answers.csv")
    assert re.search("answers.csv.*No space left on device", line)


def test_a_table_for_a_full_disk_leaves_the_one_it_was_to_replace(
    tmp_path: Path, saved: Path, rows: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answers.csv").write_text("old")
    fill_disk_at(monkeypatch, "answers.csv")
    refused("predict", saved, "--input", rows, "--output", "answers.csv", "--force")


@pytest.mark.parametrize("verb", ["train", "predict", "explain"])
def test_a_read_only_folder_is_refused(
    tmp_path: Path,
    attending: Path,
    rows: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    (tmp_path / "fixed").mkdir()
    make_read_only(monkeypatch, tmp_path / "fixed")
    arguments = {
        "train": ["train", rows, "--out", "fixed/m", *FLAGS],
        "predict": ["predict", attending, "lovely", "--output", "fixed/answers.csv"],
        "explain": ["explain", attending, "lovely", "--picture", "fixed/tokens.png"],
    }
    assert re.search("fixed/.*Read-only file system", refused(*arguments[verb]))


@pytest.fixture(scope="session")
def attending(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: ModelBundle) -> Path:
    """A saved model with attention."""
    from yeoun.training.fit import fit

    folder = tmp_path_factory.mktemp("attending")
    configuration = tiny_bundle.configuration.with_values({"model.pooling": "attention", "train.epochs": 1})
    save_model(fit(make_rows(40), configuration), folder / "model", folder / "model.saving")
    return folder / "model"

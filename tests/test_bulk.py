"""Files are labelled chunk by chunk, in constant memory; a run cut anywhere ends with the same bytes."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import make_rows
from yeoun import bulk, inference
from yeoun.bundle import ModelBundle
from yeoun.data.readers import Row
from yeoun.errors import OutputError, ResumeError

Run = Callable[..., tuple[int, str, str]]
ROWS = 95


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 10)


@pytest.fixture
def model(tmp_path: Path, tiny_bundle: ModelBundle) -> Path:
    tiny_bundle.save(tmp_path / "model", {}, tmp_path / "staging")
    return tmp_path / "model"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": text, "number": i}) for i, text in enumerate(make_rows(ROWS).texts)]
    lines[33] = "not JSON"
    lines[40] = json.dumps({"text": "a return\rand, a comma", "late": "column"})
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def interrupt_after(monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    """Let the answering of a later chunk be interrupted."""
    answer, done = inference._answer_indexed, []

    def interrupted(*given: object) -> object:
        done.append(None)
        if len(done) > chunks:
            raise KeyboardInterrupt
        return answer(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(inference, "_answer_indexed", interrupted)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.txt", "out.jsonl", "out.csv.gz"])
@pytest.mark.parametrize("chunks", [0, 1, 6])
def test_an_interrupted_run_goes_on_to_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, model: Path, table: Path, run_cli: Run, name: str, chunks: int
) -> None:
    command = ("predict", model, "--input", table, "--output")
    assert run_cli(*command, tmp_path / f"whole-{name}")[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, chunks)
        status, _, err = run_cli(*command, tmp_path / name)
    assert status == 130
    assert not (tmp_path / name).exists()
    if chunks:
        assert "go on with --resume" in err
        status, _, err = run_cli(*command, tmp_path / name)
        assert status == 1
        assert "go on with --resume or start afresh with --force" in err
    status, _, err = run_cli(*command, tmp_path / name, "--resume")
    assert status == 0, err
    assert ("are there already" in err) == (chunks > 0)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert not list(tmp_path.glob("*.partial")) + list(tmp_path.glob("*.progress"))
    status, _, err = run_cli(*command, tmp_path / name, "--resume")
    assert status == 1
    assert "exists already, and no interrupted run is left to go on with" in err


def test_a_run_killed_while_it_writes_goes_on_to_the_same_bytes(
    tmp_path: Path, model: Path, table: Path, run_cli: Run
) -> None:
    assert run_cli("predict", model, "--input", table, "--output", tmp_path / "whole.csv")[0] == 0
    script = (
        "import sys, time; from yeoun import bulk; bulk.CHUNK = 10; grow = bulk.GrowingFile.grow\n"
        "def slow(*given): grow(*given); time.sleep(0.05)\n"
        "bulk.GrowingFile.grow = slow\n"
        "from yeoun.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["predict", model, "--input", table, "--output", tmp_path / "out.csv", "--resume"]
    command = [sys.executable, "-c", script, *map(str, arguments)]
    progress = tmp_path / "out.csv.progress"
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not progress.exists() and run.poll() is None:
        time.sleep(0.002)
    time.sleep(random.Random(os.getpid()).uniform(0.0, 0.3))
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (tmp_path / "out.csv").exists()
    assert run_cli(*arguments)[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_force_starts_an_interrupted_run_afresh(
    tmp_path: Path, model: Path, table: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", model, "--input", table, "--output", tmp_path / "out.csv")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        run_cli(*command)
    status, _, err = run_cli(*command, "--force")
    assert status == 0
    assert "are there already" not in err
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == ROWS + 1 + 1


@pytest.mark.parametrize("change", ["input", "column", "model", "progress", "partial"])
def test_a_run_about_something_else_is_not_gone_on_with(
    tmp_path: Path, model: Path, table: Path, run_cli: Run, change: str
) -> None:
    output = tmp_path / "out.csv"
    command = ["predict", model, "--input", table, "--output", output]
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 3)
        run_cli(*command)
    if change == "input":
        table.write_text(table.read_text(encoding="utf-8") + "\n{}", encoding="utf-8")
    elif change == "column":
        command += ["--text", "number"]
    elif change == "model":
        config = json.loads((model / "config.json").read_bytes())
        bundle = ModelBundle.load(model)
        object.__setattr__(bundle, "provenance", {**config["provenance"], "source": "another"})
        bundle.save(model, {}, tmp_path / "staging", replace=True)
    elif change == "progress":
        (tmp_path / "out.csv.progress").write_text("{")
    else:
        (tmp_path / "out.csv.partial").write_bytes(b"less")
    status, _, err = run_cli(*command, "--resume")
    assert status == 1
    assert "start afresh with --force" in err
    assert not output.exists()


def test_a_broken_input_leaves_nothing_behind(tmp_path: Path, model: Path, run_cli: Run) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text\n" + "a lovely film\n" * 50 + '"never closed\n', encoding="utf-8")
    before = sorted(path.name for path in tmp_path.iterdir())
    status, _, err = run_cli("predict", model, "--input", rows, "--output", tmp_path / "out.csv")
    assert status == 1
    assert "rows.csv, line 52" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_rows_keep_their_order_and_place_over_chunks(tiny_bundle: ModelBundle) -> None:
    rows = [Row(i, i, {"text": text}) for i, text in enumerate(make_rows(35).texts)]
    rows[12] = Row(12, 12, {}, "broken")
    rows[20] = Row(20, 20, {"other": "x"})
    chunks = list(bulk.label_rows(tiny_bundle, iter(rows), "text"))
    assert [len(chunk) for chunk in chunks] == [10, 10, 10, 5]
    labelled = [pair for chunk in chunks for pair in chunk]
    assert [row.number for row, _ in labelled] == list(range(35))
    assert [i for i, (_, answer) in enumerate(labelled) if answer is None] == [12, 20]
    assert labelled[20][0].error == "no column 'text'"


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, model: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = []
    for rows in (200, 2_000):
        path = tmp_path / f"{rows}.csv"
        path.write_text("text\n" + "the film was a long and lovely story\n" * rows, encoding="utf-8")
        tracemalloc.start()
        assert run_cli("predict", model, "--input", path, "--output", tmp_path / f"out-{rows}.csv")[0] == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000


def test_gzip_members_read_as_one_file(tmp_path: Path, model: Path, table: Path, run_cli: Run) -> None:
    command = ("predict", model, "--input", table, "--output")
    assert run_cli(*command, tmp_path / "out.csv")[0] == 0
    assert run_cli(*command, tmp_path / "out.csv.gz")[0] == 0
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == (tmp_path / "out.csv").read_bytes()


def test_a_labelled_table_can_be_labelled_again_and_again(tmp_path: Path, model: Path, run_cli: Run) -> None:
    rows = tmp_path / "0.csv"
    rows.write_text("text,label\nlovely film,positive\nboring,negative\n", encoding="utf-8")
    for turn in range(3):
        output = tmp_path / f"{turn + 1}.csv"
        assert run_cli("predict", model, "--input", tmp_path / f"{turn}.csv", "--output", output)[0] == 0
    names = output.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert len(set(names)) == len(names) == 2 + 3 * 2
    assert names[-2:] == ["label", "probability"]


def test_json_lines_keep_what_they_hold_and_add_numbers(tmp_path: Path, model: Path, run_cli: Run) -> None:
    objects = [{"text": "lovely", "label": 0}, {"text": "boring", "more": [1, None, {"a": 0.5}]}]
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text("".join(json.dumps(each) + "\n" for each in objects) + "broken\n", encoding="utf-8")
    assert run_cli("predict", model, "--input", rows, "--output", out)[0] == 0
    first, second, third = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert list(first) == ["text", "input_label", "label", "probability"]
    assert first["input_label"] == 0
    assert first["label"] in ("negative", "positive")
    assert 0.5 <= first["probability"] <= 1
    assert {name: second[name] for name in objects[1]} == objects[1]
    assert list(second) == ["text", "more", "label", "probability"]
    assert third == {"label": None, "probability": None}


def test_resume_is_for_files_alone(model: Path, run_cli: Run) -> None:
    status, _, err = run_cli("predict", model, "a text", "--resume")
    assert status == 2
    assert "expected --input FILE and the --output FILE of an interrupted run" in err


def test_a_growing_file_refuses_a_folder_and_a_damaged_state(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        bulk.GrowingFile(tmp_path / "folder", {}).begin(resume=False, force=True)
    (tmp_path / "out.csv.partial").write_bytes(b"")
    (tmp_path / "out.csv.progress").write_text("[]")
    with bulk.GrowingFile(tmp_path / "out.csv", {}) as growing, pytest.raises(ResumeError, match="damaged"):
        growing.begin(resume=True, force=False)


def test_two_processes_do_not_write_one_output(
    tmp_path: Path, model: Path, table: Path, run_cli: Run
) -> None:
    out = tmp_path / "out.csv"
    with bulk.GrowingFile(out, {}) as growing:
        growing.begin(resume=False, force=False)
        growing.grow("a row\n", 1, 0)
        for flag in ("--resume", "--force"):
            status, _, err = run_cli("predict", model, "--input", table, "--output", out, flag)
            assert status == 1
            assert "another process is writing it" in err
        growing.grow("another\n", 1, 0)
        growing.finish()
    assert out.read_text(encoding="utf-8") == "a row\nanother\n"


def test_a_run_that_was_to_replace_a_file_goes_on_as_it_is_told_to(
    tmp_path: Path, model: Path, table: Path, run_cli: Run
) -> None:
    out = tmp_path / "out.csv"
    command = ("predict", model, "--input", table, "--output")
    assert run_cli(*command, tmp_path / "whole.csv")[0] == 0
    out.write_text("of before", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2)
        status, _, err = run_cli(*command, out, "--force")
    assert status == 130
    assert "go on with --resume" in err
    assert out.read_text(encoding="utf-8") == "of before"
    assert run_cli(*command, out, "--resume")[0] == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    status, _, err = run_cli(*command, out, "--resume")
    assert status == 1
    assert "exists already" in err


@pytest.mark.parametrize("refused", [("--abstain-below", "precision=0.5"), ("--runtime", "onnx")])
def test_what_is_refused_leaves_no_interrupted_run(
    tmp_path: Path, model: Path, table: Path, run_cli: Run, refused: tuple[str, str]
) -> None:
    command = ("predict", model, "--input", table, "--output", tmp_path / "out.csv")
    assert run_cli(*command, *refused)[0] == 1
    assert not list(tmp_path.glob("out.csv*"))
    assert run_cli(*command)[0] == 0


def test_chunks_end_by_characters_too_and_a_run_cut_there_goes_on(
    tmp_path: Path, model: Path, table: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", model, "--input", table, "--output")
    monkeypatch.setattr(bulk, "CHARACTERS", 40)
    assert run_cli(*command, tmp_path / "whole.csv")[0] == 0
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        run_cli(*command, tmp_path / "out.csv")
    done = json.loads((tmp_path / "out.csv.progress").read_bytes())["rows"]
    assert 0 < done < 10
    assert run_cli(*command, tmp_path / "out.csv", "--resume")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()

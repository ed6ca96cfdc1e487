"""A run that was cut anywhere and resumed ends with exactly the weights of the uninterrupted run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

import yeoun.training.fit as fitting
import yeoun.training.loop as loop
from conftest import TINY, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.errors import OutputError, ResumeError
from yeoun.training.fit import fit
from yeoun.training.state import Progress, TrainingFolder, steps_between_saves

ROWS = make_rows(120)
STEPS = 4 * 7  # epochs x steps of an epoch


@pytest.fixture(autouse=True)
def _rows_are_read_in_shards() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


class CutError(Exception):
    """Raised in the middle of a run."""


def configuration(**changed: object) -> Configuration:
    values = {**TINY, "model.word_dropout": 0.2, "model.embedding_dropout": 0.2}
    return Configuration().with_values({**values, **{k.replace("__", "."): v for k, v in changed.items()}})


def train(folder: TrainingFolder | None, cut_after: int, config: Configuration, resume: bool) -> ModelBundle:
    seen = 0

    def watch(progress: Progress) -> None:
        nonlocal seen
        seen += progress.step > 0
        if seen == cut_after:
            raise CutError

    texts = make_rows(60, seed=1).texts if config.train.pretrain_epochs else ()
    with folder or nullcontext():
        return fit(ROWS, config, seed=7, folder=folder, resume=resume, watch=watch, unlabelled=texts)


def same_weights(a: ModelBundle, b: ModelBundle) -> bool:
    return a.weights.keys() == b.weights.keys() and all(
        np.array_equal(a.weights[name], b.weights[name]) for name in a.weights
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"train__adversarial": 0.25},
        {"train__consistency": 1.0},
        {"train__average": 0.9, "train__schedule": "plateau"},
        {"train__pretrain_epochs": 3, "train__beside_ngrams": True, "model__ngrams": True},
    ],
    ids=["plain", "shifted", "read-twice", "averaged", "pretrained-beside-ngrams"],
)
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "keras-rmsprop"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_cut_again_and_again_ends_as_if_it_had_not_been(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    precision: str,
    changed: dict[str, object],
) -> None:
    monkeypatch.setattr(loop, "steps_between_saves", lambda *_: 2)
    monkeypatch.setattr("yeoun.training.pretraining.PIECES", range(32, 33))  # so that a pass is several steps
    monkeypatch.setattr(fitting, "resolve_precision", lambda *_: precision)
    config = configuration(train__optimizer=optimizer, **changed)
    whole = train(None, 0, config, resume=False)
    folder = TrainingFolder.of(tmp_path / "model")
    for cut_after in (1, 5, 3, 8, 2, 9):
        with pytest.raises(CutError):
            train(folder, cut_after, config, resume=True)
    resumed = train(folder, 0, config, resume=True)
    assert same_weights(whole, resumed)
    assert [{**r, "seconds": 0} for r in whole.history] == [{**r, "seconds": 0} for r in resumed.history]


def test_the_same_seed_twice_gives_the_same_weights_and_another_seed_others() -> None:
    first, second = (train(None, 0, configuration(), resume=False) for _ in range(2))
    assert same_weights(first, second)
    assert first.files()["model.safetensors"] == second.files()["model.safetensors"]
    assert not same_weights(first, fit(ROWS, configuration(), seed=8))


def test_training_leaves_the_caller_s_random_numbers_alone() -> None:
    import torch

    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    train(None, 0, configuration(train__epochs=1), resume=False)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"train__learning_rate": 0.01}, "learning_rate"), ({"text__lowercase": False}, "lowercase")],
)
def test_resume_refuses_other_settings_and_names_them(
    tmp_path: Path, changed: dict[str, object], named: str
) -> None:
    folder = TrainingFolder.of(tmp_path / "model")
    with pytest.raises(CutError):
        train(folder, 2, configuration(), resume=False)
    with pytest.raises(ResumeError, match=named):
        train(folder, 0, configuration(**changed), resume=True)


def test_resume_refuses_other_rows(tmp_path: Path) -> None:
    folder = TrainingFolder.of(tmp_path / "model")
    with pytest.raises(CutError):
        train(folder, 2, configuration(), resume=False)
    with pytest.raises(ResumeError, match="data"), folder:
        fit(make_rows(121), configuration(), seed=7, folder=folder, resume=True)


def test_a_left_over_state_is_neither_used_nor_removed_unasked(tmp_path: Path) -> None:
    folder = TrainingFolder.of(tmp_path / "model")
    with pytest.raises(CutError):
        train(folder, 9, configuration(), resume=False)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(OutputError, match="--resume"):
        train(folder, 0, configuration(), resume=False)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of this kind")
@pytest.mark.parametrize("asked", [{}, {"resume": True}, {"force": True}])
def test_where_a_run_is_going_on_no_second_one_begins(tmp_path: Path, asked: dict[str, bool]) -> None:
    def begin_another(progress: Progress) -> None:
        before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
        with pytest.raises(OutputError, match="a run is going on there"):
            fit(ROWS, configuration(), seed=7, folder=TrainingFolder(folder.path), **asked)
        with pytest.raises(OutputError, match="a run is going on there"):
            TrainingFolder(folder.path).remove()
        assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
        raise CutError

    with TrainingFolder.of(tmp_path / "model") as folder, pytest.raises(CutError):
        fit(ROWS, configuration(), seed=7, folder=folder, watch=begin_another)
    with folder:
        fit(ROWS, configuration(), seed=7, folder=folder, force=True)
        second = TrainingFolder(folder.path)
        with pytest.raises(OutputError, match="a run is going on there"):
            second.remove()
    second.remove()
    assert not folder.path.exists()


def test_saves_come_at_least_every_minute_of_assumed_work_and_know_no_clock() -> None:
    assert steps_between_saves(10**6, 10**7, 10_000) == 19
    assert steps_between_saves(10**9, 10**9, 10**6) == 1
    assert steps_between_saves(10**3, 10**4, 20) < 60_000  # a small network's step takes a millisecond


def test_on_a_gpu_a_large_network_saves_no_more_often_than_once_a_minute_of_its_work() -> None:
    weights, tokens = 38 * 10**6, 128 * 500  # three layers of BiLSTM(768)
    assert steps_between_saves(weights, weights, tokens) == 1
    assert 60 <= steps_between_saves(weights, weights, tokens, "cuda") <= 240
    assert steps_between_saves(10**3, 10**4, 20, "cuda") <= 3000  # its kernels are started one by one


def test_a_killed_process_resumes_to_the_same_file(tmp_path: Path, tiny_flags: list[str]) -> None:
    source = write_csv(tmp_path / "rows.csv", make_rows(400))
    flags = [*tiny_flags, "--set", "train.epochs=30"]

    def start(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "yeoun", "train", str(source), "--out", str(out), "--resume", *flags]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait() == 0
    cut, draw = tmp_path / "cut", random.Random(20)
    state = tmp_path / "cut.training" / "state.safetensors"
    for _ in range(2):
        process, saved = start(cut), state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == saved):
            time.sleep(0.01)
        time.sleep(draw.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not cut.exists()
    assert start(cut).wait() == 0
    assert not os.path.exists(tmp_path / "cut.training")
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()

"""Shared fixtures: a few rows that can be learned, and a model trained on them once a session."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from yeoun import process
from yeoun.bundle import ModelBundle
from yeoun.cli import main
from yeoun.config import Configuration
from yeoun.data.rows import Dataset, labelled, labelled_with_several
from yeoun.training.fit import fit

torch.set_num_threads(1)  # tests run side by side
process.tune_process = lambda: None  # commands run in this process, whose numbers are not theirs to change

GOOD = ["great", "lovely", "wonderful", "재밌다", "최고"]
BAD = ["awful", "boring", "terrible", "지루하다", "최악"]
FILLER = ["the", "film", "was", "really", "영화", "정말", "and", "long", "story", "연기"]
SEVERAL = ("laughter", "music", "war")

TINY = {
    "text.vocabulary_size": 200,
    "text.minimum_count": 1,
    "text.maximum_length": 30,
    "model.hidden_size": 8,
    "model.embedding_size": 8,
    "model.dropout": 0.1,
    "model.ngrams": False,
    "train.epochs": 4,
    "train.batch_size": 16,
    "train.learning_rate": 0.02,
    "train.calibrate": False,
}


# TINY at the command line, cut into words.
VALUES = {**TINY, "text.scheme": "words"}
FLAGS = [part for key, value in VALUES.items() for part in ("--set", f"{key}={value}")]

# What a saved model's folder holds.
BUNDLE_FILES = [
    "README.md",
    "baseline.safetensors",
    "config.json",
    "history.jsonl",
    "metrics.json",
    "model.safetensors",
    "plots/history.png",
    "tokenizer.json",
]


def make_rows(count: int, seed: int = 0) -> Dataset:
    """Return `count` texts of 3 to 12 words with one word that decides the label."""
    generator = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(count):
        words = list(generator.choice(FILLER, generator.integers(2, 11)))
        words.insert(int(generator.integers(len(words) + 1)), str(generator.choice((BAD, GOOD)[i % 2])))
        texts.append(" ".join(words))
        labels.append(("negative", "positive")[i % 2])
    return labelled(texts, labels)


def make_lists(count: int, seed: int = 0) -> Dataset:
    """Return `count` texts that name each of their labels, none to three, among other words."""
    generator = np.random.default_rng(seed)
    texts, lists = [], []
    for _ in range(count):
        labels = [name for name in SEVERAL if generator.random() < 0.5]
        words = [*generator.choice(["the", "film", "of", "a", "story"], 4).tolist(), *labels]
        texts.append(" ".join(words[i] for i in generator.permutation(len(words))))
        lists.append(labels)
    return labelled_with_several(texts, lists, SEVERAL)


def lists_of(dataset: Dataset) -> list[list[str]]:
    """Return the names of the labels of each row, of which each may have several."""
    return [[dataset.label_names[i] for i in np.flatnonzero(row)] for row in dataset.targets]


def write_csv(path: Path, dataset: Dataset, text: str = "text", label: str = "label") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([text, label])
        for row, target in zip(dataset.texts, dataset.targets, strict=True):
            writer.writerow([row, dataset.label_names[target]])
    return path


@pytest.fixture(scope="session")
def tiny_configuration() -> Configuration:
    return Configuration().with_values(TINY)


@pytest.fixture(scope="session")
def tiny_bundle(tiny_configuration: Configuration) -> ModelBundle:
    """A model that was really trained, in a second or two."""
    return fit(make_rows(200), tiny_configuration, precision="fp32")


@pytest.fixture(scope="session")
def both_halves() -> ModelBundle:
    """A model with n-grams and attention, trained on a few rows."""
    values = {**TINY, "text.scheme": "words", "model.ngrams": True, "model.pooling": "attention"}
    return fit(make_rows(200), Configuration().with_values(values), precision="fp32")


@pytest.fixture
def tiny_flags() -> list[str]:
    return [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process and return (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run

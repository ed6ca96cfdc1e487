"""Word vectors leave one model as a text file and start the embedding of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import TINY, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.errors import DataError
from yeoun.estimator import save_model
from yeoun.nn.classifier import TextClassifier
from yeoun.text.vectors import read_vectors, vectors_text
from yeoun.training.half import start_from_vectors
from yeoun.training.objective import balanced_weights, objective

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(tmp_path: Path, tiny_bundle: ModelBundle) -> Path:
    save_model(tiny_bundle, tmp_path / "model", tmp_path / "saving")
    return tmp_path / "model"


def test_exported_vectors_start_another_model(tmp_path: Path, model: Path, run_cli: Cli) -> None:
    source, output = write_csv(tmp_path / "rows.csv", make_rows(80)), tmp_path / "vectors.txt"
    assert run_cli("embeddings", model, "--output", output)[0] == 0
    flags = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    command = ("train", source, "--out", tmp_path / "second", *flags, "--set", f"model.vectors={output}")
    command += ("--set", "text.scheme=words")
    status, out, _ = run_cli(*command)
    assert status == 0
    assert "of the vocabulary started from the given vectors" in out
    assert ModelBundle.load(tmp_path / "second").metrics["vector_coverage"] > 0.8


def test_a_started_embedding_holds_the_file_s_numbers(tmp_path: Path, tiny_bundle: ModelBundle) -> None:
    words, vectors = tiny_bundle.word_vectors()
    path = tmp_path / "vectors.txt"
    path.write_text(vectors_text(words, vectors), encoding="utf-8")
    config = tiny_bundle.configuration.model
    network = TextClassifier(config, tiny_bundle.indexer.vocabulary_size, 2)
    before = network.embedding.weight.detach().clone()
    assert start_from_vectors(network, tiny_bundle.indexer, path) == len(words) / (len(words) + 2)
    np.testing.assert_allclose(network.embedding.weight[2:].detach().numpy(), vectors, rtol=1e-5)
    assert torch.equal(network.embedding.weight[:2], before[:2])


@pytest.mark.parametrize("header", ["", "3 2\n"])
def test_files_with_and_without_a_header_are_read(tmp_path: Path, header: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(f"{header}film 1 2\n영화 3 4\nfilm 5 6\n", encoding="utf-8")
    vectors, found = read_vectors(path, ["영화", "unseen", "film"], 2)
    assert vectors.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert found.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("film 1 2 3\n", "model.embedding_size=3"),
        ("film a b\n", "line 1"),
        ("", "no such file or empty"),
        ("film nan 1\n", "line 1: a number that is infinite"),
        ("film 1 1e39\n", "infinite"),
    ],
)
def test_unfit_files_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        read_vectors(path, ["film"], 2)


def test_neighbours_come_by_falling_cosine_without_the_word_itself(model: Path, run_cli: Cli) -> None:
    status, out, _ = run_cli("neighbours", model, "great", "--count", 5)
    cosines = [float(line.split()[0]) for line in out.splitlines()]
    assert status == 0
    assert len(cosines) == 5
    assert cosines == sorted(cosines, reverse=True)
    assert "great" not in [line.split()[1] for line in out.splitlines()]


def test_an_unknown_word_has_no_neighbours(model: Path, run_cli: Cli) -> None:
    status, _, err = run_cli("neighbours", model, "qqqq")
    assert status == 1
    assert "not in the model's vocabulary" in err


@pytest.mark.parametrize("outputs", [1, 2])
def test_balanced_weights_make_each_class_count_alike(outputs: int) -> None:
    labels = torch.tensor([0] * 9 + [1])
    weights = balanced_weights(labels, 2)
    torch.testing.assert_close(weights, torch.tensor([10 / 18] * 9 + [10 / 2]))
    logits = torch.randn(10, outputs)
    each = torch.stack([objective(logits[i : i + 1], labels[i : i + 1], 0.0) for i in range(10)])
    expected = (each[:9].mean() + each[9]) / 2
    torch.testing.assert_close(objective(logits, labels, 0.0, weights), expected)

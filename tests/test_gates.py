"""The gate trace is what the network computed, token by token."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import TINY, make_rows
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.data.batches import collate
from yeoun.errors import ConfigError
from yeoun.explain import explain
from yeoun.nn.cells import CELLS, GATES
from yeoun.nn.classifier import TextClassifier
from yeoun.plots import confusion_picture, gates_picture, history_picture
from yeoun.text.indexer import TextIndexer

TEXT = "the film was lovely and 영화 최고"
PADDED = {"none": {}, "back": {"text.pad_to": 40}, "front": {"text.pad_to": 40, "text.pad_side": "front"}}


def build(values: dict[str, Any]) -> ModelBundle:
    """An untrained model: gates are computed alike."""
    configuration = Configuration().with_values({**TINY, "text.scheme": "words", **values})
    rows = make_rows(60)
    indexer = TextIndexer.fit(rows.texts, configuration.text)
    torch.manual_seed(0)
    network = TextClassifier(configuration.model, indexer.vocabulary_size, 2)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return ModelBundle(configuration, rows.label_names, indexer, weights)


@pytest.mark.parametrize(
    ("encoder", "bidirectional", "layers", "padding"),
    list(itertools.product(CELLS, (False, True), (1, 2), PADDED)),
)
def test_the_trace_ends_in_the_networks_own_outputs(
    encoder: str, bidirectional: bool, layers: int, padding: str
) -> None:
    values = {"model.encoder": encoder, "model.bidirectional": bidirectional, "model.layers": layers}
    bundle = build({**values, **PADDED[padding]})
    explanation = explain(bundle, TEXT, "gates")
    text, network = bundle.configuration.text, bundle.network
    store = bundle.index([TEXT])
    batch = collate(store, np.array([0]), None, text.pad_to, text.pad_side)
    lengths = torch.from_numpy(batch.lengths)
    with torch.inference_mode():
        embedded = network.embed(torch.from_numpy(batch.token_ids), lengths)
        outputs = network.encode(embedded, lengths).joined()[:, 0]
    tokens = len(explanation.tokens)
    first = 40 - tokens if padding == "front" else 0
    last = [trace.hidden for trace in explanation.layers if trace.layer == layers]
    np.testing.assert_allclose(np.hstack(last), outputs.numpy()[first : first + tokens], atol=1e-6)
    assert len(explanation.layers) == layers * (1 + bidirectional)
    assert [token.text for token in explanation.tokens] == TEXT.split()


@pytest.mark.parametrize("encoder", CELLS)
def test_every_gate_is_between_shut_and_open_and_of_one_number_a_unit(encoder: str) -> None:
    (trace, _) = explain(build({"model.encoder": encoder}), TEXT, "gates").layers
    assert len(trace.gates) == (GATES[encoder] if encoder != "rnn" else 0)
    assert all(array.shape == (7, 8) for array in trace.arrays().values())
    for name, gate in trace.gates.items():
        lowest = -1 if name in ("cell", "new") else 0
        assert lowest <= gate.min() < gate.max() <= 1
    assert (trace.cell is not None) == (encoder == "lstm")


def test_a_token_scores_how_far_it_moved_the_state() -> None:
    explanation = explain(build({"model.bidirectional": False}), TEXT, "gates")
    hidden = explanation.layers[0].hidden
    steps = np.linalg.norm(np.diff(hidden, axis=0, prepend=0), axis=1)
    np.testing.assert_allclose([token.score for token in explanation.tokens], steps, atol=1e-6)


def test_an_empty_text_has_no_tokens_and_no_gates() -> None:
    explanation = explain(build({}), "", "gates")
    assert explanation.tokens == ()
    assert all(trace.hidden.shape == (0, 8) for trace in explanation.layers)
    assert gates_picture(explanation).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "values",
    [
        {"model.encoder": "convolution"},
        {"text.scheme": "counts", "model.bidirectional": False, "model.pooling": "last"},
    ],
)
def test_a_network_without_recurrence_has_no_gates(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="which has no gates over time"):
        explain(build(values), TEXT, "gates")


def test_the_command_line_prints_the_arrays_and_draws_them(
    tmp_path: Path, tiny_bundle: ModelBundle, run_cli: Callable[..., tuple[int, str, str]]
) -> None:
    tiny_bundle.save(tmp_path / "m", {}, tmp_path / "staging")
    svg = tmp_path / "gates.svg"
    command = ("explain", tmp_path / "m", TEXT, "--method", "gates")
    status, out, err = run_cli(*command, "--json", "--picture", svg)
    assert status == 0, err
    answer = json.loads(out)
    assert np.array(answer["gates"]["forward forget gate"]).shape == (7, 8)
    assert {name.split()[0] for name in answer["gates"]} == {"forward", "backward"}
    status, _, err = run_cli(*command, "--layer", 2)
    assert status == 1
    assert "layer 2: expected one of 1" in err
    assert "<svg" in svg.read_text(encoding="utf-8")[:500]
    assert run_cli(*command, "--picture", svg)[0] == 1
    status, _, err = run_cli(*command, "--picture", tmp_path / "gates.gif")
    assert status == 2
    assert "expected a name ending in .png or .svg" in err
    assert not (tmp_path / "gates.gif").exists()


def test_evaluate_draws_the_confusion_matrix(
    tmp_path: Path, tiny_bundle: ModelBundle, run_cli: Callable[..., tuple[int, str, str]]
) -> None:
    tiny_bundle.save(tmp_path / "m", {}, tmp_path / "staging")
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\nlovely film,positive\nboring,negative\n", encoding="utf-8")
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        picture = tmp_path / f"confusion.{kind}"
        status, _, err = run_cli("evaluate", tmp_path / "m", rows, "--picture", picture)
        assert status == 0, err
        assert picture.read_bytes().startswith(start)


def test_pictures_are_the_same_each_time() -> None:
    labels, predicted = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    epochs = [
        {"epoch": n, "loss": 1 / n, "accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.6}
        for n in (1, 2)
    ]
    for kind in ("png", "svg"):
        drawn = confusion_picture(labels, predicted, ["가", "b", "$c"], kind)
        assert drawn == confusion_picture(labels, predicted, ["가", "b", "$c"], kind)
        assert history_picture(epochs, 1, kind) == history_picture(epochs, 1, kind)

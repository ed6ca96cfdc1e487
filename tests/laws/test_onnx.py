"""An exported graph answers as the network does: every encoder, direction, depth, pooling and head, under any
padding, also for texts without a token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from yeoun.bundle import ModelBundle
from yeoun.config import ENCODERS, Configuration
from yeoun.data.batches import collate
from yeoun.data.tokens import TokenStore
from yeoun.export import export_onnx
from yeoun.inference import onnx_forward, torch_forward
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.pooling import POOLINGS
from yeoun.text.indexer import TextIndexer

WORDS = [f"w{i}" for i in range(40)]
LENGTHS = [7, 1, 0, 23, 12, 2]
CASES = [
    {"model.encoder": encoder, "model.bidirectional": ways, "model.layers": layers, "model.pooling": pooling}
    for encoder, ways, layers, pooling in itertools.product(ENCODERS, (False, True), (1, 2), POOLINGS)
]
CASES += [
    {
        "text.scheme": "counts",
        "model.encoder": encoder,
        "model.bidirectional": False,
        "model.pooling": "last",
    }
    for encoder in ("rnn", "lstm", "gru")
]
CASES += [{"model.head": "sigmoid"}, {"model.head": "sigmoids"}, {"model.initialization": "keras"}]


def build(values: dict[str, object]) -> ModelBundle:
    configuration = Configuration().with_values(
        {
            "text.scheme": "whitespace",
            "text.minimum_count": 1,
            "model.hidden_size": 8,
            "model.embedding_size": 6,
            "model.initialization": "torch",
            **values,
        }
    )
    indexer = TextIndexer.fit(WORDS, configuration.text)
    names = ("a", "b") if configuration.model.head == "sigmoid" else ("a", "b", "c")
    torch.manual_seed(0)
    network = TextClassifier(configuration.model, indexer.vocabulary_size, len(names))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return ModelBundle(configuration, names, indexer, weights)


@pytest.mark.parametrize("values", CASES[::7], ids=lambda values: "-".join(map(str, values.values())))
def test_neighbours_change_no_answer_of_a_graph_of_8_bit_weights(values: dict[str, object]) -> None:
    bundle = build(values)
    whole, forward = export_onnx(bundle), onnx_forward(graph := export_onnx(bundle, weights="int8"))
    generator = np.random.default_rng(0)
    token_ids = generator.integers(1, bundle.indexer.vocabulary_size, sum(LENGTHS)).astype(np.int32)
    store = TokenStore(token_ids, np.concatenate([[0], np.cumsum(LENGTHS)]))
    everything = np.arange(len(LENGTHS))
    together = forward(collate(store, everything))
    for row in everything:
        alone = forward(collate(store, everything[row : row + 1]))
        np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-5)
    expected = torch_forward(bundle.network)(collate(store, everything))
    np.testing.assert_allclose(together, expected, atol=0.05)
    assert not np.array_equal(together, expected)
    assert len(graph) != len(whole)


@pytest.mark.parametrize("values", CASES, ids=lambda values: "-".join(map(str, values.values())))
def test_the_graph_gives_the_networks_logits_under_any_padding(values: dict[str, object]) -> None:
    bundle = build(values)
    generator = np.random.default_rng(0)
    token_ids = generator.integers(1, bundle.indexer.vocabulary_size, sum(LENGTHS)).astype(np.int32)
    store = TokenStore(token_ids, np.concatenate([[0], np.cumsum(LENGTHS)]))
    forward, reference = onnx_forward(export_onnx(bundle)), torch_forward(bundle.network)
    everything = np.arange(len(LENGTHS))
    expected = reference(collate(store, everything))
    np.testing.assert_allclose(forward(collate(store, everything)), expected, atol=1e-5)
    for row in everything:
        np.testing.assert_allclose(
            forward(collate(store, everything[row : row + 1])), expected[row : row + 1], atol=1e-5
        )
    wider = collate(store, everything)
    junk = np.full((len(LENGTHS), 9), 5, np.int64)
    padded = type(wider)(**{**vars(wider), "token_ids": np.concatenate([wider.token_ids, junk], 1)})
    np.testing.assert_allclose(forward(padded), expected, atol=1e-5)

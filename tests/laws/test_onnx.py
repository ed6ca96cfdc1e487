"""An exported graph answers as the network does: every encoder, direction, depth, pooling and head, under any
padding, with n-grams and without, also for texts without a token or a known n-gram."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
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
from yeoun.text.ngrams import Features, NgramIndexer

WORDS = [f"w{i}" for i in range(40)]
LENGTHS = [7, 1, 0, 23, 12, 2, 0]
FEATURES = [3, 1, 0, 0, 11, 2, 4]  # n-grams of each row
KNOWN = NgramIndexer(2, 0, np.arange(30, dtype=np.int32), np.ones(30, np.float32))
CASES = [
    {"model.encoder": encoder, "model.bidirectional": ways, "model.layers": layers, "model.pooling": pooling}
    for encoder, ways, layers, pooling in itertools.product(ENCODERS, (False, True), (1, 2), POOLINGS)
]
COUNTS = [
    {
        "text.scheme": "counts",
        "model.encoder": encoder,
        "model.bidirectional": False,
        "model.pooling": "last",
    }
    for encoder in ("rnn", "lstm", "gru")
]
CASES += COUNTS
CASES += [{"model.head": "sigmoid"}, {"model.head": "sigmoids"}, {"model.initialization": "keras"}]
HEADS = [("softmax", 2), ("softmax", 3), ("softmax", 7), ("sigmoid", 2), ("sigmoids", 2), ("sigmoids", 3)]
WITH_NGRAMS = [{"model.ngrams": True, "model.head": head, "labels": labels} for head, labels in HEADS]
WITH_NGRAMS.append({**COUNTS[0], "model.ngrams": True})


def name_of(values: dict[str, object]) -> str:
    return "-".join(map(str, values.values()))


def build(values: dict[str, object]) -> ModelBundle:
    values = dict(values)
    labels = int(str(values.pop("labels", 2 if values.get("model.head") == "sigmoid" else 3)))
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
    ngrams = KNOWN if configuration.model.ngrams else None
    torch.manual_seed(0)
    network = TextClassifier(configuration.model, indexer.vocabulary_size, labels, ngrams and len(ngrams))
    if network.ngrams is not None:
        torch.nn.init.normal_(network.ngrams.weight)
        torch.nn.init.normal_(network.ngrams.bias)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return ModelBundle(configuration, tuple("abcdefg"[:labels]), indexer, weights, ngrams)


def draw(bundle: ModelBundle) -> TokenStore:
    """Rows of any tokens and n-grams, which a network without n-grams leaves aside."""
    generator = np.random.default_rng(0)
    token_ids = generator.integers(1, bundle.indexer.vocabulary_size, sum(LENGTHS)).astype(np.int32)
    features = Features(
        generator.integers(0, len(KNOWN), sum(FEATURES)).astype(np.int32),
        generator.random(sum(FEATURES), np.float32),
        np.cumsum([0, *FEATURES]),
    )
    return TokenStore(token_ids, np.cumsum([0, *LENGTHS]), features)


@pytest.mark.parametrize("values", [*CASES[::7], *WITH_NGRAMS], ids=name_of)
def test_neighbours_change_no_answer_of_a_graph_of_8_bit_weights(values: dict[str, object]) -> None:
    bundle = build(values)
    whole, forward = export_onnx(bundle), onnx_forward(graph := export_onnx(bundle, weights="int8"))
    store = draw(bundle)
    everything = np.arange(len(LENGTHS))
    together = forward(collate(store, everything))
    for row in everything:
        alone = forward(collate(store, everything[row : row + 1]))
        np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-5)
    expected = torch_forward(bundle.network)(collate(store, everything))
    np.testing.assert_allclose(together, expected, atol=0.05)
    assert not np.array_equal(together, expected)
    assert len(graph) != len(whole)


@pytest.mark.parametrize("values", [*CASES, *WITH_NGRAMS], ids=name_of)
def test_the_graph_gives_the_networks_logits_under_any_padding(values: dict[str, object]) -> None:
    bundle = build(values)
    store = draw(bundle)
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
    shuffled = np.random.default_rng(1).permutation(len(LENGTHS))
    np.testing.assert_allclose(forward(collate(store, shuffled)), expected[shuffled], atol=1e-5)


def test_of_a_network_without_ngrams_the_graph_asks_for_none() -> None:
    for ngrams in (False, True):
        graph = onnx.load_from_string(export_onnx(build({"model.ngrams": ngrams})))
        names = [each.name for each in graph.graph.input]
        assert names[:2] == ["token_ids", "lengths"]
        assert names[2:] == ["feature_ids", "feature_values", "feature_offsets"] * ngrams

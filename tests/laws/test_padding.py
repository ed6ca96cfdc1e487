"""The first law: padding and neighbours can never change an answer, for every cell, direction, depth,
pooling and precision. A new entry of a dict is tested the moment it exists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from yeoun.config import ENCODERS, ModelConfig
from yeoun.data.batches import Batch, collate
from yeoun.data.tokens import TokenStore
from yeoun.inference import torch_forward
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.pooling import POOLINGS, Attention
from yeoun.text.ngrams import Features

VOCABULARY = 50
LENGTHS = [7, 1, 0, 23, 12, 2]
FEATURES, KNOWN = [3, 0, 0, 9, 1, 4], 30  # n-grams of each row, and different ones in all
CASES = list(itertools.product(ENCODERS, (False, True), (1, 3), POOLINGS, ("fp32", "bf16")))
HEADS = {"softmax": 3, "softmax of two": 2, "sigmoid": 2, "sigmoids": 3, "sigmoids of two": 2}


def build(encoder: str, bidirectional: bool, layers: int, pooling: str, precision: str) -> TextClassifier:
    torch.manual_seed(3)
    config = ModelConfig(
        encoder=encoder,
        hidden_size=16,
        layers=layers,
        bidirectional=bidirectional,
        embedding_size=12,
        pooling=pooling,
        initialization="torch",
    )
    network = TextClassifier(config, VOCABULARY, 3).eval()
    network.precision = precision
    return network


def padded(rows: list[np.ndarray], steps: int, junk: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    token_ids = np.full((len(rows), steps), junk, np.int64)
    for i, row in enumerate(rows):
        token_ids[i, : len(row)] = row
    return torch.from_numpy(token_ids), torch.tensor([len(row) for row in rows])


@pytest.fixture(scope="module")
def rows() -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    return [generator.integers(1, VOCABULARY, length) for length in LENGTHS]


@pytest.mark.parametrize(("encoder", "bidirectional", "layers", "pooling", "precision"), CASES)
@torch.inference_mode()
def test_logits_are_the_same_alone_in_any_batch_and_under_any_padding(
    rows: list[np.ndarray], encoder: str, bidirectional: bool, layers: int, pooling: str, precision: str
) -> None:
    network = build(encoder, bidirectional, layers, pooling, precision)
    tolerance = 1e-5 if precision == "fp32" else 2e-2
    together = network(*padded(rows, max(LENGTHS)))
    alone = torch.cat([network(*padded([row], max(1, len(row)))) for row in rows])
    longer = network(*padded(rows, 61, junk=9))
    order = [3, 5, 0, 2, 4, 1]
    shuffled = network(*padded([rows[i] for i in order], 40, junk=17))
    for other in (alone, longer):
        torch.testing.assert_close(other, together, rtol=0, atol=tolerance)
    torch.testing.assert_close(shuffled, together[order], rtol=0, atol=tolerance)
    assert torch.isfinite(together).all()


@pytest.mark.parametrize(("encoder", "bidirectional", "layers", "pooling", "precision"), CASES)
def test_gradients_do_not_depend_on_padding(
    rows: list[np.ndarray], encoder: str, bidirectional: bool, layers: int, pooling: str, precision: str
) -> None:
    network = build(encoder, bidirectional, layers, pooling, precision)
    tolerance = 1e-5 if precision == "fp32" else 3e-2
    gradients = []
    for steps, junk in ((max(LENGTHS), 0), (50, 9)):
        network.zero_grad()
        network(*padded(rows, steps, junk)).square().mean().backward()
        gradients.append({n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=0, atol=tolerance, msg=name)


@pytest.mark.parametrize("bidirectional", [False, True])
@torch.inference_mode()
def test_attention_on_padding_is_exactly_zero_and_adds_up_to_one(
    rows: list[np.ndarray], bidirectional: bool
) -> None:
    network = build("lstm", bidirectional, 1, "attention", "fp32")
    assert isinstance(network.pooling, Attention)
    token_ids, lengths = padded(rows, 40, junk=9)
    outputs = network.encode(network.embed(token_ids, lengths), lengths).joined()
    weights = network.pooling.weights(outputs, lengths)
    real = torch.arange(40).unsqueeze(1) < lengths
    assert (weights[~real] == 0).all()
    torch.testing.assert_close(weights.sum(0), (lengths > 0).float())


@pytest.mark.parametrize("pooling", [name for name in POOLINGS if name != "last-position"])
@torch.inference_mode()
def test_an_empty_text_pools_to_zero(pooling: str) -> None:
    network = build("gru", True, 1, pooling, "fp32")
    token_ids, lengths = padded([np.zeros(0, np.int64), np.array([4, 5])], 2)
    pooled = network.pool(network.encode(network.embed(token_ids, lengths), lengths), lengths)
    assert (pooled[0] == 0).all()
    assert (pooled[1] != 0).any()


@torch.inference_mode()
def test_a_text_of_one_hundred_thousand_tokens_is_read_and_leaves_its_neighbour_alone() -> None:
    network = build("lstm", True, 1, "mean-max", "fp32")
    long, short = np.arange(100_000) % (VOCABULARY - 1) + 1, np.array([3, 4])
    together = network(*padded([long, short], 100_000))
    alone = network(*padded([short], 2))
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("head", HEADS)
def test_ngrams_of_neighbours_change_no_answer(rows: list[np.ndarray], head: str, precision: str) -> None:
    torch.manual_seed(3)
    config = ModelConfig(hidden_size=16, embedding_size=12, head=head.split()[0])
    network = TextClassifier(config, VOCABULARY, HEADS[head], KNOWN).eval()
    assert network.ngrams is not None
    torch.nn.init.normal_(network.ngrams.weight)
    torch.nn.init.normal_(network.ngrams.bias)
    generator = np.random.default_rng(6)
    features = Features(
        generator.integers(0, KNOWN, sum(FEATURES)).astype(np.int32),
        generator.random(sum(FEATURES), np.float32),
        np.cumsum([0, *FEATURES]),
    )
    flat = np.concatenate(rows).astype(np.int32)
    store = TokenStore(flat, np.cumsum([0, *LENGTHS]), features)
    forward, tolerance = torch_forward(network, precision), 1e-5 if precision == "fp32" else 2e-2
    order = np.array([3, 5, 0, 2, 4, 1])
    together = forward(collate(store, np.arange(6)))
    alone = [forward(collate(store, order[i : i + 1])) for i in range(6)]
    np.testing.assert_allclose(np.concatenate(alone), together[order], rtol=0, atol=tolerance)
    batch = collate(store, order)
    junk = np.full((6, 40), 9, np.int64)
    longer = Batch(**{**vars(batch), "token_ids": np.concatenate([batch.token_ids, junk], axis=1)})
    np.testing.assert_allclose(forward(longer), together[order], rtol=0, atol=tolerance)
    weight, bias = network.ngrams.weight.numpy(), network.ngrams.bias.numpy()
    bags = np.split(weight[features.ids] * features.values[:, None], features.offsets[1:-1])
    scores = np.stack([bag.sum(0) + bias for bag in bags])
    network.ngrams = None
    forward = torch_forward(network, precision)
    recurrent = forward(collate(store, np.arange(6)))
    recurrent[:, -scores.shape[1] :] += scores
    np.testing.assert_allclose(together, recurrent, rtol=0, atol=tolerance)

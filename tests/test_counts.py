"""Word counts as a sequence of one step: the published network, and no recurrence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from conftest import TINY, make_rows
from yeoun.config import Configuration, ModelConfig, TextConfig
from yeoun.errors import ConfigError
from yeoun.inference import predict_proba
from yeoun.nn.cells import CELLS, GATES
from yeoun.nn.classifier import TextClassifier, count_parameters
from yeoun.text.indexer import TextIndexer
from yeoun.training.fit import fit

VOCABULARY, HIDDEN = 42, 8
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def build(encoder: str) -> TextClassifier:
    torch.manual_seed(0)
    config = ModelConfig(
        inputs="counts",
        encoder=encoder,
        hidden_size=HIDDEN,
        bidirectional=False,
        pooling="last",
        dropout=0.0,
        initialization="torch",
    )
    return TextClassifier(config, VOCABULARY, 3)


@pytest.mark.parametrize("encoder", CELLS)
def test_a_count_vector_through_torchs_layer_is_the_same_network(encoder: str) -> None:
    network = build(encoder)
    layer = TORCH[encoder](VOCABULARY - 2, HIDDEN)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(network.embedding.weight.T)
        for name in ("weight_hidden", "bias_input", "bias_hidden"):
            torchs = {
                "weight_hidden": "weight_hh_l0",
                "bias_input": "bias_ih_l0",
                "bias_hidden": "bias_hh_l0",
            }
            getattr(layer, torchs[name]).copy_(getattr(network.encoder, name))
    token_ids = torch.tensor([[2, 5, 5, 1, 41], [9, 0, 0, 0, 0], [7, 7, 7, 3, 2]])
    lengths = torch.tensor([5, 1, 3])
    counts = torch.zeros(3, VOCABULARY - 2)
    for n, row in enumerate([[2, 5, 5, 41], [9], [7, 7, 7]]):
        for token in row:
            counts[n, token - 2] += 1
    expected = network.head(layer(counts.unsqueeze(0))[0][0])
    torch.testing.assert_close(network(token_ids, lengths), expected)
    body = sum(p.numel() for p in layer.parameters())
    assert count_parameters(network) == body + count_parameters(network.head)
    assert body == GATES[encoder] * HIDDEN * (VOCABULARY - 2 + HIDDEN + 2)


@pytest.mark.parametrize("encoder", CELLS)
@torch.inference_mode()
def test_neither_padding_nor_neighbours_nor_unknown_words_are_counted(encoder: str) -> None:
    network = build(encoder)
    alone = network(torch.tensor([[5, 9, 5]]), torch.tensor([3]))
    beside = network(torch.tensor([[5, 9, 5, 7, 1], [3, 3, 3, 3, 3]]), torch.tensor([3, 5]))
    with_unknown = network(torch.tensor([[1, 5, 9, 1, 5]]), torch.tensor([5]))
    torch.testing.assert_close(beside[:1], alone)
    torch.testing.assert_close(with_unknown, alone)
    empty = network(torch.tensor([[0, 0], [5, 9]]), torch.tensor([0, 2]))
    assert torch.isfinite(empty).all()


def test_shuffling_the_words_of_a_text_changes_no_answer() -> None:
    values = {
        **TINY,
        "text.scheme": "counts",
        "model.encoder": "gru",
        "model.bidirectional": False,
        "model.pooling": "last",
    }
    rows = make_rows(80)
    bundle = fit(rows, Configuration().with_values(values))
    generator = np.random.default_rng(0)
    shuffled = [" ".join(generator.permutation(text.split())) for text in rows.texts]
    assert shuffled != list(rows.texts)
    np.testing.assert_allclose(predict_proba(bundle, shuffled), predict_proba(bundle, rows.texts), atol=1e-6)
    assert bundle.metrics["validation"]["accuracy"] > 0.7
    words, vectors = bundle.word_vectors()
    assert vectors.shape == (len(words), 3 * 8)


@pytest.mark.parametrize(
    "values",
    [
        {"model.encoder": "convolution"},
        {"model.layers": 2},
        {"model.bidirectional": True},
        {"model.pooling": "mean"},
        {"model.vectors": "vectors.txt"},
    ],
)
def test_counts_are_one_step_of_one_cell(values: dict[str, object]) -> None:
    one_step = {"text.scheme": "counts", "model.bidirectional": False, "model.pooling": "last"}
    Configuration().with_values(one_step)
    with pytest.raises(
        ConfigError, match=r"text\.scheme = 'counts': expected another scheme, or a model of one"
    ):
        Configuration().with_values({**one_step, **values})


def test_words_are_cut_as_word_counts_cut_them() -> None:
    config = TextConfig(scheme="counts", pattern=r"\b\w+\b", vocabulary_size=12, minimum_count=1)
    indexer = TextIndexer.fit(["Don't stop, re-read it: 3.14!"], config)
    assert [token.text for token in indexer.tokens("Don't stop, re-read it: 3.14!")] == [
        "Don",
        "t",
        "stop",
        "re",
        "read",
        "it",
        "3",
        "14",
    ]

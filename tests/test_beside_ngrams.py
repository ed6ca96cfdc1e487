"""A network that learns beside n-grams learns what they leave open, and never what they learned by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conftest import TINY, make_lists, make_rows
from yeoun.config import Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.data.batches import collate
from yeoun.data.rows import labelled
from yeoun.data.tokens import TokenStore
from yeoun.inference import predict_proba
from yeoun.nn.classifier import TextClassifier
from yeoun.text.indexer import TextIndexer
from yeoun.training.combination import beside_ngrams
from yeoun.training.fit import fit
from yeoun.training.labels import learn_labels, score_labels
from yeoun.training.loop import IndexedRows
from yeoun.training.ngrams import fit_ngrams, score_unseen

VALUES = {**TINY, "model.ngrams": True, "train.epochs": 1, "train.beside_ngrams": True}


def configuration(**changed: object) -> Configuration:
    return Configuration().with_values({**VALUES, **{k.replace("__", "."): v for k, v in changed.items()}})


@pytest.mark.parametrize("parts", [1, 2])
def test_a_row_is_scored_by_machines_that_did_not_see_its_label(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yeoun.training.ngrams.rows_within_reach", lambda *_: 400 // parts)
    words = np.random.default_rng(0).integers(0, 300, (400, 12))  # which have nothing to do with the labels
    texts = [" ".join(f"w{word}" for word in row) for row in words]
    rows = labelled(texts, ["a", "b"] * 200)
    known = fit_ngrams(rows, TextConfig()).score(texts)[:, 0] > 0
    unseen = score_unseen(rows, TextConfig(), seed=0)[:, 0] > 0
    assert (known == rows.targets).mean() > 0.8
    assert (unseen == rows.targets).mean() < 0.65


def test_a_label_all_of_whose_rows_are_withheld_is_not_held_to_be_impossible() -> None:
    rows = labelled(["rare words"] * 3 + [f"a b c {i}" for i in range(60)], ["x"] * 3 + ["y", "z"] * 30)
    assert score_unseen(rows, TextConfig(), seed=0)[:3].min() > -2


@pytest.mark.parametrize("twice", [{}, {"adversarial": 0.25}, {"consistency": 1.0}])
def test_what_others_are_sure_of_is_not_learned(twice: dict[str, float]) -> None:
    rows = make_rows(16)
    indexer = TextIndexer.fit(rows.texts, TextConfig(minimum_count=1))
    store = TokenStore.of(indexer.index(rows.texts))
    network = TextClassifier(ModelConfig(hidden_size=4, embedding_size=4), indexer.vocabulary_size, 2)
    batch = collate(store, np.arange(16)[::-1].copy(), rows.targets)  # whose labels alternate
    config = TrainConfig(**twice)
    sizes = []
    for trust in (0.0, 50.0):
        beside = (np.eye(2, dtype=np.float32)[rows.targets]) * np.float32(trust)
        network.zero_grad()
        learn_labels(network, config, None, beside)(batch, lambda: None)
        gradient = network.head.weight.grad
        assert gradient is not None
        sizes.append(float(gradient.norm()))
    assert sizes[1] < 1e-6 < sizes[0]


@pytest.mark.parametrize("head", ["softmax", "sigmoid", "sigmoids"])
def test_what_ngrams_add_is_as_wide_as_the_logits(head: str) -> None:
    rows = make_lists(80) if head == "sigmoids" else make_rows(80)
    config = configuration(model__head=head)
    ngrams, valid = fit_ngrams(rows, config.text), rows.take(np.arange(5))
    added = beside_ngrams(ngrams, rows, valid, config, seed=0)
    width = 1 if head == "sigmoid" else len(rows.label_names)
    assert (added.train.shape, added.valid.shape) == ((80, width), (5, width))
    trust = added.valid[:, -1] / ngrams.score(valid.texts)[:, -1]
    unseen = score_unseen(rows, config.text, 0)
    np.testing.assert_allclose(trust, trust[0], rtol=1e-5)
    np.testing.assert_allclose(added.train[:, -1], trust[0] * unseen[:, -1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ngrams", [True, False])
def test_the_loss_of_logits_that_will_be_scaled_does_not_depend_on_their_scale(ngrams: bool) -> None:
    rows = make_rows(80)
    config = configuration(model__ngrams=ngrams, train__calibrate=False)
    indexer = TextIndexer.fit(rows.texts, config.text)
    valid = IndexedRows(TokenStore.of(indexer.index(rows.texts)), rows.targets)
    torch.manual_seed(0)
    network = TextClassifier(config.model, indexer.vocabulary_size, 2)
    losses = []
    for factor in (1.0, 30.0):
        network.head.weight.data *= factor
        losses.append(score_labels(valid, config)(network)["validation_loss"])
    assert (abs(losses[0] - losses[1]) < 1e-3) == ngrams
    beside = score_labels(valid, config, np.eye(2, dtype=np.float32)[rows.targets] * 50)(network)
    assert beside["validation_accuracy"] == 1.0


def test_the_halves_learn_together_only_where_there_are_ngrams() -> None:
    rows, valid = make_rows(60), make_rows(30, seed=1)
    answers = {
        (ngrams, beside): predict_proba(
            fit(rows, configuration(model__ngrams=ngrams, train__beside_ngrams=beside), valid), valid.texts
        )
        for ngrams in (True, False)
        for beside in (True, False)
    }
    assert not np.array_equal(answers[True, True], answers[True, False])
    assert np.array_equal(answers[False, True], answers[False, False])

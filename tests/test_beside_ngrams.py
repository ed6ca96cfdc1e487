"""A network that learns beside n-grams learns what they leave open, and never what they learned by heart."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import TINY, make_lists, make_rows
from yeoun.config import Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.data.batches import collate
from yeoun.data.rows import Dataset
from yeoun.data.tokens import TokenStore
from yeoun.inference import predict_proba
from yeoun.nn.classifier import TextClassifier
from yeoun.text.indexer import TextIndexer
from yeoun.training.combination import beside_ngrams
from yeoun.training.fit import fit
from yeoun.training.labels import learn_labels
from yeoun.training.ngrams import fit_ngrams, score_unseen

VALUES = {**TINY, "model.ngrams": True, "train.epochs": 1, "train.beside_ngrams": True}


def configuration(**changed: object) -> Configuration:
    return Configuration().with_values({**VALUES, **{k.replace("__", "."): v for k, v in changed.items()}})


def test_a_row_is_scored_by_machines_that_did_not_see_its_label() -> None:
    rows = make_rows(200)
    labels = rows.targets.copy()
    labels[11] = 1 - labels[11]
    for targets in (rows.targets, labels):
        scores = score_unseen(Dataset(rows.texts, targets, rows.label_names), TextConfig(), seed=0)
        assert (scores[11, 0] > 0) == rows.targets[11]


@pytest.mark.parametrize("adversarial", [0.0, 0.25])
def test_what_others_are_sure_of_is_not_learned(adversarial: float) -> None:
    rows = make_rows(16)
    indexer = TextIndexer.fit(rows.texts, TextConfig(minimum_count=1))
    store = TokenStore.of(indexer.index(rows.texts))
    network = TextClassifier(ModelConfig(hidden_size=4, embedding_size=4), indexer.vocabulary_size, 2)
    batch = collate(store, np.arange(16), rows.targets)
    config = TrainConfig(adversarial=adversarial)
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
    added = beside_ngrams(fit_ngrams(rows, config.text), rows, rows.take(np.arange(5)), config, seed=0)
    width = 1 if head == "sigmoid" else len(rows.label_names)
    assert (added.train.shape, added.valid.shape) == ((80, width), (5, width))
    assert np.isfinite(added.train).all()


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

"""Self-training: when texts without labels are learned from, and what is then the same."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import TINY, make_lists, make_rows
from yeoun.config import Configuration
from yeoun.data.rows import Dataset
from yeoun.training.fit import fit
from yeoun.training.ngrams import fit_ngrams
from yeoun.training.self_training import learn_more

TEXTS = list(make_rows(300, seed=5).texts)


def configuration(**changed: object) -> Configuration:
    values = {**TINY, "model.ngrams": True, "train.epochs": 1}
    return Configuration().with_values({**values, **{k.replace("__", "."): v for k, v in changed.items()}})


@pytest.mark.parametrize(
    ("texts", "changed", "is_asked"),
    [
        (300, {}, True),
        (100, {}, False),  # fewer than five a row
        (300, {"train__class_weight": "balanced"}, False),
        (300, {"model__ngrams": False, "train__pretrain_epochs": 1}, False),
    ],
    ids=["many", "few", "weighed", "no-ngrams"],
)
def test_texts_are_learned_from_where_there_are_several_a_row(
    texts: int, changed: dict[str, object], is_asked: bool
) -> None:
    bundle = fit(make_rows(60), configuration(**changed), unlabelled=TEXTS[:texts])
    assert ("self_training" in bundle.metrics) == is_asked
    if is_asked:
        assert bundle.metrics["self_training"]["texts"] == texts


def test_ngrams_of_texts_without_labels_are_known_afterwards() -> None:
    rows, config = make_rows(60), configuration()
    before = fit_ngrams(rows, config.text)
    texts = [f"{text} unheard" for text in TEXTS]
    after = learn_more(before, rows, texts, 1.0, config, 0)
    assert len(after.indexer.index(["unheard"]).ids) == 1
    assert len(before.indexer.index(["unheard"]).ids) == 0
    again = learn_more(before, rows, texts, 1.0, config, 0)
    assert np.array_equal(after.parameters["ngrams.weight"], again.parameters["ngrams.weight"])


def test_what_is_unsure_counts_for_nothing() -> None:
    rows, config = make_rows(60), configuration()
    branch = fit_ngrams(rows, config.text)
    silent = type(branch)(branch.indexer, {name: 0 * each for name, each in branch.parameters.items()})
    more = learn_more(silent, rows, ["great film"] * 50, 1.0, config, 0)
    again = fit_ngrams(Dataset([*rows.texts], rows.labels, rows.label_names), config.text)
    known, answers = again.score(rows.texts), more.score(rows.texts)
    assert ((known > 0) == (answers > 0)).all()


def test_rows_of_several_labels_learn_from_texts_too() -> None:
    bundle = fit(
        make_lists(80), configuration(model__head="sigmoids"), unlabelled=list(make_lists(500, seed=3).texts)
    )
    assert 490 <= bundle.metrics["self_training"]["texts"] <= 500  # not those of validation rows

"""Self-training: when texts without labels are learned from, and what is then the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import TINY, make_lists, make_rows, write_csv
from yeoun.config import Configuration
from yeoun.data.rows import Dataset
from yeoun.evaluation.evenness import EVEN
from yeoun.training.combination import Combination
from yeoun.training.division import Division
from yeoun.training.fit import fit
from yeoun.training.linear import Answered, learn_ngrams
from yeoun.training.ngrams import NgramBranch, fit_ngrams
from yeoun.training.pretraining import pretrain
from yeoun.training.self_training import SelfTrained, self_train

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
        (100, {"train__pretrain_epochs": 1}, True),  # by a half that knows them
        (300, {"model__ngrams": False, "train__pretrain_epochs": 1}, False),
    ],
    ids=["many", "few", "weighed", "few-pretrained", "no-ngrams"],
)
def test_texts_are_learned_from_where_there_are_several_a_row_or_the_network_was_pretrained(
    texts: int, changed: dict[str, object], is_asked: bool
) -> None:
    bundle = fit(make_rows(60), configuration(**changed), unlabelled=TEXTS[:texts])
    assert ("self_training" in bundle.metrics) == is_asked
    if is_asked:
        assert bundle.metrics["self_training"]["texts"] == texts


@pytest.mark.parametrize(
    ("texts", "weight", "said"),
    [
        (300, "none", r"300 texts without labels\n"),
        (100, "none", "100 texts without labels; the n-grams would learn from 5 a row or more"),
        (300, "balanced", "300 texts without labels; the n-grams learn from none where labels are weighed"),
    ],
)
def test_train_says_whether_the_ngrams_learn_from_texts_without_labels(
    tmp_path: Path, run_cli: Callable[..., tuple[int, str, str]], texts: int, weight: str, said: str
) -> None:
    more = tmp_path / "texts.txt"
    more.write_text("\n".join(TEXTS[:texts]), encoding="utf-8")
    rows = write_csv(tmp_path / "rows.csv", make_rows(60))
    values = {**TINY, "model.ngrams": "true", "train.epochs": 1, "train.class_weight": weight}
    flags = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    status, _, err = run_cli("train", rows, "--unlabelled", more, "--out", tmp_path / "model", *flags)
    assert status == 0, err
    assert re.search(said, err)


def test_texts_are_learned_from_beside_what_was_pretrained_before() -> None:
    start = pretrain(TEXTS, configuration(train__pretrain_epochs=1))
    bundle = fit(make_rows(60), start.applied(configuration()), unlabelled=TEXTS, start=start)
    assert bundle.metrics["self_training"]["texts"] == len(TEXTS)


def test_ngrams_of_texts_without_labels_are_known_afterwards() -> None:
    rows, texts = make_rows(60), [f"{text} unheard" for text in TEXTS]
    more = Answered(texts, np.arange(len(texts)) % 2, np.full(len(texts), 0.5, np.float32))
    after = learn_ngrams(rows, configuration(), more)
    assert len(after.indexer.index(["unheard"]).ids) == 1
    assert len(learn_ngrams(rows, configuration(), None).indexer.index(["unheard"]).ids) == 0
    again = learn_ngrams(rows, configuration(), more)
    assert np.array_equal(after.parameters["ngrams.weight"], again.parameters["ngrams.weight"])


def test_what_is_unsure_counts_for_nothing() -> None:
    rows = make_rows(60)
    unsure = Answered(["great film"] * 50, np.zeros(50, np.int64), np.zeros(50, np.float32))
    more = learn_ngrams(rows, configuration(), unsure)
    again = fit_ngrams(Dataset([*rows.texts], rows.labels, rows.label_names), configuration().text)
    known, answers = again.score(rows.texts), more.score(rows.texts)
    assert ((known > 0) == (answers > 0)).all()


def trained(
    rows: Dataset, recurrent: np.ndarray[tuple[int, ...], np.dtype[np.float32]], pretrained: bool = False
) -> SelfTrained:
    """N-grams of four rows that learned from texts which `recurrent` alone has an opinion of."""
    ngrams = fit_ngrams(make_rows(4), configuration().text)

    def combined(branch: NgramBranch) -> Combination:
        scores = np.pad(branch.score(rows.texts), ((0, 0), (1, 0)))
        return Combination({}, (np.float32(0), np.float32(3)), 3 * scores, EVEN, {})

    whole = Combination({}, (np.float32(9), np.float32(0)), np.zeros((len(rows), 2), np.float32), EVEN, {})
    few = make_rows(4)
    given = (Division(few, few, rows, rows.texts), configuration(), 0, pretrained)
    return self_train(whole, ngrams, lambda texts: recurrent, combined, *given)


def test_ngrams_learn_what_the_recurrent_half_alone_knows() -> None:
    rows = make_rows(80, seed=3)
    knowing = np.eye(2, dtype=np.float32)[rows.targets]
    learned = trained(rows, knowing)
    assert (learned.more.labels == rows.targets).all()
    assert learned.more.sureness.min() > 0.9
    assert learned.helps
    for pretrained in (False, True):
        assert not trained(rows, knowing[:, ::-1].copy(), pretrained).helps  # which says the opposite


@pytest.mark.parametrize("pretrained", [False, True])
@pytest.mark.parametrize(("fallen", "said"), [(0.2, True), (0.05, None), (-0.05, None), (-0.2, False)])
def test_where_validation_rows_say_little_only_what_was_pretrained_is_believed(
    monkeypatch: pytest.MonkeyPatch, fallen: float, said: bool | None, pretrained: bool
) -> None:
    rows = make_rows(80, seed=3)
    before = np.arange(len(rows)) % 2 + fallen  # with a standard error of 0.056
    losses = iter([before, np.zeros(len(rows)) + 0.5])
    monkeypatch.setattr("yeoun.training.self_training._losses", lambda whole, valid: next(losses))
    knowing = np.eye(2, dtype=np.float32)[rows.targets]
    assert trained(rows, knowing, pretrained).helps == (pretrained if said is None else said)


def test_rows_of_several_labels_learn_from_texts_too() -> None:
    bundle = fit(
        make_lists(80), configuration(model__head="sigmoids"), unlabelled=list(make_lists(500, seed=3).texts)
    )
    assert 490 <= bundle.metrics["self_training"]["texts"] <= 500  # not those of validation rows

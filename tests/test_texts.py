"""Rows that outgrow memory: texts stay on the disk, and a model comes out the same."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TINY, make_rows
from yeoun.config import Configuration, TextConfig
from yeoun.data import texts as module
from yeoun.data.rows import Dataset
from yeoun.data.splits import stratified_split
from yeoun.data.tables import read_dataset
from yeoun.data.texts import JoinedTexts, SharedFile, TextsOnDisk, TextWriter
from yeoun.evaluation.linear import LinearBaseline, fit_linear
from yeoun.inference import predict_proba
from yeoun.text import indexer
from yeoun.text.indexer import TextIndexer
from yeoun.training.fit import fit
from yeoun.training.linear import sample

NONE = np.zeros(1, np.int64)


def on_disk(texts: list[str]) -> TextsOnDisk:
    with pytest.MonkeyPatch.context() as patch, TextWriter() as writer:
        patch.setattr(module, "LARGE", -1)
        for text in texts:
            writer.append(text)
        stored = writer.finish()
    if isinstance(stored, TextsOnDisk):
        return stored
    return TextsOnDisk(SharedFile(io.BytesIO()), NONE, NONE[:0])


@given(st.lists(st.text(st.characters(codec=None), max_size=12), max_size=12))
def test_any_texts_come_back_from_the_disk(texts: list[str]) -> None:
    stored = on_disk(texts)
    assert len(stored) == len(texts)
    assert list(stored) == [stored[i] for i in range(len(texts))] == stored[:] == texts
    assert stored[::2] == texts[::2]
    assert stored[1:3] == texts[1:3]
    backward = stored.take(np.arange(len(texts))[::-1])
    assert list(backward) == texts[::-1]
    assert list(backward.take(np.arange(len(texts))[:2])) == texts[::-1][:2]


def write_jsonl(path: Path, dataset: Dataset) -> Path:
    lines = (
        json.dumps({"text": text, "label": dataset.label_names[label]})
        for text, label in zip(dataset.texts, dataset.targets, strict=True)
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_model_of_texts_on_the_disk_is_that_of_texts_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", make_rows(90))
    in_memory = read_dataset(path).dataset
    monkeypatch.setattr(module, "LARGE", 1_000)
    stored = read_dataset(path).dataset
    assert isinstance(stored.texts, TextsOnDisk)
    assert not isinstance(in_memory.texts, TextsOnDisk)
    assert stored.fingerprint() == in_memory.fingerprint()
    configuration = Configuration().with_values({**TINY, "text.scheme": "bpe", "train.epochs": 2})
    models = [fit(rows, configuration) for rows in (in_memory, stored)]
    answers = [predict_proba(model, in_memory.texts) for model in models]
    assert answers[0].tobytes() == answers[1].tobytes()
    assert models[0].metrics["linear_baseline"] == models[1].metrics["linear_baseline"]


def test_the_vocabulary_of_many_texts_is_that_of_an_even_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"word{i} shared" for i in range(30)]
    config = TextConfig(minimum_count=1)
    whole = TextIndexer.fit(texts, config)
    monkeypatch.setattr(indexer, "VOCABULARY_TEXTS", 10)
    sampled, indexed = TextIndexer.fit_index(texts, config)
    assert set(sampled.vocabulary()) == {
        "[PAD]",
        "[UNK]",
        "shared",
        *(f"word{i}" for i in (0, 3, 6, 9, 12, 16, 19, 22, 25, 29)),
    }
    assert whole.vocabulary_size == 33
    for ours, theirs in zip(indexed, sampled.index(texts), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_baseline_of_many_rows_learns_from_a_sample_that_has_every_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yeoun.training.linear._BASELINE_ROWS", 20)
    labels = np.array([0] * 60 + [1] * 60 + [2])
    rows = Dataset([f"text {i}" for i in range(121)], labels, ("a", "b", "c"))
    drawn = sample(rows, 20, seed=3)
    assert set(drawn.labels) == {0, 1, 2}
    assert 20 <= len(drawn) <= 23
    assert drawn.texts == sample(rows, 20, seed=3).texts != sample(rows, 20, seed=4).texts
    assert sample(rows, 121, seed=3) is rows
    several = Dataset(rows.texts, np.eye(3, dtype=np.int64)[labels], rows.label_names)
    assert sample(several, 20, seed=3).texts == drawn.texts
    model = fit(make_rows(90), Configuration().with_values({**TINY, "train.epochs": 1}))
    assert model.metrics["baseline_rows"] <= 22


def test_the_baseline_answers_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(50)
    baseline: LinearBaseline = fit_linear(rows.texts, rows.targets, 2)
    at_once = baseline.predict(rows.texts)
    monkeypatch.setattr("yeoun.evaluation.linear._CHUNK", 7)
    assert baseline.predict(rows.texts).tolist() == at_once.tolist()
    assert baseline.predict([]).shape == (0,)


def test_equal_texts_stay_on_one_side_of_a_split_from_the_disk() -> None:
    rows = make_rows(40)
    texts = on_disk([*rows.texts, *rows.texts[::-1]])
    whole = Dataset(texts, np.concatenate([rows.targets, rows.targets[::-1]]), rows.label_names)
    kept, held_out = stratified_split(whole, 0.3, seed=0)
    assert not {texts[i] for i in kept} & {texts[i] for i in held_out}
    assert len(kept) + len(held_out) == 80


@pytest.mark.parametrize("cut", [0, 1, 4, 7])
def test_joined_texts_are_those_of_their_parts_in_order(cut: int) -> None:
    texts = [f"text {i}" for i in range(7)]
    joined = JoinedTexts(texts[:cut], texts[cut:])
    assert list(joined) == texts
    assert [joined[i] for i in range(-7, 7)] == texts * 2
    assert joined[::3] == texts[::3]
    assert joined[5:1:-2] == texts[5:1:-2]
    assert len(joined) == 7
    with pytest.raises(IndexError):
        joined[7]

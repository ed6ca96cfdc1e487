"""Presets keep their written rules, and train a model; values of n-grams that do not fit are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import make_rows, write_csv
from yeoun.config import Configuration
from yeoun.errors import ConfigError
from yeoun.presets import PRESETS, RowStatistics, resolve

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Run = Callable[..., tuple[int, str, str]]
LIMITS = {"fast": 200, "balanced": 400, "accurate": 800}
ROWS = [1, 500, 2_000, 5_000, 10_000, 15_000, 50_000, 60_000, 10**6]

names = st.sampled_from(list(PRESETS))
any_rows = st.integers(0, 10**7) | st.sampled_from(ROWS)
shares = st.floats(0, 1)


def rows(
    count: int = 20_000, classes: int = 2, mean: float = 60.0, long: float = 150.0, hangul: float = 0.0
) -> RowStatistics:
    return RowStatistics(count, classes, mean, long, hangul)


@untimed
@given(names, any_rows, st.integers(2, 100), st.floats(0, 500), shares)
def test_korean_is_cut_into_subwords_few_short_texts_into_characters_others_into_words(
    name: str, count: int, classes: int, long: float, hangul: float
) -> None:
    scheme = resolve(name, rows(count, classes, long=long, hangul=hangul)).text.scheme
    if count < 2_000 and long <= 40:
        assert scheme == "characters"
    else:
        assert scheme == ("unigram" if hangul > 0.2 else "words")


@untimed
@given(names, any_rows, st.integers(2, 100), st.floats(0, 1000), shares)
def test_a_vocabulary_has_2000_to_30000_entries_and_of_subwords_at_most_16000(
    name: str, count: int, classes: int, mean: float, hangul: float
) -> None:
    text = resolve(name, rows(count, classes, mean, mean, hangul)).text
    assert 2_000 <= text.vocabulary_size <= (16_000 if text.scheme == "unigram" else 30_000)


@pytest.mark.parametrize("name", PRESETS)
def test_two_labels_have_an_entry_for_every_four_rows_more_labels_20_times_the_root_of_the_words(
    name: str,
) -> None:
    assert resolve(name, rows(10_000, 2, 16.0)).text.vocabulary_size == 2_500
    entries = [resolve(name, rows(40_000, 2, mean)).text.vocabulary_size for mean in (10.0, 200.0)]
    from_text_alone = {"fast": (False, False), "balanced": (False, True), "accurate": (True, True)}[name]
    assert entries == [30_000 if each else 10_000 for each in from_text_alone]
    if name == "accurate":
        assert resolve(name, rows(40_000, 20)).text.vocabulary_size == 30_000
        return
    for classes in (3, 20):
        assert resolve(name, rows(10_000, classes, 16.0)).text.vocabulary_size == 8_000
        assert resolve(name, rows(10_000, classes, 64.0)).text.vocabulary_size == 16_000


@pytest.mark.parametrize("hangul", [0.0, 0.9])
@pytest.mark.parametrize("name", PRESETS)
def test_so_much_is_read_as_95_percent_of_the_texts_need_up_to_the_presets_limit(
    name: str, hangul: float
) -> None:
    tokens = 2.5 if hangul else 1.3  # of a word, at least
    for long in (1.0, 30.0, 70.0, 140.0, 10_000.0):
        text = resolve(name, rows(long=long, hangul=hangul)).text
        assert min(tokens * long, LIMITS[name]) <= text.maximum_length <= LIMITS[name]
        assert text.maximum_length <= max(20, tokens * long + 20)
        assert text.truncate == "middle"


@untimed
@given(names, any_rows, st.integers(2, 100), shares)
def test_ngrams_of_words_and_of_korean_or_many_labels_also_of_characters_stand_beside_the_network(
    name: str, count: int, classes: int, hangul: float
) -> None:
    configuration = resolve(name, rows(count, classes, hangul=hangul))
    assert configuration.model.ngrams
    assert configuration.train.calibrate
    knows_phrases = count >= 15_000 and classes == 2 and hangul <= 0.2
    assert configuration.text.word_ngrams == (3 if knows_phrases else 2)
    topics = 2 < classes <= 30 and name != "fast"
    assert configuration.text.character_ngrams == (4 if hangul > 0.2 else 5 if topics else 0)


@untimed
@given(names, any_rows, shares)
def test_the_network_is_a_bidirectional_lstm_pooled_by_mean_and_maximum(
    name: str, count: int, hangul: float
) -> None:
    model = resolve(name, rows(count, hangul=hangul)).model
    assert (model.encoder, model.bidirectional, model.layers) == ("lstm", True, 1)
    assert model.pooling == "mean-max"


@pytest.mark.parametrize("name", ["fast", "balanced"])
def test_fewer_rows_have_a_smaller_network_less_noise_and_more_passes(name: str) -> None:
    resolved = [resolve(name, rows(count, 3)) for count in ROWS]
    for fewer, more in pairwise(resolved):
        assert fewer.model.hidden_size <= more.model.hidden_size
        assert fewer.model.embedding_size <= more.model.embedding_size
        assert fewer.train.epochs >= more.train.epochs
        assert fewer.train.batch_size <= more.train.batch_size
        for noise in ("dropout", "embedding_dropout", "word_dropout"):
            assert getattr(fewer.model, noise) <= getattr(more.model, noise)
    least, most = resolved[0], resolved[-1]
    assert least.train.epochs > most.train.epochs
    assert least.model.hidden_size == 64
    assert most.model.hidden_size == {"fast": 64, "balanced": 128}[name]
    assert least.model.word_dropout == least.model.embedding_dropout == 0
    assert min(most.model.word_dropout, most.model.embedding_dropout) > 0


@untimed
@given(names, any_rows, st.integers(2, 100))
def test_unknown_words_are_read_as_the_average_one(name: str, count: int, classes: int) -> None:
    assert resolve(name, rows(count, classes)).model.unknown == "average"


@untimed
@given(names, any_rows, st.integers(2, 100))
def test_a_tenth_of_the_rows_is_held_out_and_of_many_5000_a_hundred_a_label_or_a_thousandth(
    name: str, count: int, classes: int
) -> None:
    share = resolve(name, rows(count, classes)).train.validation_share
    most = max(5_000, 100 * classes)
    assert share * count == pytest.approx(max(min(count / 10, most), count / 1_000))


def test_fast_trains_fewer_epochs_on_shorter_texts_than_balanced_which_reads_less_than_accurate() -> None:
    for count in ROWS[1:]:
        resolved = [resolve(name, rows(count, 3, long=5_000.0)) for name in ("fast", "balanced", "accurate")]
        assert resolved[0].train.epochs < resolved[1].train.epochs
        for less, more in pairwise(resolved):
            assert less.text.maximum_length < more.text.maximum_length


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("name", PRESETS)
def test_accurate_and_of_two_labels_balanced_are_pretrained_in_fewer_passes_over_more_texts(
    name: str, classes: int
) -> None:
    passes = [
        resolve(name, RowStatistics(500, classes, 230.0, 600.0, hangul, texts)).train.pretrain_epochs
        for hangul in (0.0, 0.9)
        for texts in (0, 20_000, 70_000, 10**6, 10**8)
    ]
    if name == "fast" or (name == "balanced" and classes > 2):
        assert passes == [0] * 10
    elif classes == 2:
        assert passes[:5] == [0, 2, 2, 1, 1]
        assert passes[5:7] == [0, 2]
    else:
        most = 6 if classes == 20 else 4
        assert passes == [0, most, 5 if classes == 20 else 4, 1, 1, 0, most, 2, 1, 1]


def test_many_rows_teach_labels_in_a_few_passes_after_text_alone() -> None:
    asked = [
        resolve("accurate", rows(count, mean=8.0, long=20.0)).train for count in (50_000, 200_000, 10**6)
    ]
    assert [(train.epochs, train.select_by) for train in asked] == [(8, "last"), (4, "last"), (3, "last")]
    assert [train.pretrain_epochs for train in asked] == [4, 4, 3]
    assert resolve("accurate", rows(49_999, mean=230.0)).train.pretrain_epochs == 2


def test_accurate_keeps_what_was_pretrained_where_rows_are_few_and_counts_texts_without_labels() -> None:
    few, many = (resolve("accurate", rows(count, mean=230.0)) for count in (49_999, 50_000))
    assert few.train.learning_rate * 10 == many.train.learning_rate
    assert resolve("accurate", rows(10_000, 20)).train.learning_rate * 2 == many.train.learning_rate
    for count in (10_000, 60_000):
        asked = [resolve(name, rows(count, 20)).train for name in PRESETS]
        assert [(train.adversarial, train.consistency) for train in asked] == [(0, 0), (0, 0), (0.25, 0)]
    little, much = (resolve("accurate", RowStatistics(300, 2, 8.0, 20.0, 0.0, n)) for n in (60_000, 70_000))
    assert (little.train.pretrain_epochs, much.train.pretrain_epochs) == (4, 2)
    assert (little.train.beside_ngrams, much.train.beside_ngrams) == (False, True)
    assert little.train.learning_rate == 5 * much.train.learning_rate
    pieces = [resolve("accurate", rows(19_999, classes)).train.pretrain_piece for classes in (2, 3, 9, 10)]
    assert pieces == [16, 32, 32, 64]
    beside = [resolve("accurate", rows(19_999, classes)).train.beside_ngrams for classes in (3, 30, 31)]
    assert beside == [True, True, False]
    assert not resolve("accurate", rows(20_000, 20)).train.beside_ngrams
    assert (few.train.consistency, many.train.consistency) == (0.0, 1.0)
    assert few.model.dropout < many.model.dropout
    assert (few.train.beside_ngrams, many.train.beside_ngrams) == (True, False)
    schemes = [
        resolve("accurate", RowStatistics(300, 2, 8.0, 20.0, hangul, texts)).text.scheme
        for hangul in (0.0, 0.9)
        for texts in (0, 15_000, 16_000)
    ]
    assert schemes == ["characters", "characters", "words", "characters", "characters", "unigram"]
    names = RowStatistics(20_000, 2, 1.0, 1.0, 0.0, 500_000)  # of one word, which has no rest
    assert resolve("accurate", names).train.pretrain_epochs == 0


def test_fast_trains_and_shows_each_half_but_without_ngrams_the_whole_alone(
    tmp_path: Path, run_cli: Run
) -> None:
    source = write_csv(tmp_path / "rows.csv", make_rows(120))
    held_out = write_csv(tmp_path / "valid.csv", make_rows(60, seed=1))
    common = ["--preset", "fast", "--set", "train.epochs=1", "--valid", held_out, "--json"]
    printed = {}
    for name, flags in {"both": [], "plain": ["--set", "model.ngrams=false"]}.items():
        status, out, err = run_cli("train", source, "--out", tmp_path / name, *common, *flags)
        assert status == 0, err
        status, again, err = run_cli("evaluate", tmp_path / name, held_out, "--json")
        assert status == 0, err
        printed[name] = json.loads(out), json.loads(again)
    trained, evaluated = printed["both"]
    assert trained["recurrent_alone"].keys() == trained["ngrams_alone"].keys() == {"accuracy", "macro_f1"}
    assert trained["ngrams_alone"]["accuracy"] > 0.9
    assert evaluated["recurrent_alone"] == trained["recurrent_alone"]
    assert evaluated["accuracy"] == trained["validation"]["accuracy"] > 0.9
    without, after = printed["plain"]
    assert not {"recurrent_alone", "ngrams_alone"} & without.keys()
    assert after.get("recurrent_alone") is after.get("ngrams_alone") is None
    assert without["validation"]["accuracy"] == trained["recurrent_alone"]["accuracy"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("text.word_ngrams", 6, "a number from 0 to 5"),
        ("text.word_ngrams", -1, "a number from 0 to 5"),
        ("text.word_ngrams", True, "a number"),
        ("text.word_ngrams", 1.5, "a whole number"),
        ("text.character_ngrams", 9, "a number from 0 to 8"),
        ("text.character_ngrams", "all", "a whole number"),
        ("model.ngrams", "yes", "true or false"),
        ("model.ngrams", 1, "true or false"),
        ("train.calibrate", 0, "true or false"),
        ("train.calibrate", None, "true or false"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(key: str, value: Any, expected: str) -> None:
    section, name = key.split(".")
    with pytest.raises(ConfigError) as caught:
        Configuration.from_mapping({section: {name: value}})
    assert str(caught.value) == f"{key} = {value!r}: expected {expected}"


def test_a_model_of_ngrams_that_counts_none_is_refused() -> None:
    nothing = {"text.word_ngrams": 0, "text.character_ngrams": 0}
    assert not Configuration().with_values(nothing).model.ngrams
    with pytest.raises(ConfigError, match=r"expected text\.word_ngrams or text\.character_ngrams above 0"):
        Configuration().with_values({**nothing, "model.ngrams": "true"})

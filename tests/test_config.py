"""Configurations refuse what does not fit and survive being written; presets and recipes are valid."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoun import presets
from yeoun.config import ENCODERS, POOLINGS, SCHEMES, Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.errors import ConfigError, YeounError
from yeoun.nn import cells, pooling
from yeoun.presets import PRESETS, RowStatistics
from yeoun.recipes import read_recipe, recipe_names
from yeoun.text import schemes

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

OUT_OF_RANGE = [
    ("text.scheme", "syllables", "one of whitespace, words, characters, jamo, bpe"),
    ("text.vocabulary_size", -1, "from 0 to"),
    ("text.minimum_count", 0, "from 1 to"),
    ("text.maximum_length", -5, "from 0 to"),
    ("text.truncate", "both", "one of front, back, middle"),
    ("text.pad_to", "longest", "none, batch"),
    ("text.pad_to", 0, "from 1 to"),
    ("text.pad_to", 399, "at least text.maximum_length"),
    ("text.pad_side", "left", "one of front, back"),
    ("model.encoder", "transformer", "one of rnn, lstm, gru"),
    ("model.hidden_size", 0, "from 1 to 65536"),
    ("model.layers", 65, "from 1 to 64"),
    ("model.embedding_size", -3, "from 1 to 65536"),
    ("model.pooling", "median", "one of last, last-position, sum"),
    ("model.dropout", 0.96, "from 0 to 0.95"),
    ("model.embedding_dropout", -0.1, "from 0 to 0.95"),
    ("model.word_dropout", 1.0, "from 0 to 0.95"),
    ("model.head", "linear", "one of softmax, sigmoid"),
    ("model.unknown", "zero", "one of learned, average"),
    ("model.initialization", "zeros", "one of torch, keras"),
    ("train.optimizer", "sgd", "one of adamw, adam, rmsprop"),
    ("train.learning_rate", 0.0, "above 0, at most 100"),
    ("train.learning_rate", 101.0, "above 0, at most 100"),
    ("train.schedule", "linear", "one of one-cycle"),
    ("train.batch_size", 0, "from 1 to"),
    ("train.epochs", 0, "from 1 to"),
    ("train.patience", -1, "from 0 to"),
    ("train.select_by", "f1", "one of loss, accuracy"),
    ("train.clip", -0.5, "from 0 to"),
    ("train.weight_decay", 11.0, "from 0 to 10"),
    ("train.label_smoothing", 0.91, "from 0 to 0.9"),
    ("train.decay", 1.0, "from 0 to 0.999999"),
    ("train.epsilon", 0.0, "above 0, at most 1"),
    ("train.validation_share", 0.0, "from 0.001 to 0.9"),
    ("train.validation_split", "sorted", "one of stratified, random"),
]

WRONG_TYPE = [
    ("text.scheme", 3, "text"),
    ("text.pattern", None, "text"),
    ("text.lowercase", "yes", "true or false"),
    ("text.lowercase", 1, "true or false"),
    ("text.vocabulary_size", True, "a number"),
    ("text.vocabulary_size", 2.5, "a whole number"),
    ("text.vocabulary_size", "many", "a whole number"),
    ("text.vocabulary_size", "2.5", "a whole number"),
    ("text.pad_to", 2.5, "a whole number"),
    ("text.pad_to", [400], "a whole number"),
    ("model.bidirectional", None, "true or false"),
    ("model.hidden_size", None, "a whole number"),
    ("model.hidden_size", math.inf, "a whole number"),
    ("model.dropout", "half", "a number"),
    ("model.dropout", False, "a number"),
    ("train.learning_rate", math.nan, "a finite number"),
    ("train.clip", math.inf, "a finite number"),
    ("train.weight_decay", {"value": 1}, "a number"),
]


def refusal(key: str, value: Any) -> str:
    """The message of the refusal of `{section: {key: value}}`."""
    section, name = key.split(".")
    with pytest.raises(ConfigError) as caught:
        Configuration.from_mapping({section: {name: value}})
    return str(caught.value)


@pytest.mark.parametrize(("key", "value", "expected"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_with_key_value_and_expectation(
    key: str, value: Any, expected: str
) -> None:
    message = refusal(key, value)
    assert message.startswith(f"{key} = {value!r}: expected ")
    assert expected in message


@pytest.mark.parametrize(("key", "value", "expected"), OUT_OF_RANGE)
def test_the_constructor_refuses_what_a_mapping_may_not_hold(key: str, value: Any, expected: str) -> None:
    section, name = key.split(".")
    part = {"text": TextConfig, "model": ModelConfig, "train": TrainConfig}[section]
    with pytest.raises(ConfigError, match=re.escape(expected)):
        part(**{name: value})


def test_text_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model.vectors = '.*': expected text that a file can hold"):
        Configuration().with_values({"model.vectors": os.fsdecode(b"\xb8\xae.txt")})


@pytest.mark.parametrize(("key", "value", "expected"), WRONG_TYPE)
def test_a_value_of_the_wrong_type_is_refused_with_key_value_and_expectation(
    key: str, value: Any, expected: str
) -> None:
    assert refusal(key, value) == f"{key} = {value!r}: expected {expected}"


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (ModelConfig, "hidden_size", "8"),
        (ModelConfig, "hidden_size", 8.5),
        (ModelConfig, "dropout", None),
        (ModelConfig, "bidirectional", "yes"),
        (TextConfig, "pattern", 5),
        (TextConfig, "pad_to", None),
        (TrainConfig, "learning_rate", "fast"),
        (TrainConfig, "batch_size", True),
    ],
)
def test_the_constructor_refuses_wrong_types_too(part: type, name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        part(**{name: value})


def test_a_number_too_large_for_a_float_is_refused() -> None:
    assert "expected a" in refusal("train.clip", 10**400)


def test_the_refusal_of_a_padding_says_that_a_number_would_do() -> None:
    assert "number" in refusal("text.pad_to", "longest").split("expected")[1]


def test_a_configuration_error_is_a_value_error_and_of_the_tree() -> None:
    with pytest.raises(ValueError, match="batch_size") as caught:
        TrainConfig(batch_size=0)
    assert isinstance(caught.value, YeounError)


@pytest.mark.parametrize("section", ["text", "model", "train"])
def test_an_unknown_key_is_refused_with_the_keys_that_exist(section: str) -> None:
    message = refusal(f"{section}.colour", "red")
    assert message.startswith(f"{section}.colour: no such key; expected one of ")
    for key in Configuration().to_mapping()[section]:
        assert key in message
    with pytest.raises(ConfigError, match=rf"{section}\.colour"):
        Configuration().with_values({f"{section}.colour": "red"})


def test_an_unknown_section_is_refused_with_the_sections_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"'modle'.*text, model, train"):
        Configuration.from_mapping({"modle": {}})


@pytest.mark.parametrize("values", [None, 5, "words", ["scheme"]])
def test_a_section_that_is_no_table_is_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"section 'text': got .* expected a table"):
        Configuration.from_mapping({"text": values})


@pytest.mark.parametrize("key", ["scheme", "text", "text.", ".scheme", "", "data.scheme", "text.scheme.x"])
def test_an_assignment_that_names_no_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Configuration().with_values({key: "words"})


def test_missing_keys_take_their_defaults() -> None:
    assert Configuration.from_mapping({}) == Configuration()
    changed = Configuration.from_mapping({"model": {"layers": 2}})
    assert changed == Configuration(model=ModelConfig(layers=2))


configurations = st.builds(
    Configuration,
    text=st.builds(
        TextConfig,
        scheme=st.sampled_from(SCHEMES[:-1]),
        pattern=st.text(max_size=5),
        lowercase=st.booleans(),
        vocabulary_size=st.integers(0, 10_000_000),
        minimum_count=st.integers(1, 1_000_000),
        maximum_length=st.integers(1, 500),
        truncate=st.sampled_from(["front", "back", "middle"]),
        start_token=st.booleans(),
        pad_to=st.sampled_from(["none", "batch"]) | st.integers(500, 1_000_000),
        pad_side=st.sampled_from(["front", "back"]),
    ),
    model=st.builds(
        ModelConfig,
        encoder=st.sampled_from(ENCODERS),
        hidden_size=st.integers(1, 65536),
        bidirectional=st.booleans(),
        pooling=st.sampled_from(POOLINGS),
        dropout=st.floats(0, 0.95),
    ),
    train=st.builds(
        TrainConfig,
        learning_rate=st.floats(0, 100, exclude_min=True),
        epochs=st.integers(1, 100_000),
        clip=st.floats(0, 1e9),
        validation_share=st.floats(0.001, 0.9),
    ),
)


@untimed
@given(configurations)
def test_a_mapping_of_a_configuration_reads_back_as_it(configuration: Configuration) -> None:
    mapping = configuration.to_mapping()
    assert Configuration.from_mapping(mapping) == configuration
    assert Configuration.from_mapping(json.loads(json.dumps(mapping))) == configuration


@untimed
@given(configurations)
def test_every_value_written_as_text_reads_back_by_its_type(configuration: Configuration) -> None:
    written = {
        f"{section}.{key}": str(value)
        for section, values in configuration.to_mapping().items()
        for key, value in values.items()
    }
    assert Configuration().with_values(written) == configuration


def test_strings_are_read_by_the_type_of_the_key() -> None:
    changed = Configuration().with_values(
        {
            "text.lowercase": "False",
            "text.vocabulary_size": "500",
            "text.pattern": "5",
            "text.pad_to": "400",
            "model.bidirectional": "true",
            "train.learning_rate": "1e-4",
            "train.clip": "2",
        }
    )
    assert changed.text.lowercase is False
    assert changed.text.vocabulary_size == 500
    assert changed.text.pattern == "5"
    assert changed.text.pad_to == 400
    assert changed.model.bidirectional is True
    assert changed.train.learning_rate == 1e-4
    assert changed.train.clip == 2.0
    assert Configuration().with_values({"text.pad_to": "batch"}).text.pad_to == "batch"


def test_values_are_changed_in_a_copy() -> None:
    before = Configuration()
    after = before.with_values({"model.layers": 3})
    assert (before.model.layers, after.model.layers) == (1, 3)
    assert dataclasses.replace(after, model=before.model) == before


def test_values_that_fit_together_are_taken_in_any_order() -> None:
    wanted = {"text.pad_to": "100", "text.maximum_length": "100"}
    turned = dict(reversed(wanted.items()))
    assert Configuration().with_values(turned).text.pad_to == 100
    assert Configuration().with_values(wanted) == Configuration().with_values(turned)


def test_a_configuration_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Configuration().model.layers = 2  # type: ignore[misc]


def test_the_names_in_the_configuration_are_the_keys_of_the_lookups() -> None:
    assert tuple(schemes.SCHEMES) == SCHEMES
    assert (*cells.CELLS, "convolution") == ENCODERS
    assert tuple(pooling.POOLINGS) == POOLINGS


row_statistics = st.builds(
    RowStatistics,
    rows=st.integers(0, 10**9),
    classes=st.integers(0, 1000),
    mean_words=st.floats(0, 1e6),
    long_words=st.floats(0, 1e7),
    hangul_share=st.floats(0, 1),
)


@pytest.mark.parametrize("name", PRESETS)
@untimed
@given(statistics=row_statistics)
def test_a_preset_is_pure_and_gives_a_valid_configuration(name: str, statistics: RowStatistics) -> None:
    configuration = presets.resolve(name, statistics)
    assert presets.resolve(name, dataclasses.replace(statistics)) == configuration
    assert Configuration.from_mapping(configuration.to_mapping()) == configuration
    assert configuration.text.pad_to == "none"


@pytest.mark.parametrize("name", PRESETS)
def test_many_korean_texts_are_cut_into_subwords_and_others_into_words(name: str) -> None:
    for hangul_share, scheme in ((0.9, "unigram"), (0.0, "words")):
        statistics = RowStatistics(150_000, 2, 8.0, 20.0, hangul_share)
        assert presets.resolve(name, statistics).text.scheme == scheme


@untimed
@given(statistics=row_statistics)
def test_a_more_thorough_preset_never_reads_less_nor_trains_shorter_unless_pretrained(
    statistics: RowStatistics,
) -> None:
    by_effort = [presets.resolve(name, statistics) for name in ("fast", "balanced", "accurate")]
    for less, more in pairwise(by_effort):
        assert less.train.epochs <= more.train.epochs or more.train.pretrain_epochs
        assert less.text.maximum_length <= more.text.maximum_length
        assert less.model.hidden_size <= more.model.hidden_size


def test_an_unknown_preset_is_refused_with_the_names() -> None:
    with pytest.raises(ConfigError, match=r"'best'.*fast, balanced, accurate"):
        presets.resolve("best", RowStatistics(10, 2, 5.0, 9.0, 0.0))


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_reads_and_says_what_it_is(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert Configuration.from_mapping(recipe.configuration.to_mapping()) == recipe.configuration
    assert recipe.about.keys() >= {"title", "source", "train", "published"}
    assert recipe.about["defects" if name.endswith("-as-published") else "repairs"]


def test_every_published_recipe_has_a_repaired_one_that_reads_no_padding() -> None:
    names = recipe_names()
    published = [name for name in names if name.endswith("-as-published")]
    assert published
    for name in published:
        assert name.removesuffix("-as-published") in names
    for name in set(names) - set(published):
        assert read_recipe(name).configuration.text.pad_to == "none"


def test_an_unknown_recipe_is_refused_with_the_names() -> None:
    with pytest.raises(ConfigError, match=r"'imdb-transformer'.*imdb-lstm"):
        read_recipe("imdb-transformer")

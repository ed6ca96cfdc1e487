"""One answer behind every door: the command line, the estimator and a loaded model agree on any text."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from conftest import TINY, make_rows
from yeoun import Model, RecurrentTextClassifier, load
from yeoun.bundle import ModelBundle
from yeoun.cli import main
from yeoun.inference import predict_proba

Floats = npt.NDArray[np.float32]

TEXTS = {
    "empty": "",
    "blank": " \t ",
    "one token": "lovely",
    "only unknown tokens": "xyzzy plugh frotz",
    "emoji": "lovely 👩‍👩‍👧‍👦 film 😀🇰🇷",
    "decomposed Hangul": "\u110c\u1162\u1106\u1175\u11bb\u1103\u1161 정말 \u110e\u116c\u1100\u1169",
    "100,000 words": " ".join(["boring", "the", "film", "was"] * 25_000),
    "negative": "the film was really terrible",
    "positive": "wonderful story, lovely film, 재밌다",
}
NAMES = list(TEXTS)
ALL = list(TEXTS.values())


@pytest.fixture(scope="module", params=["read-whole", "cut-short"])
def classifier(request: pytest.FixtureRequest) -> RecurrentTextClassifier:
    rows = make_rows(160)
    longest = {"read-whole": 0, "cut-short": 30}[request.param]
    values = {**TINY, "text.scheme": "words", "text.maximum_length": longest}
    labels = [rows.label_names[target] for target in rows.targets]
    return RecurrentTextClassifier(values=values, random_state=1).fit(rows.texts, labels)


@pytest.fixture(scope="module")
def folder(classifier: RecurrentTextClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("doors") / "model"
    classifier.save(place)
    return place


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Model:
    return load(folder)


@pytest.fixture(scope="module")
def together(classifier: RecurrentTextClassifier) -> Floats:
    """The estimator's probabilities of all texts in one call."""
    return classifier.predict_proba(ALL)


def at_the_command_line(*arguments: str) -> tuple[list[str], Floats]:
    """Return the labels and the probabilities that `predict --json` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        assert main(["predict", *arguments, "--json"]) == 0
    answers = [json.loads(line) for line in printed.getvalue().splitlines()]
    probabilities = [list(answer["probabilities"].values()) for answer in answers]
    return [answer["label"] for answer in answers], np.array(probabilities, np.float32)


def test_the_texts_are_what_they_are_called(classifier: RecurrentTextClassifier) -> None:
    ids, offsets, _ = classifier.bundle_.indexer.index(ALL)
    tokens = {name: ids[offsets[i] : offsets[i + 1]].tolist() for i, name in enumerate(NAMES)}
    assert tokens["empty"] == tokens["blank"] == []
    assert len(tokens["one token"]) == 1
    assert tokens["only unknown tokens"] == [1, 1, 1]
    assert len(tokens["100,000 words"]) == (classifier.bundle_.configuration.text.maximum_length or 100_000)
    assert set(tokens["decomposed Hangul"]).isdisjoint({1})


def test_every_text_gets_probabilities(classifier: RecurrentTextClassifier, together: Floats) -> None:
    assert together.shape == (len(ALL), 2)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
    labels = dict(zip(NAMES, classifier.predict(ALL).tolist(), strict=True))
    assert labels["negative"] == "negative"
    assert labels["positive"] == "positive"


def test_a_loaded_model_answers_as_the_estimator(
    classifier: RecurrentTextClassifier, loaded: Model, together: Floats
) -> None:
    assert loaded.predict_proba(ALL).tobytes() == together.tobytes()
    assert loaded.predict(ALL) == classifier.predict(ALL).tolist()
    assert loaded.labels == tuple(classifier.classes_.tolist())


def test_the_command_line_answers_texts_as_the_estimator(
    classifier: RecurrentTextClassifier, folder: Path, together: Floats
) -> None:
    labels, probabilities = at_the_command_line(str(folder), *ALL)
    assert probabilities.tobytes() == together.tobytes()
    assert labels == classifier.predict(ALL).tolist()


def test_the_command_line_answers_a_table_as_the_estimator(
    folder: Path, together: Floats, tmp_path: Path
) -> None:
    with (tmp_path / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["number", "text"], *enumerate(ALL)])
    _, probabilities = at_the_command_line(str(folder), "--input", str(tmp_path / "texts.csv"))
    assert probabilities.tobytes() == together.tobytes()


def test_the_command_line_answers_standard_input_as_the_estimator(
    folder: Path, together: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(text + "\n" for text in ALL)))
    _, probabilities = at_the_command_line(str(folder), "--input", "-")
    assert probabilities.tobytes() == together.tobytes()


def test_a_text_alone_has_the_probabilities_it_has_beside_others(loaded: Model, together: Floats) -> None:
    alone = np.concatenate([loaded.predict_proba([text]) for text in ALL])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_the_texts_changes_no_answer(loaded: Model, together: Floats, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(ALL))
    shuffled = loaded.predict_proba([ALL[i] for i in order])
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-5)


def test_neighbours_of_any_length_change_no_answer(loaded: Model, together: Floats) -> None:
    neighbours = [" ".join(["film"] * length) for length in range(600)]
    short = [i for i, name in enumerate(NAMES) if name != "100,000 words"]
    texts = [*neighbours, *(ALL[i] for i in short), *reversed(neighbours)]
    found = loaded.predict_proba(texts)[len(neighbours) : len(neighbours) + len(short)]
    np.testing.assert_allclose(found, together[short], rtol=0, atol=1e-5)


def test_composed_and_decomposed_hangul_have_one_answer(loaded: Model, together: Floats) -> None:
    composed = loaded.predict_proba(["재밌다 정말 최고"])[0]
    np.testing.assert_allclose(composed, together[NAMES.index("decomposed Hangul")], rtol=0, atol=1e-5)


def test_bf16_answers_lie_within_its_rounding_and_keep_every_label_of_a_wider_margin(
    loaded: Model, together: Floats
) -> None:
    short = [i for i, name in enumerate(NAMES) if name != "100,000 words"]
    rough = predict_proba(loaded.bundle, [ALL[i] for i in short], "bf16")
    np.testing.assert_allclose(rough, together[short], rtol=0, atol=0.02)
    wide = np.abs(together[short, 0] - together[short, 1]) > 0.05
    assert wide.any()
    np.testing.assert_array_equal(rough.argmax(1)[wide], together[short].argmax(1)[wide])


def test_no_texts_have_no_answers_in_as_many_columns(
    classifier: RecurrentTextClassifier, loaded: Model
) -> None:
    assert classifier.predict_proba([]).shape == (0, 2)
    assert loaded.predict_proba([]).shape == (0, 2)
    assert loaded.predict([]) == classifier.predict([]).tolist() == []


@pytest.mark.parametrize("door", ["estimator", "model", "bundle"])
def test_what_is_no_text_is_refused_at_every_door(
    classifier: RecurrentTextClassifier, loaded: Model, door: str
) -> None:
    doors: dict[str, Callable[[list[str]], object]] = {
        "estimator": classifier.predict_proba,
        "model": loaded.predict_proba,
        "bundle": lambda texts: predict_proba(loaded.bundle, texts),
    }
    with pytest.raises(Exception, match=r"text 1 is 3: expected a string"):
        doors[door](["lovely", 3])  # type: ignore[list-item]


def test_answering_does_not_change_the_model(folder: Path, loaded: Model, together: Floats) -> None:
    fresh = ModelBundle.load(folder)
    before = {name: weights.copy() for name, weights in fresh.weights.items()}
    first = predict_proba(fresh, ALL[:4])
    assert predict_proba(fresh, ALL[:4]).tobytes() == first.tobytes()
    assert not fresh.network.training
    assert all(np.array_equal(before[name], weights) for name, weights in fresh.weights.items())

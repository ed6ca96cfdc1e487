"""Explanations find the words that decide, of every label; faithfulness tells them from chance."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import GOOD, TINY, make_lists, make_rows, write_csv
from yeoun import RecurrentTextClassifier
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.errors import ConfigError, DataError
from yeoun.explain import EXPLAINERS, Explanation, explain, explain_answer
from yeoun.explain.explanation import TokenScore
from yeoun.explain.faithfulness import SHARES, agreement, estimate, measure, shuffled
from yeoun.report.highlight import explanation_page, highlighted
from yeoun.training.fit import fit

Run = Callable[..., tuple[int, str, str]]
SIGNED = ("integrated-gradients", "occlusion")


@pytest.fixture(scope="module")
def of_several_labels() -> ModelBundle:
    values = {**TINY, "text.scheme": "words", "model.head": "sigmoids", "train.epochs": 12}
    return fit(make_lists(200), Configuration().with_values(values), precision="fp32")


@pytest.fixture
def saved(tmp_path: Path, both_halves: ModelBundle) -> Path:
    both_halves.save(tmp_path / "m", {}, tmp_path / "staging")
    return tmp_path / "m"


@pytest.mark.parametrize("method", SIGNED)
@pytest.mark.parametrize("word", ["lovely", "최고", "awful", "지루하다"])
def test_the_word_that_decides_has_the_highest_score(
    both_halves: ModelBundle, method: str, word: str
) -> None:
    for bundle in (both_halves, both_halves.without_ngrams()):
        explanation = explain(bundle, f"the film was really {word} and long", method)
        assert max(explanation.tokens, key=lambda token: token.score).text == word
        assert explanation.label == ("positive" if word in GOOD else "negative")
        assert sum(explanation.halves.values()) == pytest.approx(
            sum(token.score for token in explanation.tokens) if bundle.ngrams else 0
        )


@pytest.mark.parametrize("method", SIGNED)
def test_a_word_that_speaks_for_the_other_label_has_a_score_below_zero(
    both_halves: ModelBundle, method: str
) -> None:
    explanation = explain(both_halves, "lovely wonderful film, but boring", method, label="positive")
    by_word = {token.text: token.score for token in explanation.tokens}
    assert by_word["boring"] < 0 < min(by_word["lovely"], by_word["wonderful"])


@pytest.mark.parametrize("method", SIGNED)
def test_each_given_label_is_explained_by_its_own_word(of_several_labels: ModelBundle, method: str) -> None:
    explanations = explain_answer(of_several_labels, "the film of music a story war", method)
    assert [each.label for each in explanations] == ["music", "war"]
    for each in explanations:
        assert max(each.tokens, key=lambda token: token.score).text == each.label
    (likeliest,) = explain_answer(of_several_labels, "the film of a story", method)
    assert likeliest.probability < 0.5


def test_attention_and_gates_say_nothing_of_what_ngrams_alone_read(both_halves: ModelBundle) -> None:
    text = " ".join(["the long film was"] * 10)
    assert len(explain(both_halves, text).tokens) == 40
    for method in ("attention", "gates"):
        explanation = explain(both_halves, text, method)
        assert len(explanation.tokens) == 30
        assert (explanation.halves, explanation.gap) == ({}, None)
    assert all(len(trace.hidden) == 30 for trace in explanation.layers)


def test_unknown_methods_labels_and_what_is_no_text_are_refused(both_halves: ModelBundle) -> None:
    with pytest.raises(
        ConfigError, match="unknown method 'tea-leaves'; expected one of integrated-gradients,"
    ):
        explain(both_halves, "film", "tea-leaves")
    with pytest.raises(ConfigError, match="unknown label 'neutral'; expected one of negative, positive"):
        explain(both_halves, "film", label="neutral")
    with pytest.raises(DataError, match="text 0 is 3: expected a string"):
        explain(both_halves, 3)  # type: ignore[arg-type]


def test_the_estimator_explains_by_integrated_gradients_any_label() -> None:
    rows = make_rows(40)
    classifier = RecurrentTextClassifier(values={**TINY, "text.scheme": "words", "train.epochs": 1})
    classifier.fit(rows.texts, [rows.label_names[target] for target in rows.targets])
    explanation = classifier.explain("lovely film", label="negative")
    assert (explanation.label, explanation.method) == ("negative", "integrated-gradients")


# Faithfulness.


@pytest.fixture(scope="module")
def figures(both_halves: ModelBundle) -> dict[str, dict[str, dict[str, float]]]:
    return measure(both_halves, [*make_rows(60, seed=5).texts, "", " "])


def test_methods_that_know_the_label_are_faithful_and_chance_is_not(
    figures: dict[str, dict[str, dict[str, float]]],
) -> None:
    assert list(figures) == ["random", *EXPLAINERS]
    for way in ("delete", "mask"):
        by_chance = figures["random"][way]
        assert by_chance["times_random"] == 1
        for method in SIGNED:
            of = figures[method][way]
            assert of["times_random"] > 2
            assert of["sufficiency"] < by_chance["sufficiency"]
            low, high = of["comprehensiveness_ci95"]  # type: ignore[misc]
            assert low < of["comprehensiveness"] < high
    assert figures["integrated-gradients"]["gap"] < 0.01 < figures["occlusion"]["gap"]
    assert "gap" not in figures["attention"]


def test_scores_change_with_the_weights(
    figures: dict[str, dict[str, dict[str, float]]], both_halves: ModelBundle
) -> None:
    assert all(figures[method]["randomized"] < 0.5 for method in SIGNED)
    other = shuffled(both_halves)
    for name, array in both_halves.weights.items():
        assert sorted(other.weights[name].ravel()) == sorted(array.ravel())
    assert not np.array_equal(other.weights["embedding.weight"], both_halves.weights["embedding.weight"])


def test_figures_are_the_same_each_time_and_methods_that_a_network_lacks_are_left_out(
    both_halves: ModelBundle, tiny_bundle: ModelBundle
) -> None:
    texts = make_rows(8).texts
    methods = ["attention", "gates"]
    assert measure(both_halves, texts, methods) == measure(both_halves, texts, methods)
    assert list(measure(tiny_bundle, texts, methods)) == ["random", "gates"]
    assert measure(tiny_bundle, [""]) == {}


def test_a_model_agrees_with_itself_and_short_texts_have_no_order(both_halves: ModelBundle) -> None:
    found = agreement(
        both_halves, both_halves, ["the lovely film was long", "lovely film"], "integrated-gradients"
    )
    assert found[0] == pytest.approx(1)
    assert np.isnan(found[1])
    apart = agreement(both_halves, shuffled(both_halves), make_rows(20).texts, "integrated-gradients")
    assert np.nanmean(apart) < 0.5


def test_comprehensiveness_is_the_mean_fall_over_the_shares(both_halves: ModelBundle) -> None:
    text = "lovely film"  # of two tokens each share takes one
    whole = explain(both_halves, text)
    (best, rest) = sorted(whole.tokens, key=lambda token: -token.score)
    of = measure(both_halves, [text], ["integrated-gradients"])["integrated-gradients"]["delete"]
    for figure, left in (("comprehensiveness", rest), ("sufficiency", best)):
        after = explain(both_halves, left.text, label=whole.label).probability
        assert of[figure] == pytest.approx(whole.probability - after, abs=1e-5)
    assert len(SHARES) == 5


def test_an_interval_covers_the_mean_and_narrows_with_more_texts() -> None:
    values = np.random.default_rng(3).normal(1, 1, 400)
    few, many = estimate("x", values[:50]), estimate("x", values)
    assert many["x"] == pytest.approx(values.mean())
    assert many["x_ci95"][0] < values.mean() < many["x_ci95"][1]
    assert np.diff(many["x_ci95"]) < np.diff(few["x_ci95"])
    assert np.diff(many["x_ci95"]) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert estimate("x", np.array([np.nan])) == {}
    assert estimate("x", values, -np.abs(values)) == {}
    assert estimate("x", 3 * values, values)["x_ci95"] == pytest.approx([3, 3])


# Pages.


def tokens_of(text: str, spans: list[tuple[int, int, float]]) -> Explanation:
    scored = tuple(TokenScore(text[start:end], start, end, score) for start, end, score in spans)
    return Explanation("positive", 0.9, "occlusion", scored, 0.5, (), text)


def test_a_highlighted_text_is_whole_escaped_and_tells_each_score() -> None:
    text = '<script>alert(1)</script> & "fine"\nfilm '
    marked = highlighted(tokens_of(text, [(0, 0, 9.0), (0, 25, -0.5), (26, 27, 0.0), (35, 39, 1.0)]))
    assert html.unescape(re.sub(r"</?(p|span)\b[^>]*>", "", marked)) == text
    assert "<script" not in marked
    assert re.findall(r'class="(\w+)" style="--share:([\d.]+)" title="([^"]+)"', marked) == [
        ("against", "0.500", "-0.500"),
        ("for", "0.000", "+0.000"),
        ("for", "1.000", "+1.000"),
    ]


def test_tokens_that_share_characters_are_one_stretch() -> None:
    marked = highlighted(tokens_of("가나", [(0, 1, 1.0), (0, 1, 0.5), (1, 2, -3.0)]))
    assert re.findall(r'title="([^"]+)">(.)<', marked) == [("+1.500", "가"), ("-3.000", "나")]
    assert highlighted(tokens_of("", [])) == '<p class="scored"></p>'


def test_a_page_asks_nothing_of_the_network_and_runs_no_script(both_halves: ModelBundle) -> None:
    text = "<script>alert(1)</script> lovely film https://example.com"
    page = explanation_page([explain(both_halves, text, method) for method in EXPLAINERS], "Why <b>")
    assert "<script" not in page
    assert "<h1>Why &lt;b&gt;</h1>" in page
    assert not re.search(r"<(img|iframe|base)|@import|url\(|\bsrc=|\bhref=(?!\"data:,\")", page)
    assert 'Content-Security-Policy" content="default-src &#x27;none&#x27;' in page
    assert "of n-grams" in page
    assert len(page) < 20_000


# The command line.


def test_the_command_line_explains_by_integrated_gradients_and_writes_a_page(
    saved: Path, tmp_path: Path, run_cli: Run
) -> None:
    page = tmp_path / "why.html"
    status, out, err = run_cli("explain", saved, "the lovely film", "--json", "--html", page)
    assert status == 0, err
    answer = json.loads(out)
    assert list(answer) == ["label", "probability", "method", "tokens", "gap", "halves"]
    assert [list(token) for token in answer["tokens"]] == [["text", "start", "end", "score", "ngrams"]] * 3
    assert answer["method"] == "integrated-gradients"
    assert 0 <= answer["gap"] <= 0.01
    assert highlighted(explain(ModelBundle.load(saved), "the lovely film")) in page.read_text(
        encoding="utf-8"
    )
    half = tmp_path / "half.html"
    assert run_cli("explain", saved, "a \udce9 film", "--html", half)[0] == 0
    assert "?" in half.read_text(encoding="utf-8")
    assert run_cli("explain", saved, "a \udce9 film", "--picture", tmp_path / "half.png")[0] == 0
    status, _, err = run_cli("explain", saved, "film", "--html", page)
    assert (status, "exists already" in err) == (1, True)
    assert run_cli("explain", saved, "film", "--html", page, "--force")[0] == 0
    status, _, err = run_cli("explain", saved, "film", "--html", tmp_path / "why.pdf")
    assert (status, "expected a name ending in .html" in err) == (2, True)
    status, out, err = run_cli("explain", saved, "the lovely film", "--label", "negative")
    assert status == 0
    assert out.startswith("negative with a probability of 0.")
    assert re.search(r"recurrent half [+-]\d+\.\d+ and n-grams [+-]\d+\.\d+ logits; gap 0\.\d+%", err)
    _, _, err = run_cli("explain", saved, "the lovely film", "--method", "gates")
    assert "what the n-grams add is not among them" in err


def test_the_command_line_explains_each_of_several_labels(
    tmp_path: Path, of_several_labels: ModelBundle, run_cli: Run
) -> None:
    of_several_labels.save(tmp_path / "m", {}, tmp_path / "staging")
    text = "the film of music a story war"
    status, out, _ = run_cli("explain", tmp_path / "m", text, "--json")
    assert status == 0
    assert [json.loads(line)["label"] for line in out.splitlines()] == ["music", "war"]
    status, _, err = run_cli("explain", tmp_path / "m", "the film of a story")
    assert (status, "the text gets no label; the likeliest is explained" in err) == (0, True)
    status, _, err = run_cli("explain", tmp_path / "m", text, "--picture", tmp_path / "a.png")
    assert (status, "choose one with --label" in err) == (2, True)
    assert not (tmp_path / "a.png").exists()
    picture = ("--picture", tmp_path / "a.png", "--label", "war")
    assert run_cli("explain", tmp_path / "m", text, *picture)[0] == 0


def test_evaluate_says_whether_explanations_are_faithful(saved: Path, tmp_path: Path, run_cli: Run) -> None:
    rows = write_csv(tmp_path / "rows.csv", make_rows(130, seed=8))
    status, out, err = run_cli("evaluate", saved, rows, "--explanations", "--json")
    assert status == 0, err
    found = json.loads(out)["explanations"]
    assert list(found) == ["random", *EXPLAINERS]
    assert found["integrated-gradients"]["mask"]["times_random"] > 2
    assert "explaining 100 of the rows" in err
    few = write_csv(tmp_path / "few.csv", make_rows(20, seed=8))
    status, out, _ = run_cli("evaluate", saved, few, "--explanations")
    assert status == 0
    for method in found:
        assert re.search(rf"^{method} +delete 0\.\d{{4}}  \(95 % interval ", out, re.M)
    assert "explanations" not in run_cli("evaluate", saved, few)[1]

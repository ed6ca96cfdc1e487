"""A report is one file that asks for nothing, runs nothing, shows any text as text, and says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TINY, make_lists, make_rows, write_csv
from test_metrics import untimed
from yeoun import report
from yeoun.bundle import ModelBundle
from yeoun.compare import Comparison
from yeoun.compare.weighing import Pair, Standing
from yeoun.config import Configuration
from yeoun.data.rows import Dataset, labelled
from yeoun.data.sources import read_source
from yeoun.explain import explain
from yeoun.report import comparison_page, model_report
from yeoun.report.charts import Axis
from yeoun.report.doubts import LONGEST, excerpt
from yeoun.report.evidence import LINEAR, doubted, gather, script_of, slices
from yeoun.report.markup import Html, markup, tag
from yeoun.report.words import vocabulary
from yeoun.training.fit import fit

Run = Callable[..., tuple[int, str, str]]
ATTACK = "<script>alert(1)</script>"
NAMES = ('<b onclick="alert(2)">bad</b>', "good & 'fine' \u202e")
OF_ROWS = ["confusion", "classes", "calibration", "trust", "slices", "mistakes", "label_errors", "examples"]
ALWAYS = ["summary", "training", "cost", "configuration", "provenance"]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its text; unbalanced ones fail."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(name)
        self.attributes += [(name, key, value or "") for key, value in attributes]
        if name not in ("meta", "link", "input", "br"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, key: str) -> list[str]:
        return [value for _, each, value in self.attributes if each == key]


def attacking_rows(count: int, seed: int = 0) -> Dataset:
    """Rows whose texts and labels are markup; one in eight has the wrong label."""
    rows = make_rows(count, seed)
    texts = [f'{ATTACK} {text} "><img src=x onerror=alert(3)> &amp; {i}' for i, text in enumerate(rows.texts)]
    wrong = np.arange(count) % 8 == 3
    return labelled(texts, [NAMES[target ^ int(w)] for target, w in zip(rows.targets, wrong, strict=True)])


@pytest.fixture(scope="module")
def attacked() -> ModelBundle:
    """A model whose labels are markup."""
    values = {**TINY, "text.scheme": "words", "train.epochs": 2, "model.ngrams": True}
    rows = attacking_rows(200)
    return fit(rows, Configuration().with_values(values), precision="fp32", provenance={"source": ATTACK})


@pytest.fixture(scope="module")
def page(attacked: ModelBundle) -> str:
    return model_report(attacked, attacking_rows(60, seed=1), f"{ATTACK}.csv")


@pytest.fixture(scope="module")
def several() -> ModelBundle:
    """A model of several labels a text."""
    values = {**TINY, "text.scheme": "words", "train.epochs": 2}
    return fit(make_lists(200), Configuration().with_values(values).for_labels(3, True), precision="fp32")


# one file, which asks for nothing


def test_the_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    parsed = Page(page)
    assert not parsed.names & {"script", "img", "iframe", "object", "embed", "form", "base", "video", "audio"}
    assert set(parsed.values("href")) == {
        "data:,",
        *(f"#{key}" for key in parsed.values("id") if key != "korean"),
    }
    assert not parsed.values("src") + parsed.values("action") + parsed.values("srcset")
    assert not [key for _, key, _ in parsed.attributes if key.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", page)
    (policy,) = [value for value in parsed.values("content") if "default-src" in value]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_texts_labels_and_names_of_files_show_as_text(page: str) -> None:
    parsed = Page(page)
    assert ATTACK not in page
    assert parsed.text.count(ATTACK) > 5
    assert f"{ATTACK}.csv" in parsed.text
    assert '"><img src=x onerror=alert(3)> &amp; ' in parsed.text
    assert all(name in parsed.text for name in NAMES)
    assert any(NAMES[0] in title for title in parsed.values("title"))


@pytest.mark.parametrize("value", [ATTACK, "a & b", "'\"", 3, 0.5])
def test_what_is_no_markup_is_escaped_wherever_it_stands(value: object) -> None:
    made = tag("p", value, markup("x", value), tag("b", value), title=value)
    parsed = Page(made)
    assert parsed.names == {"p", "b"}
    assert parsed.text == f"{value}x{value}{value}"
    assert parsed.values("title") == [str(value)]


def test_markup_stays_markup_and_nothing_is_nothing() -> None:
    assert tag("p", Html("<i>a</i>"), None, class_=None, data_x=1) == '<p data-x="1"><i>a</i></p>'
    assert tag("br") == "<br>"


def test_every_section_has_its_place_and_its_address(page: str, attacked: ModelBundle) -> None:
    assert [each for each in Page(page).values("id") if each != "korean"] == [
        *ALWAYS[:2],
        *OF_ROWS,
        *ALWAYS[2:],
    ]
    alone = Page(model_report(attacked))
    assert [each for each in alone.values("id") if each != "korean"] == ALWAYS


def test_a_long_text_is_shortened_to_its_weightiest_part(attacked: ModelBundle) -> None:
    words = "film story " * 1_000
    explanation = explain(attacked, f"great {words}")
    short = excerpt(explanation)
    assert len(short.text) < LONGEST + 20
    assert short.text.startswith("great film")
    assert short.text.endswith("[...]")
    for token in short.tokens:
        assert short.text[token.start : token.end] == token.text
    whole = explain(attacked, "a short text")
    assert excerpt(whole) == whole
    rows = labelled([f"{words} {i}" for i in range(10)], [NAMES[i % 2] for i in range(10)])
    assert len(model_report(attacked, rows, "long")) < 500_000


# both languages


def test_everything_is_said_in_both_languages(page: str) -> None:
    classes = Page(page).values("class")
    assert classes.count("en") == classes.count("ko") > 100
    for key, (english, korean) in vocabulary().items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", korean)), key
        assert english == korean or re.search("[가-힣]", korean), key


def test_no_words_are_left_that_nothing_says() -> None:
    room = Path(report.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    figures = {"accuracy", "subset_accuracy", "micro_f1", "macro_f1", "log_loss", "ece"}
    assert [key for key in vocabulary() if f'"{key}"' not in source and key not in figures] == []


def test_korean_shows_first_where_hangul_prevails_in_the_vocabulary(attacked: ModelBundle) -> None:
    assert 'lang="en"><head>' in model_report(attacked)
    rows = labelled(
        [f"정말 {'재밌다' if i % 2 else '지루하다'} 영화 {i}" for i in range(60)], ["부정", "긍정"] * 30
    )
    values = {**TINY, "text.scheme": "words", "train.epochs": 1}
    korean = model_report(fit(rows, Configuration().with_values(values), precision="fp32"))
    assert 'lang="ko"><head>' in korean
    assert "checked" in {key for _, key, _ in Page(korean).attributes}


# what it says


def test_the_summary_has_the_figures_that_evaluate_prints(
    tmp_path: Path, attacked: ModelBundle, run_cli: Run
) -> None:
    attacked.save(tmp_path / "model", {}, tmp_path / "staging")
    rows = write_csv(tmp_path / "rows.csv", attacking_rows(60, seed=1))
    figures = json.loads(run_cli("evaluate", tmp_path / "model", rows, "--json")[1])
    status, _, err = run_cli("report", tmp_path / "model", rows, "--out", tmp_path / "report.html")
    assert status == 0, err
    parsed = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    for name in ("accuracy", "macro_f1", "log_loss", "ece"):
        assert f"{figures[name]:.4f}" in parsed.text
    for other in ("recurrent_alone", "linear_baseline"):
        assert f"{figures[other]['accuracy']:.4f}" in parsed.text
    assert f"Of 60 rows of {tmp_path}/rows.csv, {figures['accuracy']:.1%} are answered right" in parsed.text


def test_rows_have_the_numbers_of_their_file_beside_unreadable_ones(
    tmp_path: Path, attacked: ModelBundle, run_cli: Run
) -> None:
    attacked.save(tmp_path / "model", {}, tmp_path / "staging")
    rows = write_csv(tmp_path / "rows.csv", attacking_rows(150, seed=1))
    first, rest = rows.read_text(encoding="utf-8").split("\n", 1)
    rows.write_text(f"{first}\none cell alone\n{rest}", encoding="utf-8")
    assert run_cli("report", tmp_path / "model", rows, "--out", tmp_path / "report.html")[0] == 0
    shown = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    numbers = {int(found) for found in re.findall(r"row (\d+)\1(?!\d)", shown)}
    table = read_source(str(rows))
    evidence = gather(attacked, table.dataset, "", table.row_numbers)
    assert numbers
    assert numbers <= set(evidence.numbers.tolist()) == set(range(2, 152))


@pytest.mark.parametrize(
    ("own", "other", "key"),
    [
        (0.9, 0.5, "more than the linear baseline"),
        (0.5, 0.9, "The simpler model is better"),
        (0.7, 0.7, "may be noise"),
    ],
)
def test_the_summary_says_whether_the_linear_baseline_is_beaten(
    attacked: ModelBundle, own: float, other: float, key: str
) -> None:
    evidence = gather(attacked, make_rows_of(NAMES, 400), "rows")
    targets = evidence.rows.targets
    generator = np.random.default_rng(0)
    answers = [np.where(generator.random(400) < share, targets, 1 - targets) for share in (own, other)]
    changed = replace(evidence, chosen=answers[0], others={LINEAR: answers[1]})
    from yeoun.report.sections import summary

    assert key in Page(summary(attacked, changed).body).text


def make_rows_of(names: tuple[str, str], count: int) -> Dataset:
    rows = make_rows(count, seed=3)
    return Dataset(rows.texts, rows.labels, names)


def test_rows_that_the_model_was_trained_on_are_called_that(attacked: ModelBundle) -> None:
    assert "trained on: expect less" in Page(model_report(attacked, attacking_rows(200), "same")).text
    assert "trained on: expect less" not in Page(model_report(attacked, attacking_rows(199), "other")).text


def test_mistakes_are_the_surest_and_label_errors_the_least_believed(attacked: ModelBundle) -> None:
    evidence = gather(attacked, attacking_rows(160, seed=2), "rows")
    mistakes, errors = doubted(evidence, 1000)
    assert sorted(mistakes + errors) == np.flatnonzero(~evidence.right).tolist()
    assert (np.diff(evidence.certainty[mistakes]) <= 0).all()
    assert (np.diff(evidence.disbelief[errors]) <= 0).all()
    assert evidence.right_of(LINEAR)[mistakes].all()
    assert not evidence.right_of(LINEAR)[errors].any()
    flipped = np.arange(160) % 8 == 3
    assert flipped[errors[:5]].all()
    assert flipped.mean() == 0.125


def test_each_kind_of_slice_parts_the_rows(attacked: ModelBundle) -> None:
    evidence = gather(attacked, attacking_rows(60, seed=1), "rows")
    kinds: dict[str, list[int]] = {}
    for each in slices(evidence):
        kinds.setdefault(each.kind, []).extend(each.rows.tolist())
    assert set(kinds) == {"by_length", "by_unknown", "by_script"}
    for rows in kinds.values():
        assert sorted(rows) == list(range(60))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("정말 good 영화", "Hangul"),
        ("a film", "Latin"),
        ("фильм", "Cyrillic"),
        ("映画", "Cjk"),
        ("123 !!", ""),
        ("", ""),
    ],
)
def test_the_script_of_a_text_is_that_of_most_of_its_letters(text: str, script: str) -> None:
    assert script_of(text) == script


# any model, any rows


def test_a_model_of_several_labels_a_text_has_a_report(several: ModelBundle) -> None:
    parsed = Page(model_report(several, make_lists(50, seed=4), "lists"))
    found = [each for each in parsed.values("id") if each != "korean"]
    assert found == [*ALWAYS[:2], *OF_ROWS[1:], *ALWAYS[2:]]
    assert "have all their labels right" in parsed.text


@pytest.mark.parametrize("texts", [[""], ["great"], ["", "", ""], ["\x00 \ud800 e\u0301", "great"]])
def test_any_rows_have_a_report(tiny_bundle: ModelBundle, texts: list[str]) -> None:
    names = tiny_bundle.label_names
    rows = Dataset(texts, np.arange(len(texts)) % 2, names)
    parsed = Page(model_report(tiny_bundle, rows, "few").encode("utf-8", "replace").decode())
    assert [each for each in parsed.values("id") if each != "korean"] == [*ALWAYS[:2], *OF_ROWS, *ALWAYS[2:]]


def test_a_model_without_baseline_history_or_stored_thresholds_has_a_report(tiny_bundle: ModelBundle) -> None:
    older = {name: value for name, value in tiny_bundle.metrics.items() if name != "least_probabilities"}
    bare = replace(tiny_bundle, baseline=None, history=(), metrics=older)
    parsed = Page(model_report(bare, make_rows(30, seed=2), "rows"))
    assert {"training", "label_errors"}.isdisjoint(parsed.values("id"))
    assert "stores no probabilities" in parsed.text


@untimed
@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6), about=st.integers(2, 10))
def test_ticks_lie_on_the_axis_a_few_of_them_equally_far_apart(low: float, span: float, about: int) -> None:
    ticks = Axis(low, low + span).ticks(about)
    slack = 1e-6 * span + 1e-9 * abs(low)
    assert 1 <= len(ticks) <= about + 1 or about < 4
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)
    assert np.ptp(np.diff(ticks)) <= slack if len(ticks) > 2 else True


# the command


def test_report_refuses_what_it_cannot_write_or_read(
    tmp_path: Path, tiny_bundle: ModelBundle, run_cli: Run
) -> None:
    model = tmp_path / "model"
    tiny_bundle.save(model, {}, tmp_path / "staging")
    status, _, err = run_cli("report", model, "--out", tmp_path / "report.pdf")
    assert (status, "ending in .html" in err) == (2, True)
    out = tmp_path / "report.html"
    assert run_cli("report", model, "--out", out)[0] == 0
    before = out.read_bytes()
    status, _, err = run_cli("report", model, "--out", out)
    assert (status, "--force" in err) == (1, True)
    empty = tmp_path / "none.csv"
    empty.write_text("text,label\n", encoding="utf-8")
    status, _, err = run_cli("report", model, empty, "--out", out, "--force")
    assert (status, "no rows" in err) == (1, True)
    assert out.read_bytes() == before
    assert run_cli("report", model, "--out", out, "--force")[0] == 0
    assert out.read_bytes() == before


# comparisons


@pytest.fixture
def comparison() -> Comparison:
    def standing(name: str, accuracy: float) -> Standing:
        figures = {
            "accuracy": accuracy,
            "accuracy_ci95": [accuracy - 0.02, accuracy + 0.02],
            "macro_f1": accuracy,
        }
        half = None if name == "linear" else {"accuracy": accuracy - 0.1, "macro_f1": accuracy - 0.1}
        return Standing(
            name, name, [0], figures, {"accuracy": [accuracy]}, half, 1.5, 2_000_000, 12_345, 678.0
        )

    standings = [standing(ATTACK, 0.9), standing("rnn", 0.8), standing("linear", 0.89)]
    pairs = [
        Pair(first, second, {"accuracy": by, "accuracy_ci95": [by - 0.02, by + 0.02]}, [p], p, p)
        for first, second, by, p in ((ATTACK, "rnn", 0.1, 0.001), (ATTACK, "linear", 0.01, 0.4))
    ]
    return Comparison(1000, 200, standings, [], pairs, "", "")


def test_a_comparison_names_the_best_and_what_it_is_shown_to_be_better_than(comparison: Comparison) -> None:
    page = comparison_page(comparison, ATTACK)
    parsed = Page(page)
    assert parsed.values("id") == ["korean", "summary", "configurations", "against_cost", "pairs"]
    assert f"{ATTACK} has the best accuracy, 90.0%." in parsed.text
    assert "It is shown to be better than rnn." in parsed.text
    assert "No difference is shown between it and linear." in parsed.text
    assert ATTACK not in page
    assert "script" not in parsed.names

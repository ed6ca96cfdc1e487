"""Each finding names its rows and no others, as promised in JSON, whatever the row numbers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import FILLER, SEVERAL, lists_of, make_lists, make_rows, write_csv
from yeoun.data.rows import Dataset, labelled, labelled_with_several
from yeoun.data.tables import Table, read_dataset
from yeoun.doctor import CHECKS, Examination, Finding, examine
from yeoun.doctor.labels import confident_labels, out_of_fold, worst_first
from yeoun.doctor.texts import is_broken

RunCli = Callable[..., tuple[int, str, str]]
LONG = "the film was about a man and his dog who walk home through the whole of a very cold winter night"


def found(kind: str, rows: Dataset, test: Dataset | None = None) -> Finding | None:
    return CHECKS[kind](Examination(Table(rows), None if test is None else Table(test)))


def rows_of(kind: str, texts: list[str], labels: str = "", test: list[str] | None = None) -> list[int]:
    """Return the rows of a finding. labels: a letter each, else all the same."""
    beside = None if test is None else Dataset(test, None, ())
    finding = found(kind, labelled(texts, list(labels or "a" * len(texts))), beside)
    assert finding is None or finding.rows
    return [] if finding is None else finding.rows


def test_a_duplicate_differs_in_case_space_and_composition_only() -> None:
    texts = ["Good film", "good  film\n", "good film!", "영화", "\u110b\u1167\u11bc\u1112\u116a", "", " "]
    finding = found("duplicate", labelled(texts, ["a"] * 7))
    assert finding is not None
    assert (finding.rows, finding.like) == ([2, 5], [1, 4])


def test_a_near_duplicate_names_the_earlier_row_most_like_it_and_copies_are_none() -> None:
    texts = [f"once {LONG}", LONG, LONG.upper(), f"{LONG} indeed", "another film"]
    finding = found("near-duplicate", labelled(texts, ["a"] * 5))
    assert finding is not None
    assert (finding.rows, finding.like) == ([2, 4], [1, 2])


def test_a_leak_is_a_row_that_stands_among_the_test_rows_or_nearly() -> None:
    texts = ["new here", LONG, f"{LONG} once", "Known", "", LONG]
    test = Dataset(["other", "known", f"{LONG} indeed", "", "known"], None, ())
    finding = found("leak", labelled(texts, ["a"] * 6), test)
    assert finding is not None
    assert (finding.rows, finding.like) == ([2, 3, 4, 6], [3, 3, 2, 3])
    assert "1 word for word" in finding.advice
    assert "of 5 test rows 3 are met" in finding.advice


def test_a_near_copy_of_a_leaked_row_leaks_too() -> None:
    assert rows_of("leak", [LONG, f"{LONG} once"], test=[LONG]) == [1, 2]
    assert rows_of("leak", [f"{LONG} once", LONG], test=[LONG]) == [1, 2]


def test_two_blank_rows_are_no_copies_of_each_other() -> None:
    texts = ["정말 감동적인 영화", "", " ", "지루하다"]
    assert rows_of("duplicate", texts) == rows_of("near-duplicate", texts) == rows_of("conflict", texts) == []


def test_without_a_common_text_there_is_no_leak_and_without_test_rows_no_check() -> None:
    assert rows_of("leak", ["one", "two", ""], test=["three", ""]) == []
    assert rows_of("leak", ["one", "one"]) == []


def test_conflicting_rows_stand_together_with_one_of_the_other_label() -> None:
    texts = ["x", "y", "X", "y", "x", "z"]
    finding = found("conflict", labelled(texts, list("abbbaa")))
    assert finding is not None
    assert (finding.rows, finding.like) == ([1, 3, 5], [3, 1, 3])


def test_lists_of_labels_conflict_when_they_differ_at_all() -> None:
    rows = labelled_with_several(["x", "x", "y", "y"], [["a", "b"], ["a"], ["b"], ["b"]])
    finding = found("conflict", rows)
    assert finding is not None
    assert finding.rows == [1, 2]


def test_empty_rows_are_those_without_a_visible_character() -> None:
    assert rows_of("empty", ["", "a", " \t\n", "\u3000", "?"]) == [1, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "caf\ufffd",
        "a\x00b",
        "a\x96b",
        "and then\x85",
        "half \ud83d",
        "café".encode().decode("cp1252"),
        "don’t".encode().decode("cp1252"),
        "정말 재밌다".encode().decode("latin-1"),
        "안녕하세요".encode("cp949").decode("latin-1"),
    ],
)
def test_what_a_wrong_encoding_leaves_behind_is_broken(text: str) -> None:
    assert is_broken(text)


@pytest.mark.parametrize(
    "text",
    [
        "café, naïve, Élodie, «voilà», São Paulo, 20 °C, £5, ½, ÀÉÈ, Größe, ÄÖÜß",
        "a\ttab\r\nand a line",
        "정말 재밌다 ㅋㅋ…",
        "日本語、中文",
        "👩‍👩‍👧‍👦 😀🇰🇷",
        "",
        *FILLER,
    ],
)
def test_what_people_write_is_not_broken(text: str) -> None:
    assert not is_broken(text)


def test_long_rows_are_those_of_which_the_default_preset_leaves_tokens_out() -> None:
    short = ["the film was good"] * 190
    assert rows_of("truncated", short) == []
    finding = found("truncated", labelled([*short, " ".join(["word"] * 500)], ["a"] * 191))
    assert finding is not None
    assert finding.rows == [191]
    assert "0.5% of all rows" in finding.advice


def test_long_rows_are_found_where_no_word_stands_twice() -> None:
    texts = [" ".join(f"word{row}x{place}" for place in range(500)) for row in range(3)]
    finding = found("truncated", labelled(texts, ["a", "b", "a"]))
    assert finding is not None
    assert finding.rows == [1, 2, 3]


def test_rows_of_one_label_are_no_rows_to_learn_from() -> None:
    finding = found("imbalance", labelled(["x", "y", "z"], ["a"] * 3))
    assert finding is not None
    assert finding.rows == [1, 2, 3]
    assert "all have one label, 'a'" in finding.advice


def test_a_label_is_rare_when_another_has_ten_times_its_rows() -> None:
    assert rows_of("imbalance", ["x"] * 22, "a" * 19 + "bbb") == []
    assert rows_of("imbalance", ["x"] * 22, "b" + "a" * 20 + "b") == [1, 22]


@pytest.fixture(scope="module")
def mislabelled() -> tuple[Dataset, set[int]]:
    """400 rows that are easily told apart, and the places of those 20 whose label was turned."""
    rows = make_rows(400)
    turned = np.random.default_rng(1).choice(400, 20, replace=False)
    labels = rows.targets.copy()
    labels[turned] = 1 - labels[turned]
    return Dataset(rows.texts, labels, rows.label_names), set(turned.tolist())


def test_turned_labels_are_found_worst_first_with_the_label_they_should_have(
    mislabelled: tuple[Dataset, set[int]],
) -> None:
    rows, turned = mislabelled
    finding = found("label-error", rows)
    assert finding is not None
    assert len(turned & {row - 1 for row in finding.rows[:25]}) >= 18
    original = make_rows(400)
    for row, label in zip(finding.rows[:20], finding.suggested[:20], strict=True):
        if row - 1 in turned:
            assert label == original.label_names[original.targets[row - 1]]


def test_all_rows_are_ranked_by_what_machines_say_that_did_not_see_them(
    mislabelled: tuple[Dataset, set[int]],
) -> None:
    rows, turned = mislabelled
    probabilities = out_of_fold(rows)
    ranking = worst_first(probabilities, rows.targets)
    assert sorted(ranking.tolist()) == list(range(400))
    assert len(turned & set(ranking[:30].tolist())) >= 18
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_a_wrong_label_of_several_is_found() -> None:
    rows = make_lists(300)
    lists = lists_of(rows)
    lists[7] = [name for name in SEVERAL if name not in lists[7]]
    finding = found("label-error", labelled_with_several(list(rows.texts), lists, SEVERAL))
    assert finding is not None
    assert finding.rows[0] == 8
    assert finding.suggested[0] != ", ".join(lists[7])


def test_confidence_is_measured_by_each_labels_own_mean() -> None:
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.35, 0.65], [0.45, 0.55]], np.float32)
    labels = np.array([0, 0, 1, 1, 0])
    # The means are 0.683 of the first label's rows and 0.625 of the second's.
    assert confident_labels(probabilities, labels).tolist() == [0, 0, 1, 1, 0]
    probabilities[4] = [0.3, 0.7]
    assert confident_labels(probabilities, labels).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("parts", [1, 3])
def test_a_row_is_judged_without_its_label(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(200)
    monkeypatch.setattr("yeoun.training.ngrams.rows_within_reach", lambda texts, count, most: 200 // parts)
    labels = rows.targets.copy()
    labels[11] = 1 - labels[11]
    before = out_of_fold(rows)
    after = out_of_fold(Dataset(rows.texts, labels, rows.label_names))
    assert before[11].argmax() == after[11].argmax() == rows.targets[11]


@pytest.mark.parametrize(
    "rows", [make_rows(20), labelled(["x y"] * 90, ["a"] * 90), Dataset(["x"], None, ())]
)
def test_too_few_rows_one_label_and_none_give_no_label_errors(rows: Dataset) -> None:
    assert found("label-error", rows) is None


def test_rows_in_order_have_no_finding() -> None:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.permutation([*FILLER, f"w{i}", f"v{i}"])) for i in range(40)]
    assert examine(Table(labelled(texts, ["a", "b"] * 20)), Table(labelled(["quite another"], ["a"]))) == []


def test_rows_without_labels_are_examined_for_what_needs_none() -> None:
    kinds = [finding.kind for finding in examine(Table(Dataset(["x", "x", ""], None, ())))]
    assert kinds == ["duplicate", "empty"]


def test_row_numbers_are_those_of_the_file_where_some_could_not_be_read(tmp_path: Path) -> None:
    lines = ["text,label", *(f"text number {i},{'ab'[i % 2]}" for i in range(198)), "too,many,cells"]
    lines[3:3] = ["no label,"]
    lines += ["text number 5,b", ",a"]
    (tmp_path / "x.csv").write_text("\n".join(lines), encoding="utf-8")
    findings = {each.kind: each for each in examine(read_dataset(tmp_path / "x.csv"))}
    assert findings["duplicate"].rows == [201]
    assert findings["duplicate"].like == [7]
    assert findings["empty"].rows == [202]
    assert findings["encoding"].rows == [3, 200]
    assert findings["encoding"].advice.startswith("2 could not be read (")


def test_doctor_prints_the_promised_json(tmp_path: Path, run_cli: RunCli) -> None:
    rows = make_rows(60)
    labels = [rows.named(target) for target in rows.targets]
    rows = labelled([*rows.texts, rows.texts[0], ""], [*labels, "negative", "positive"])
    source = write_csv(tmp_path / "x.csv", rows)
    test = write_csv(tmp_path / "t.csv", rows.take(np.array([4, 5])))
    status, out, _ = run_cli("doctor", source, "--test", test, "--json")
    assert status == 0
    printed = json.loads(out)
    assert printed["rows"] == 62
    by_kind = {finding["kind"]: finding for finding in printed["findings"]}
    assert set(by_kind) <= set(CHECKS)
    for finding in printed["findings"]:
        assert set(finding) - {"like", "suggested"} == {"kind", "count", "rows", "advice"}
        assert finding["count"] == len(finding["rows"])
    assert by_kind["duplicate"]["rows"][-1] == 61
    assert list(zip(by_kind["leak"]["rows"], by_kind["leak"]["like"], strict=True))[:2] == [(5, 1), (6, 2)]
    assert by_kind["empty"]["rows"] == [62]


def test_doctor_says_each_finding_with_examples_and_advice(tmp_path: Path, run_cli: RunCli) -> None:
    rows = labelled(["a good film", "A good film", "another", "one more"], ["x", "y", "x", "y"])
    status, out, err = run_cli("doctor", write_csv(tmp_path / "x.csv", rows))
    assert status == 0
    assert out.startswith("4 rows, 2 findings\n")
    assert "duplicate: 1 row\n  row 2 (like row 1): A good film\n  Each repeats" in out
    assert "conflict: 2 rows\n" in out
    assert "4 rows, labels x, y" in err


MODULE = """
def padded(texts):
    return [len(text) / max(map(len, texts)) for text in texts]

def steady(texts):
    return [1 / (1 + len(text)) for text in texts]

def failing(texts):
    raise RuntimeError("boom")

number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "their_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # which the command adds to
    return "their_model"


def test_a_model_that_reads_padding_is_found(module: str, tmp_path: Path, run_cli: RunCli) -> None:
    source = write_csv(tmp_path / "x.csv", make_rows(40))
    status, out, _ = run_cli("doctor", source, "--model", f"{module}:padded", "--json")
    assert status == 0
    printed = json.loads(out)
    (finding,) = printed["findings"]
    assert (finding["kind"], printed["rows"]) == ("padding", 30)
    assert finding["rows"][0] == 1
    assert finding["rows"][-1] == 40
    assert "padding changes answers" in finding["advice"]


def test_a_model_that_fails_is_told_in_a_line_with_its_own(module: str, run_cli: RunCli) -> None:
    status, out, err = run_cli("doctor", "--model", f"{module}:failing")
    assert (status, out) == (1, "")
    assert re.search(r"yeoun: --model: RuntimeError in .*their_model\.py, line 9: boom; expected", err)
    assert "Traceback" not in err


def test_a_model_that_does_not_is_not_and_the_built_in_reviews_serve(module: str, run_cli: RunCli) -> None:
    status, out, err = run_cli("doctor", "--model", f"{module}:steady")
    assert (status, out) == (0, "30 rows, no findings\n")
    assert "no answer changes" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a SOURCE"),
        (["--model", "their_model:nothing"], "has no attribute 'nothing'; expected MODULE:CALLABLE"),
        (["--model", "their_model"], "expected MODULE:CALLABLE"),
        (["--model", "nowhere.at.all:f"], "expected MODULE:CALLABLE"),
        (["--model", "their_model:number"], "got int, expected"),
        (["--model", "their_model:steady", "--test", "x.csv"], "--test: expected without --model"),
    ],
)
def test_what_doctor_cannot_do_is_wrong_usage(
    module: str, run_cli: RunCli, arguments: list[str], said: str
) -> None:
    status, out, err = run_cli("doctor", *arguments)
    assert (status, out) == (2, "")
    assert said in err

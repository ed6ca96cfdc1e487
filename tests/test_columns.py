"""Several columns of a file are read as one text, a message, whose title is known as one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import make_rows
from test_user_files import LEARNING
from yeoun import load
from yeoun.data.columns import pick_columns, pick_text_column, with_message
from yeoun.data.readers import Row
from yeoun.data.sources import read_texts
from yeoun.data.tables import read_dataset
from yeoun.errors import DataError
from yeoun.text.titles import title_span

Run = Callable[..., tuple[int, str, str]]
COLUMNS = ["number", "Subject", "priority", "body", "label"]


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """The text is in the title, which is longer than a line; the body says nothing."""
    path = tmp_path / "tickets.csv"
    rows = make_rows(80)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, (text, label) in enumerate(zip(rows.texts, rows.targets, strict=True)):
            writer.writerow(
                [number, f"{text}\nplease", "", "Hello,\n\nit is urgent.", rows.label_names[label]]
            )
    return path


def test_several_columns_are_a_message(tickets: Path) -> None:
    rows = make_rows(80)
    table = read_dataset(tickets, "Subject, priority,body", "label")
    assert table.text_column == "Subject,priority,body"
    first = f"Subject: {rows.texts[0]} please\npriority: \n\nHello,\n\nit is urgent."
    assert table.dataset.texts[0] == first
    assert list(read_texts(str(tickets), "Subject,priority,body")) == list(table.dataset.texts)
    for text, message in zip(rows.texts, table.dataset.texts, strict=True):
        span = title_span(message)
        assert span is not None
        assert message[slice(*span)] == f"{text} please"


def test_a_column_is_missing_from_several(tickets: Path) -> None:
    with pytest.raises(DataError, match="no column 'titel'; expected one of number, Subject, priority, body"):
        read_dataset(tickets, "titel,body", "label")


def test_a_column_with_a_comma_in_its_name_is_one() -> None:
    columns = ["title,text", "title", "text"]
    assert pick_text_column(Path("some.csv"), columns, "title,text") == "title,text"
    row = Row(1, 2, dict(zip(columns, "abc", strict=True)))
    assert with_message(row, "title,text") == row


def test_names_are_taken_as_typed_or_without_their_blanks() -> None:
    path = Path("some.csv")
    assert pick_text_column(path, ["Subject", " body", "label"], "Subject, body") == "Subject, body"
    assert pick_text_column(path, ["Subject", "body", "label"], " Subject , body") == "Subject,body"


def test_a_name_of_several_words_is_no_end_of_the_head() -> None:
    row = Row(1, 2, {"ticket id": "7", "제목": "환불", "body": "언제"})
    message = with_message(row, "ticket id,제목,body").cells["ticket id,제목,body"]
    assert message == "ticket-id: 7\n제목: 환불\n\n언제"
    span = title_span(message)
    assert span is not None
    assert message[slice(*span)] == "환불"


def test_the_label_is_guessed_beside_several_columns() -> None:
    assert pick_columns(Path("some.csv"), ["category", "body", "team"], "category,body", None) == (
        "category,body",
        "team",
    )


def test_objects_need_not_all_have_a_title(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    rows = [{"body": "a", "label": "x"}, {"subject": "b", "body": "c", "label": "y"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert list(read_dataset(path, "subject,body", "label").dataset.texts) == [
        "subject: \n\na",
        "subject: b\n\nc",
    ]


def test_a_row_without_its_last_column_is_no_message() -> None:
    row = with_message(Row(1, 2, {"title": "a"}), "title,text")
    assert (row.cells, row.error) == ({}, "no column 'text'")
    whole = with_message(Row(1, 2, {"text": "b"}), "title,text")
    assert whole.cells["title,text"] == "title: \n\nb"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_model_of_several_columns_answers_files_and_messages_alike(
    tmp_path: Path, tickets: Path, run_cli: Run, suffix: str
) -> None:
    asked = ("--text", "Subject,body")
    code, out, _ = run_cli(
        "train",
        tickets,
        *asked,
        "--label",
        "label",
        "--preset",
        "fast",
        *LEARNING,
        "--out",
        tmp_path / "model",
    )
    assert code == 0, out
    output = tmp_path / f"labelled{suffix}"
    assert run_cli("predict", tmp_path / "model", "--input", tickets, *asked, "--output", output)[0] == 0
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file)) if suffix == ".csv" else [json.loads(line) for line in file]
    assert list(rows[0]) == [*COLUMNS[:4], "input_label", "label", "probability"]
    messages = read_dataset(tickets, "Subject,body", "label").dataset.texts
    answers = load(tmp_path / "model").predict(list(messages))
    assert [row["label"] for row in rows] == list(answers)
    assert sum(row["label"] == row["input_label"] for row in rows) > 70
    code, out, _ = run_cli("evaluate", tmp_path / "model", tickets, *asked, "--label", "label", "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] > 0.85

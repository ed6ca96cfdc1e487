"""Files of every kind and encoding become rows; what cannot be read is refused by name and line."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoun.data.readers import READERS, Row, read_rows
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_builtin, read_source
from yeoun.data.tables import pick_columns, read_dataset
from yeoun.errors import DataError, YeounError

TEXT_READERS = [suffix for suffix in READERS if suffix != ".parquet"]
ROWS = [
    ("정말 재밌는 영화", "positive"),
    ("two lines\nof text, with a comma", "negative"),
    ('she said "great"\tand left', "positive"),
    ("", "negative"),
    ("  kept as typed  ", "positive"),
]
ENCODINGS = {"utf-8": "utf-8", "with a byte-order mark": "utf-8-sig", "cp949": "cp949", "utf-16": "utf-16"}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress}


def quoted(rows: list[tuple[str, str]], delimiter: str, header: tuple[str, str] = ("text", "label")) -> str:
    """The rows as the csv module writes them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows([header, *rows])
    return buffer.getvalue()


def pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """The rows of a dataset, labels by name."""
    names = [dataset.label_names[i] for i in dataset.targets]
    return list(zip(dataset.texts, names, strict=True))


def written(path: Path, content: str | bytes) -> Path:
    """The file at `path`, with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, text: str | None = None, label: str | None = None) -> str:
    """The message of the DataError that reading `path` raises; it names the file."""
    with pytest.raises(DataError) as caught:
        read_dataset(path, text, label)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_a_quoted_table_is_read_in_every_encoding(
    tmp_path: Path, suffix: str, delimiter: str, encoding: str, compression: str
) -> None:
    content = COMPRESSIONS[compression](quoted(ROWS, delimiter).encode(ENCODINGS[encoding]))
    table = read_dataset(written(tmp_path / f"reviews.2024{suffix}{compression}", content))
    assert pairs(table.dataset) == ROWS
    assert table.dataset.label_names == ("negative", "positive")
    assert (table.text_column, table.label_column, table.bad_rows) == ("text", "label", ())


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_txt_with_tabs_is_a_table_without_quoting(
    tmp_path: Path, newline: str, encoding: str, compression: str
) -> None:
    lines = ["id\tdocument\tlabel", '1\t"정말" 5점\t1', "2\t\t0", '3\t"열린 따옴표\t0', "4\t 좋다, \t1", ""]
    content = COMPRESSIONS[compression](newline.join(lines).encode(ENCODINGS[encoding]))
    table = read_dataset(written(tmp_path / f"ratings.txt{compression}", content))
    assert pairs(table.dataset) == [('"정말" 5점', "1"), ("", "0"), ('"열린 따옴표', "0"), (" 좋다, ", "1")]
    assert (table.text_column, table.label_column) == ("document", "label")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_txt_without_a_tab_is_one_text_a_line(tmp_path: Path, encoding: str, compression: str) -> None:
    content = COMPRESSIONS[compression]('첫 줄, "하나"\n\n three\tcells \nlast'.encode(ENCODINGS[encoding]))
    rows = list(read_rows(written(tmp_path / f"texts.txt{compression}", content)))
    assert [row.cells for row in rows] == [
        {"text": '첫 줄, "하나"'},
        {"text": ""},
        {"text": " three\tcells "},
        {"text": "last"},
    ]
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 2), (3, 3), (4, 4)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_survives_csv_and_tsv(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        path = written(tmp_path / f"any{suffix}", quoted(rows, delimiter))
        assert pairs(read_dataset(path).dataset) == rows


def test_rows_know_their_number_and_their_line(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", 'text,label\n"a\nb",1\n\nc\nd,0\n')
    assert list(read_rows(path)) == [
        Row(1, 2, {"text": "a\nb", "label": "1"}),
        Row(2, 5, {}, "got 1 cells, expected 2"),
        Row(3, 6, {"text": "d", "label": "0"}),
    ]


def test_a_blank_line_is_a_row_only_where_there_is_one_column(tmp_path: Path) -> None:
    two = written(tmp_path / "two.csv", "text,label\na,1\n\nb,0\n\n")
    one = written(tmp_path / "one.csv", "text\na\n\nb\n")
    assert [row.number for row in read_rows(two)] == [1, 2]
    assert [row.cells["text"] for row in read_rows(one)] == ["a", "", "b"]


def test_a_cell_larger_than_the_csv_default_is_read(tmp_path: Path) -> None:
    long = "word " * 60_000
    table = read_dataset(written(tmp_path / "long.csv", quoted([(long, "a"), ("short", "b")], ",")))
    assert table.dataset.texts[0] == long


def test_labels_are_stripped_and_texts_are_not(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "text,label\n a , pos \nb,pos\nc,neg\n")
    assert pairs(read_dataset(path).dataset) == [(" a ", "pos"), ("b", "pos"), ("c", "neg")]


def test_number_labels_are_ordered_by_value(tmp_path: Path) -> None:
    rows = [("a", "10"), ("b", "9"), ("c", "-1"), ("d", "other")]
    table = read_dataset(written(tmp_path / "x.csv", quoted(rows, ",")))
    assert table.dataset.label_names == ("-1", "9", "10", "other")


@pytest.mark.parametrize(
    ("columns", "text", "label", "expected"),
    [
        (["text", "label"], None, None, ("text", "label")),
        (["Label", " Review "], None, None, (" Review ", "Label")),
        (["id", "document", "label"], None, None, ("document", "label")),
        (["what", "sentiment"], None, None, ("what", "sentiment")),
        (["what", "stars"], "what", None, ("what", "stars")),
        (["what", "stars"], None, "stars", ("what", "stars")),
        (["text", "label", "content", "class"], "content", "class", ("content", "class")),
    ],
)
def test_columns_are_guessed_where_one_guess_is_sensible(
    columns: list[str], text: str | None, label: str | None, expected: tuple[str, str]
) -> None:
    assert pick_columns(Path("x.csv"), columns, text, label) == expected


@pytest.mark.parametrize(
    ("columns", "role"),
    [
        (["one", "two"], "label"),
        (["id", "one", "two"], "label"),
        (["text", "label", "class"], "label"),
        (["text", "review", "label"], "text"),
        (["id", "what", "label"], "text"),
        (["text"], "label"),
        (["anything"], "label"),
    ],
)
def test_an_unclear_column_is_refused_with_the_columns_and_the_flag(columns: list[str], role: str) -> None:
    with pytest.raises(DataError) as caught:
        pick_columns(Path("x.csv"), columns, None, None)
    message = str(caught.value)
    assert message.startswith("x.csv: ")
    assert f"{role} column" in message
    assert f"--{role}" in message
    for column in columns:
        assert column in message


@pytest.mark.parametrize(("text", "label"), [("body", "label"), ("text", "stars")])
def test_a_missing_column_is_refused_with_the_columns_there_are(
    tmp_path: Path, text: str, label: str
) -> None:
    message = refusal(written(tmp_path / "x.csv", quoted(ROWS, ",")), text, label)
    assert "no column" in message
    assert repr(text if text == "body" else label) in message
    assert "text, label" in message


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("suffix", TEXT_READERS)
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str, compression: str) -> None:
    path = written(tmp_path / f"x{suffix}{compression}", COMPRESSIONS[compression](b""))
    assert "empty file" in refusal(path)


@pytest.mark.parametrize("content", ["text,label\n", "text,label", "\ufefftext,label\r\n", "\n\n", "\ufeff"])
def test_a_header_alone_is_refused(tmp_path: Path, content: str) -> None:
    assert "no rows; expected a header and at least one row" in refusal(written(tmp_path / "x.csv", content))


def test_a_missing_file_a_folder_and_an_unknown_suffix_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "a folder" in refusal(tmp_path / "folder.csv")
    for name in ("x.xlsx", "x", "x.gz", "x.csv.bz2", "x.docx.gz"):
        message = refusal(written(tmp_path / name, "text,label\na,b\n"))
        assert "unknown kind of file" in message
        for suffix in TEXT_READERS:
            assert suffix in message


def test_a_source_that_cannot_be_a_path_is_refused() -> None:
    for source in ("x" * 5000, "a\0b.csv"):
        with pytest.raises(DataError, match=r"no such file|cannot be read"):
            read_source(source)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text,label\nab\0c,1\n", "binary content"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "binary content"),
        (b"text,label\n\xff\xfe\xfa,1\n", "not text in UTF-8, UTF-16 or CP949"),
        ("text,label\nété,1\n".encode("latin-1"), "not text in UTF-8, UTF-16 or CP949"),
        ("text,label\na,영".encode("cp949")[:-1], "not text in UTF-8, UTF-16 or CP949"),
        ("text,label\nI don’t know,1\nIt’s “so so”,0\n".encode("cp1252"), "save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, reason: str, compression: str) -> None:
    path = written(tmp_path / f"x.csv{compression}", COMPRESSIONS[compression](content))
    assert reason in refusal(path)


def test_a_broken_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(quoted(ROWS * 50, ",").encode())
    flipped = bytearray(whole)
    flipped[-8] ^= 0xFF  # the checksum
    for content in (
        whole[:-1],
        whole[:-9],
        whole[: len(whole) // 2],
        whole[:5],
        bytes(flipped),
        b"text,a\n1,2",
    ):
        assert "broken gzip" in refusal(written(tmp_path / "x.csv.gz", content))


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".txt", "\t")])
def test_a_column_name_that_occurs_twice_is_refused(tmp_path: Path, suffix: str, delimiter: str) -> None:
    lines = [("text", "label", "text"), ("a", "b", "c")]
    content = "".join(delimiter.join(line) + "\n" for line in lines)
    message = refusal(written(tmp_path / f"x{suffix}", content))
    assert "line 1" in message
    assert "twice" in message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('text,label\na,1\n"never closed,0\nmore,1\n', 3),
        ('text,label\n"a\nb",1\n"closed" too early,0\n', 4),
        ('"text,label\na,1\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_is_refused_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    message = refusal(written(tmp_path / "x.csv", content))
    assert f"line {line}: " in message
    assert "expected quotes to be closed" in message


def with_bad_rows(good: int, bad: int, broken: str) -> str:
    """A table of so many good rows, after the first of which come the bad ones."""
    lines = [f"text {i},{'ab'[i % 2]}" for i in range(good)]
    return "\n".join(["text,label", lines[0], *[broken] * bad, *lines[1:]])


@pytest.mark.parametrize("broken", ["one cell", "three,cells,a", "no label, "])
def test_up_to_one_per_cent_of_bad_rows_is_left_out_and_counted(tmp_path: Path, broken: str) -> None:
    table = read_dataset(written(tmp_path / "x.csv", with_bad_rows(198, 2, broken)))
    assert len(table.dataset) == 198
    assert table.bad_rows == (2, 3)
    assert list(table.dataset.texts) == [f"text {i}" for i in range(198)]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("one cell", "got 1 cells, expected 2"),
        ("three,cells,a", "got 3 cells, expected 2"),
        ("no label, ", "no label in column 'label'"),
    ],
)
def test_more_than_one_per_cent_of_bad_rows_is_refused_with_file_and_line(
    tmp_path: Path, broken: str, reason: str
) -> None:
    message = refusal(written(tmp_path / "x.csv", with_bad_rows(197, 2, broken)))
    assert f"x.csv, line 3: {reason}; 2 of 199 rows" in message


def test_a_file_of_bad_rows_only_is_refused(tmp_path: Path) -> None:
    message = refusal(written(tmp_path / "x.tsv", "text\tlabel\nalone\nalone\n"))
    assert "line 2: got 1 cells, expected 2; 2 of 2 rows" in message


def test_a_bad_row_of_a_txt_table_is_named_by_its_line(tmp_path: Path) -> None:
    message = refusal(written(tmp_path / "x.txt", "id\tdocument\tlabel\n1\ta\t0\n2\tb\n"))
    assert "x.txt, line 3: got 2 cells, expected 3" in message


def test_labels_follow_the_names_of_a_model(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "text,label\na,b\nc,d\n")
    dataset = read_dataset(path, names=("d", "c", "b")).dataset
    assert dataset.label_names == ("d", "c", "b")
    assert dataset.targets.tolist() == [2, 0]


def test_a_label_that_a_model_does_not_know_is_refused_with_those_it_knows(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "text,label\na,good\nb,odd\n")
    with pytest.raises(DataError, match=r"unknown label 'odd': expected one of bad, good") as caught:
        read_dataset(path, names=("bad", "good"))
    assert isinstance(caught.value, YeounError)


def test_a_refused_file_is_closed_again(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", b"\0")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        refusal(path)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_the_builtin_reviews_are_balanced_enough_and_of_two_labels() -> None:
    dataset = read_builtin()
    counts = [int((dataset.targets == i).sum()) for i in range(len(dataset.label_names))]
    assert len(counts) == 2
    assert min(counts) > 0.4 * len(dataset)
    assert all(text.strip() for text in dataset.texts)


def test_jsonl_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [{"text": text, "label": i % 2 == 0} for i, (text, _) in enumerate(ROWS)]
    lines = written(tmp_path / "x.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n\n")
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    first, second = (read_dataset(path).dataset for path in (lines, tmp_path / "x.parquet"))
    assert pairs(first) == pairs(second) == [(row["text"], str(row["label"]).lower()) for row in rows]


def test_a_folder_per_class_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, text in (("neg/2.txt", "나쁘다"), ("neg/10.txt", "bad"), ("pos/1.txt", ""), ("pos/3", "good")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="cp949" if text == "나쁘다" else "utf-8")
    expected = [("bad", "neg"), ("나쁘다", "neg"), ("", "pos"), ("good", "pos")]
    assert pairs(read_dataset(tmp_path).dataset) == expected


def test_rare_syllables_are_read_among_frequent_ones(tmp_path: Path) -> None:
    text = "똠방각하가 뷁 쀍 하고 웃었다"
    path = written(tmp_path / "x.csv", f"text,label\n{text},1\nb,0\n".encode("cp949"))
    assert read_dataset(path).dataset.texts[0] == text


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_folders_named_in_cp949_are_classes_of_their_own(tmp_path: Path) -> None:
    for name in ("긍정", "부정"):
        folder = os.fsencode(tmp_path) + b"/" + name.encode("cp949")
        os.mkdir(folder)
        Path(os.fsdecode(folder + b"/1.txt")).write_text(name, encoding="utf-8")
    assert pairs(read_dataset(tmp_path).dataset) == [("긍정", "긍정"), ("부정", "부정")]
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff/1.txt")).write_text("x", encoding="utf-8")
    assert "rename the folder" in refusal(tmp_path)


def test_a_line_of_json_that_is_too_deep_or_has_no_number_is_one_bad_row(tmp_path: Path) -> None:
    lines = ["[" * 100_000, json.dumps({"text": "a", "label": float("nan")})]
    lines += [json.dumps({"text": str(i), "label": i % 2}) for i in range(198)]
    path = written(tmp_path / "x.jsonl", "\n".join(lines))
    rows = list(read_rows(path))
    assert rows[0].error is not None
    assert rows[1].cells == {"text": "a", "label": ""}
    assert len(rows) == 200


def test_a_label_of_very_many_digits_is_a_label(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", f"text,label\na,{'9' * 5_000}\nb,7\n")
    assert read_dataset(path).dataset.label_names == ("7", "9" * 5_000)


def test_a_folder_without_classes_and_lines_without_json_are_refused(tmp_path: Path) -> None:
    assert "folder per class" in refusal(tmp_path)
    assert "not JSON" in refusal(written(tmp_path / "x.jsonl", '{"text": "a", "label": 1}\n{"text": \n'))
    assert "expected a JSON object" in refusal(written(tmp_path / "y.jsonl", "3\n4\n"))
    assert "not parquet" in refusal(written(tmp_path / "z.parquet", b"PAR1 and no more"))
    mixed = '{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": "x"}\n'
    assert "got one label, where the first row has a list" in refusal(written(tmp_path / "l.jsonl", mixed))


def test_blank_lines_are_no_rows_of_a_table(tmp_path: Path) -> None:
    for name, content in (
        ("x.csv", "\n\ntext,label\na,1\n\nb,2\n"),
        ("y.txt", "text\tlabel\na\t1\n\nb\t2\n\n"),
    ):
        assert pairs(read_dataset(written(tmp_path / name, content)).dataset) == [("a", "1"), ("b", "2")]

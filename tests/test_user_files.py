"""Twenty files as people have them: each trains, evaluates and predicts, and its model travels."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conftest import FLAGS
from yeoun import load

Run = Callable[..., tuple[int, str, str]]

ROWS = 80
# Enough for every row's marks to be learned.
LEARNING = [
    part
    for value in [
        "train.batch_size=8",
        "train.epochs=6",
        "train.learning_rate=0.05",
        "train.validation_share=0.2",
        "model.dropout=0",
    ]
    for part in ("--set", value)
]
COMMON = {
    "english": ["the", "film", "was", "a", "long", "story", "of", "people"],
    "korean": ["영화", "배우", "연기", "내용", "음악", "장면"],
}
COMMON["mixed"] = COMMON["english"][:4] + COMMON["korean"][:4]
COMMON["decomposed"] = COMMON["korean"]
COMMON["emoji"] = ["the", "film", "🎬", "🍿", "was", "영화"]
# One word a label, which decides it.
MARKS = {
    "english": ["awful", "lovely", "gripping"],
    "korean": ["지루하다", "재밌다", "감동적이다"],
    "mixed": ["terrible", "재밌다", "moving"],
    "decomposed": ["지루하다", "재밌다", "감동적이다"],
    "emoji": ["😡", "😀", "😭"],
}
ONE_OF_TWO: dict[str, tuple[Any, Any]] = {
    "text": ("negative", "positive"),
    "integers": (10, 9),
    "booleans": (False, True),
    "korean names": ("부정", "긍정"),
}
SEVERAL = {
    "text": ("drama", "comedy", "war"),
    "integers": (10, 9, 100),
    "korean names": ("가족", "코미디", "전쟁"),
}


@dataclass(frozen=True)
class UserFile:
    """How a file is written, and the names of its labels in the order a model has them.

    lists: how several labels a row are written: "json" or "python" in a cell, "typed" as the format's own,
    empty where a row has one label.
    """

    name: str
    encoding: str
    language: str
    labels: str
    expected: tuple[str, ...]
    lists: str = ""
    columns: tuple[str, str] = ("text", "label")
    flags: tuple[str, ...] = field(default=())


NAMED = ("긍정", "부정")
FILES = [
    UserFile("reviews.csv", "utf-8", "english", "text", ("negative", "positive")),
    UserFile("리뷰.csv", "utf-8-sig", "korean", "korean names", NAMED),
    UserFile("reviews.csv", "utf-16", "mixed", "text", ("negative", "positive")),
    UserFile("reviews.csv", "cp949", "korean", "korean names", NAMED),
    UserFile("reviews.tsv", "utf-8", "emoji", "integers", ("9", "10")),
    UserFile("reviews.tsv", "cp949", "mixed", "booleans", ("False", "True")),
    UserFile("reviews.txt", "utf-16", "korean", "text", ("negative", "positive")),
    UserFile("reviews.txt", "utf-8-sig", "english", "booleans", ("False", "True")),
    UserFile("reviews.jsonl", "utf-8", "english", "booleans", ("false", "true")),
    UserFile("reviews.jsonl.gz", "utf-8", "decomposed", "korean names", NAMED),
    UserFile("reviews.parquet", "", "mixed", "integers", ("9", "10")),
    UserFile("reviews.csv.gz", "cp949", "korean", "integers", ("9", "10")),
    UserFile("classes", "utf-8-sig", "decomposed", "korean names", NAMED),
    UserFile(
        "poll.csv",
        "utf-16",
        "korean",
        "korean names",
        NAMED,
        columns=("본문", "평가"),
        flags=("--text", "본문", "--label", "평가"),
    ),
    UserFile("tags.csv", "utf-8", "english", "text", ("comedy", "drama", "war"), "json"),
    UserFile("tags.csv", "cp949", "korean", "korean names", ("가족", "전쟁", "코미디"), "python"),
    UserFile("tags.txt", "utf-8", "decomposed", "text", ("comedy", "drama", "war"), "json"),
    UserFile("tags.jsonl", "utf-8-sig", "mixed", "korean names", ("가족", "전쟁", "코미디"), "typed"),
    UserFile(
        "tags.parquet",
        "",
        "emoji",
        "text",
        ("comedy", "drama", "war"),
        "typed",
        columns=("said", "genres"),
        flags=("--text", "said", "--label", "genres"),
    ),
    UserFile("tags.jsonl.gz", "utf-16", "english", "integers", ("9", "10", "100"), "typed"),
]


def make_texts(file: UserFile) -> tuple[list[str], list[Any]]:
    """Texts with a word for each of their labels; of several labels a row none to three."""
    generator = np.random.default_rng(7)
    texts, labels = [], []
    for i in range(ROWS):
        if file.lists:
            chosen = np.flatnonzero(generator.random(3) < 0.5).tolist()
            labels.append([SEVERAL[file.labels][c] for c in chosen])
        else:
            chosen = [i % 2]
            labels.append(ONE_OF_TWO[file.labels][i % 2])
        words = [
            *generator.choice(COMMON[file.language], 4).tolist(),
            *(MARKS[file.language][c] for c in chosen),
        ]
        text = " ".join(words[p] for p in generator.permutation(len(words)))
        texts.append(unicodedata.normalize("NFD" if file.language == "decomposed" else "NFC", text))
    return texts, labels


def cell(file: UserFile, label: Any) -> Any:
    """The label as it stands in a cell of the file."""
    return json.dumps(label, ensure_ascii=False) if file.lists == "json" else str(label)


def lines(file: UserFile, texts: Sequence[str], labels: Sequence[Any]) -> str:
    """The content of a file of lines, with a column that is neither text nor label."""
    head = ["number", *file.columns]
    if ".jsonl" in file.name:
        rows = [dict(zip(head, row, strict=True)) for row in zip(range(ROWS), texts, labels, strict=True)]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    table = [head, *([str(i), texts[i], cell(file, labels[i])] for i in range(ROWS))]
    if file.name.endswith(".txt"):
        return "".join("\t".join(row) + "\r\n" for row in table)
    content = io.StringIO(newline="")
    csv.writer(content, delimiter="\t" if ".tsv" in file.name else ",").writerows(table)
    return content.getvalue()


def write(folder: Path, file: UserFile) -> tuple[Path, list[str]]:
    """Write the file, or the folder of folders; return its place and its texts in its order."""
    texts, labels = make_texts(file)
    path = folder / file.name
    if file.name.endswith(".parquet"):
        pd.DataFrame({"number": range(ROWS), file.columns[0]: texts, file.columns[1]: labels}).to_parquet(
            path
        )
    elif "." in file.name:
        encoded = lines(file, texts, labels).encode(file.encoding)
        path.write_bytes(gzip.compress(encoded) if path.suffix == ".gz" else encoded)
    else:
        for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
            (path / label).mkdir(parents=True, exist_ok=True)
            (path / label / f"{i:03}.txt").write_bytes(text.encode(file.encoding))
        texts = [texts[i] for i in sorted(range(ROWS), key=lambda i: (labels[i], i))]
    return path, texts


@pytest.mark.parametrize(
    "file",
    FILES,
    ids=[f"{f.name}-{f.encoding or 'binary'}-{f.language}-{f.labels}-{f.lists or 'one'}" for f in FILES],
)
def test_a_file_trains_a_model_that_answers_it_alike_everywhere(
    tmp_path: Path, run_cli: Run, file: UserFile
) -> None:
    path, texts = write(tmp_path, file)
    model = tmp_path / "model"

    status, out, err = run_cli("train", path, "--out", model, *FLAGS, *LEARNING, *file.flags, "--json")
    assert status == 0, err
    assert json.loads(out)["rows"] == ROWS
    assert json.loads(out)["labels"] == list(file.expected)

    status, out, err = run_cli("evaluate", model, path, *file.flags, "--json")
    assert status == 0, err
    figures = json.loads(out)
    assert figures["rows"] == ROWS
    assert figures["subset_accuracy" if file.lists else "accuracy"] > (0.5 if file.lists else 0.8)

    table = tmp_path / "answers.csv"
    status, _, err = run_cli("predict", model, "--input", path, "--output", table, *file.flags[:2])
    assert status == 0, err
    with table.open(encoding="utf-8", newline="") as opened:
        answers = list(csv.DictReader(opened))
    assert [answer[file.columns[0]] for answer in answers] == texts

    loaded = load(model)
    assert loaded.labels == file.expected
    probabilities = loaded.predict_proba(texts)
    for answer, row in zip(answers, probabilities, strict=True):
        by_name = dict(zip(file.expected, row.tolist(), strict=True))
        if file.lists:
            given = json.loads(answer["label"])
            reached = zip(file.expected, row, loaded.bundle.thresholds, strict=True)
            assert given == [name for name, value, threshold in reached if value >= threshold]
            written = json.loads(answer["probability"])
            assert written == pytest.approx([by_name[name] for name in given], abs=1e-5)
        else:
            assert answer["label"] == file.expected[int(row.argmax())]
            assert float(answer["probability"]) == pytest.approx(float(row.max()), abs=1e-5)

    shutil.copytree(model, tmp_path / "elsewhere" / "copied")
    shutil.rmtree(model)
    assert load(tmp_path / "elsewhere" / "copied").predict_proba(texts).tobytes() == probabilities.tobytes()

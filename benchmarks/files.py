"""Is the default preset below a linear model on files as people bring them?

Six files made of the named corpora's training parts, each with rows held out: sixty classes (a newsgroup, and
whether the post replies, asks or tells), one row in a hundred positive, three words a text, three thousand
words a text, Korean and English in one text, and one label in five wrong where it is learned (those held out
are right). `yeoun train FILE` with nothing but the defaults, then `yeoun evaluate`: macro F1 beside that of
the linear baseline.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from record import RUNS, record, result, yeoun

from yeoun.data.sources import read_source

Row = tuple[str, str]
SIGNS = ("negative", "positive")


def signed(corpus: str) -> list[tuple[str, int]]:
    """Return the texts of a corpus of reviews in no order, with 1 for a positive one."""
    rows = read_source(corpus).dataset
    order = np.random.default_rng(0).permutation(len(rows))
    return [(rows.texts[i], int(rows.targets[i])) for i in order]


def sixty_classes() -> Iterator[Row]:
    rows = read_source("20news").dataset
    for i in np.random.default_rng(0).permutation(len(rows)):
        text, group = rows.texts[i], rows.label_names[rows.targets[i]]
        kind = (
            "reply"
            if re.search(r"writes:|wrote:|In article", text)
            else "question"
            if "?" in text
            else "post"
        )
        yield text, f"{group}, {kind}"


def one_in_a_hundred() -> Iterator[Row]:
    positives = 0
    for text, sign in signed("nsmc")[:60_000]:
        positives += sign
        if not sign or positives % 100 == 0:
            yield text, SIGNS[sign]


def three_words() -> Iterator[Row]:
    short = (row for row in signed("nsmc") if len(row[0].split()) == 3)
    yield from ((text, SIGNS[sign]) for text, sign in short)


def three_thousand_words() -> Iterator[Row]:
    """Reviews strung together, whatever their sign; the text has that of most of them."""
    texts: list[str] = []
    words = balance = 0
    for text, sign in signed("imdb"):
        texts.append(text)
        words += len(text.split())
        balance += 1 if sign else -1
        if words >= 3_000:
            if balance:
                yield "\n".join(texts), SIGNS[balance > 0]
            texts, words, balance = [], 0, 0


def korean_and_english() -> Iterator[Row]:
    """Korean alone, English alone, and both in one text, a third each."""
    by_sign: dict[int, list[str]] = {0: [], 1: []}
    for text, sign in signed("imdb")[:8_000]:
        by_sign[sign].append(text[:300])
    for i, (text, sign) in enumerate(signed("nsmc")[:12_000]):
        other = by_sign[sign][i % len(by_sign[sign])] if i % 3 else ""
        yield (other if i % 3 == 1 else f"{text} {other}".strip()), SIGNS[sign]


def one_in_five_wrong() -> Iterator[Row]:
    yield from ((text, SIGNS[sign]) for text, sign in signed("nsmc")[:25_000])


FILES: dict[str, Callable[[], Iterator[Row]]] = {
    "sixty classes": sixty_classes,
    "one in a hundred": one_in_a_hundred,
    "three words": three_words,
    "three thousand words": three_thousand_words,
    "Korean and English": korean_and_english,
    "one label in five wrong": one_in_five_wrong,
}
HELD_OUT = 0.2
WRONG = {"one label in five wrong": 0.2}


def main(names: list[str]) -> None:
    for name in names or FILES:
        if result(place(name)) is None:
            record(place(name), run(name))


def place(name: str) -> str:
    return f"file-{list(FILES).index(name)}"


def run(name: str) -> dict[str, object]:
    folder = RUNS / place(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = list(FILES[name]())
    held_out = round(HELD_OUT * len(rows))
    scored, learned = rows[:held_out], spoilt(rows[held_out:], WRONG.get(name, 0.0))
    write(folder / "train.csv", learned)
    write(folder / "held-out.csv", scored)
    started = time.perf_counter()
    trained = yeoun("train", folder / "train.csv", "--out", folder / "model")
    seconds = time.perf_counter() - started
    tested = yeoun("evaluate", folder / "model", folder / "held-out.csv")
    shutil.rmtree(folder)
    return {
        "file": name,
        "seeds": [0],
        "rows": len(learned),
        "classes": len({label for _, label in learned}),
        "words": float(np.mean([len(text.split()) for text, _ in learned])),
        "command_seconds": round(seconds, 1),
        "epochs": trained["epochs"],
        "test": tested,
    }


def spoilt(rows: list[Row], share: float) -> list[Row]:
    """Return the rows with the other label on this share of them."""
    generator = np.random.default_rng(1)
    other = {SIGNS[0]: SIGNS[1], SIGNS[1]: SIGNS[0]}
    return [(text, other[label] if share and generator.random() < share else label) for text, label in rows]


def write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


if __name__ == "__main__":
    main(sys.argv[1:])

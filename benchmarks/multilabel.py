"""Several labels a text: 20 Newsgroups without headers, the parts of a group's name as its labels.

`talk.religion.misc` has the labels talk, religion and misc; `alt.atheism` alt and atheism: 33 labels, two to
five a post, many of them shared between groups. Trained by the preset `fast`, one seed.
"""

from __future__ import annotations

import json
from pathlib import Path

from record import RUNS, record, result, yeoun

from yeoun.data.sources import read_source


def main() -> None:
    if result("multilabel-20news") is not None:
        return
    RUNS.mkdir(exist_ok=True)
    train, test = write("train"), write("test")
    trained = yeoun("train", train, "--preset", "fast", "--out", RUNS / "multilabel", "--resume")
    record(
        "multilabel-20news",
        {
            "seeds": [0],
            "labels": len(trained["labels"]),
            "train": {key: value for key, value in trained.items() if key not in ("out", "labels")},
            "test": yeoun("evaluate", RUNS / "multilabel", test),
        },
    )


def write(part: str) -> Path:
    posts = read_source(f"20news-stripped:{part}").dataset
    path = RUNS / f"multilabel-{part}.jsonl"
    lines = (
        json.dumps({"text": text, "label": sorted(set(posts.label_names[label].split(".")))})
        for text, label in zip(posts.texts, posts.targets, strict=True)
    )
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()

"""What do the published systems reach here, as published and repaired?

One result file a run; finished runs are not run again, an interrupted one goes on. Each run trains with the
command that `yeoun recipes NAME` names (systems of a GPU's size at the stated smaller one) and keeps its
history beside the published figures.
"""

from __future__ import annotations

import json
import sys

from record import RUNS, record, result, yeoun

from yeoun.recipes import read_recipe, recipe_names

SMALLER = {
    "imdb-bilstm-attention": {
        "model.hidden_size": 64,
        "model.embedding_size": 64,
        "model.layers": 1,
        "train.learning_rate": 1e-3,
        "train.epochs": 6,
    },
}


def main(names: list[str]) -> None:
    for name in names or recipe_names():
        if result(f"recipe-{name}") is not None:
            continue
        about = read_recipe(name).about
        changed = SMALLER.get(name.removesuffix("-as-published"), {})
        flags = [part for key, value in changed.items() for part in ("--set", f"{key}={value}")]
        valid = ("--valid", about["valid"]) if "valid" in about else ()
        out = RUNS / name
        trained = yeoun("train", about["train"], *valid, "--recipe", name, *flags, "--out", out, "--resume")
        history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
        test = about.get("test")
        record(
            f"recipe-{name}",
            {
                "recipe": name,
                "changed": changed,
                "seeds": [0],
                "published": about["published"],
                "train": {key: value for key, value in trained.items() if key != "out"},
                "history": history,
                "test_source": test,
                "test": yeoun("evaluate", out, test) if test else None,
            },
        )


if __name__ == "__main__":
    main(sys.argv[1:])

"""Runs of the published systems: one file a run, never run twice, cut anywhere, told in one table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import make_rows
from yeoun import reproduce as module
from yeoun.data.tables import Table
from yeoun.errors import ConfigError, DataError
from yeoun.recipes import read_recipe, recipe_names
from yeoun.reproduce import (
    DEFAULT,
    PUBLISHED,
    defects,
    points,
    reproduce,
    result_of,
    run_names,
    systems,
    table,
)
from yeoun.training.state import Progress

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every corpus is 120 rows that can be learned."""

    def read_source(source: str, data_dir: str | None = None, names: Any = None) -> Table:
        return Table(make_rows(120, seed=len(source)))

    monkeypatch.setattr(module, "read_source", read_source)


def without_time(result: dict[str, Any]) -> dict[str, Any]:
    history = [{**epoch, "seconds": 0} for epoch in result["history"]]
    test = {**result["test"], "texts_per_second": 0}
    return {**result, "seconds": 0, "history": history, "test": test}


def test_there_are_ten_systems_each_in_two_forms() -> None:
    assert len(systems()) == 10
    assert sorted(systems() + [name + PUBLISHED for name in systems()]) == recipe_names()
    for name in recipe_names():
        about = read_recipe(name).about
        assert {"title", "source", "train", "rows", "test", "published", "measured_on", "figure_of"} <= set(
            about
        )
        assert about["defects" if name.endswith(PUBLISHED) else "repairs"]


def test_a_system_runs_in_both_forms_and_the_default_preset_once_for_its_rows() -> None:
    assert run_names(["imdb-lstm", "imdb-gru"]) == [
        "imdb-lstm-as-published",
        "imdb-lstm",
        "default-preset-imdb-20000",
        "imdb-lstm-as-published-without-1",
        "imdb-lstm-as-published-without-2",
        "imdb-gru-as-published",
        "imdb-gru",
        "imdb-gru-as-published-without-1",
        "imdb-gru-as-published-without-2",
        "imdb-gru-as-published-without-3",
    ]
    assert run_names(["imdb-lstm-as-published"]) == ["imdb-lstm-as-published"]
    assert len(run_names([])) == 24 + 18
    with pytest.raises(ConfigError, match="unknown recipe 'imdb-none'"):
        run_names(["imdb-none"])


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = reproduce("imdb-simplernn", 0, tmp_path, stamp={"commit": "abc"})
    assert [path.name for path in tmp_path.iterdir()] == ["imdb-simplernn-0.json"]
    again = reproduce("imdb-simplernn", 0, tmp_path, watch=lambda progress: pytest.fail("it ran"))
    assert again == first == result_of(tmp_path, "imdb-simplernn", 0)
    assert first["commit"] == "abc"
    assert first["validation"]["rows"] == 24
    assert len(first["history"]) == 10


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    whole = reproduce("20news-gru", 1, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        reproduce("20news-gru", 1, tmp_path / "cut", watch=interrupt)
    assert result_of(tmp_path / "cut", "20news-gru", 1) is None
    epochs: list[int] = []
    resumed = reproduce("20news-gru", 1, tmp_path / "cut", watch=lambda p: epochs.append(p.epoch))
    assert min(epochs) >= 2
    assert without_time(resumed) == without_time(whole)
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["20news-gru-1.json"]


def test_a_broken_result_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "imdb-lstm-0.json").write_text('{"name":')
    with pytest.raises(DataError, match=r"not a result .* remove it to run it again"):
        reproduce("imdb-lstm", 0, tmp_path)


def test_a_defect_is_repaired_alone() -> None:
    published = read_recipe("imdb-gru-as-published").configuration
    for number, changed in (
        (1, {"text.pad_to": "none", "model.pooling": "last"}),
        (2, {"model.dropout": 0.5}),
    ):
        recipe = module._recipe_of(f"imdb-gru-as-published-without-{number}")
        assert recipe.configuration == published.with_values(changed)
    assert not module._recipe_of("imdb-bilstm-as-published-without-2").about["valid"]


def test_every_repair_of_a_defect_is_a_step_towards_the_repaired_form() -> None:
    for system in systems():
        repaired = read_recipe(system).configuration.to_mapping()
        for defect in read_recipe(system + PUBLISHED).about["defects"]:
            for key, value in defect.get("repair", {}).items():
                section, _, name = key.partition(".")
                assert not name or repaired[section][name] == value


def test_the_default_preset_is_run_on_the_systems_rows(tmp_path: Path) -> None:
    result = reproduce(DEFAULT + "imdb-20000", 0, tmp_path)
    train = result["configuration"]["train"]
    assert (train["validation_share"], train["validation_split"]) == (0.2, "stratified")
    assert result["configuration"]["model"]["bidirectional"]


def test_the_command_runs_three_forms_and_writes_table_and_pictures(tmp_path: Path, run_cli: Run) -> None:
    out = tmp_path / "reproduced"
    status, printed, err = run_cli("reproduce", "20news-rnn", "--out", out, "--seeds", 2)
    assert status == 0, err
    runs = [f"{name}-{seed}.json" for name in run_names(["20news-rnn"]) for seed in (0, 1)]
    names = sorted([*runs, "results.md", "results.png", "results.svg"])
    assert sorted(path.name for path in out.iterdir()) == names
    assert printed == f"{table(out)}\n\n{defects(out)}\n" == (out / "results.md").read_text(encoding="utf-8")
    (row,) = [line for line in table(out).splitlines() if line.startswith("| `")]
    (cost,) = [line for line in defects(out).splitlines() if line.startswith("| `")]
    assert re.search(r"the last epoch is kept.*, 2 seeds\) \| [+-]\d+\.\d\d \|$", cost)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["`20news-rnn`", "the article's test rows", "none"]
    for cell, name in zip(cells[3:6], run_names(["20news-rnn"])[:3], strict=True):
        accuracies = [
            json.loads((out / f"{name}-{seed}.json").read_bytes())["test"]["accuracy"] for seed in (0, 1)
        ]
        assert cell == f"{sum(accuracies) / 2:.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}, 2 seeds)"
    assert [point.form for point in points(out)] == ["as published", "repaired", "default preset"]
    before = (out / "20news-rnn-0.json").stat().st_mtime_ns
    assert run_cli("reproduce", "20news-rnn", "--out", out, "--seeds", 2)[1] == printed
    assert (out / "20news-rnn-0.json").stat().st_mtime_ns == before


def test_the_probabilities_of_the_articles_sentences_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe("nsmc-bilstm")
    words = recipe.configuration.with_values({"text.scheme": "words", "train.epochs": 1})
    monkeypatch.setattr(module, "read_recipe", lambda name: type(recipe)(name, recipe.about, words))
    result = reproduce("nsmc-bilstm", 0, tmp_path)
    assert (
        result["sentences"].keys()
        == recipe.about["sentences"].keys()
        == {
            "정말 감동적인 영화였어요",
            "너무 지루하고 별로였다",
        }
    )
    assert all(0 < probability < 1 for probability in result["sentences"].values())

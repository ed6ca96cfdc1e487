"""Runs of the published systems: each recipe trained and scored, one result file a run.

A finished run is not run again, and an interrupted one goes on where it was cut. The table is made from the
result files alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from .bundle import ModelBundle
from .config import Configuration
from .data.rows import Dataset, require_kind, statistics
from .data.sources import read_source
from .evaluation.metrics import confusion_counts, score_answers, wilson_interval
from .inference import predict_proba
from .plots import Point
from .presets import resolve
from .recipes import Recipe, read_recipe, recipe_names
from .runs import Result, account, carry_out, read_result, score
from .training.machine import resolve_device
from .training.state import Progress

PUBLISHED = "-as-published"
DEFAULT = "default-preset-"  # and the name of the rows
WITHOUT = "-without-"  # and the number of the defect that alone is repaired


def systems() -> list[str]:
    """Return the names of all published systems."""
    return [name for name in recipe_names() if not name.endswith(PUBLISHED)]


def run_names(names: Sequence[str]) -> list[str]:
    """Return the runs of these systems (all of them without any): both forms, the default preset on the same
    rows, and the published form without each of its defects; of a name in its as-published form that alone.

    Raises ConfigError for an unknown name.
    """
    runs: list[str] = []
    for name in names or systems():
        if name.endswith(PUBLISHED):
            read_recipe(name)
            runs.append(name)
        else:
            rows = read_recipe(name).about["rows"]
            runs += [name + PUBLISHED, name, DEFAULT + rows, *_without(name)]
    return list(dict.fromkeys(runs))


def _without(system: str) -> list[str]:
    """Return the runs of the published form without one defect, for each that a configuration repairs."""
    defects = read_recipe(system + PUBLISHED).about["defects"]
    numbers = [number for number, defect in enumerate(defects, 1) if "repair" in defect]
    return [f"{system}{PUBLISHED}{WITHOUT}{number}" for number in numbers]


def _recipe_of(name: str) -> Recipe:
    """Return the recipe of a run; of the default preset's the first whose rows it is trained on."""
    if name.startswith(DEFAULT):
        found = (read_recipe(system) for system in systems())
        return next(recipe for recipe in found if DEFAULT + recipe.about["rows"] == name)
    system, _, number = name.partition(WITHOUT)
    recipe = read_recipe(system)
    if not number:
        return recipe
    repair = dict(recipe.about["defects"][int(number) - 1]["repair"])
    valid = repair.pop("valid", recipe.about.get("valid"))  # "" cuts them from the training rows
    return Recipe(name, {**recipe.about, "valid": valid}, recipe.configuration.with_values(repair))


def reproduce(
    name: str,
    seed: int,
    folder: Path,
    data_dir: str | None = None,
    full_size: bool = False,
    stamp: Mapping[str, Any] | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Return the result of one run, from its file in `folder` where it is finished, else trained now.

    full_size: a system of a GPU's size at that size, not at the smaller one of its recipe. stamp: what else
    the file is to say. Raises DataError for rows that are not there, ConfigError for an unknown name.
    """
    recipe = _recipe_of(name)
    about = recipe.about
    finished = result_of(folder, name, seed)
    if finished is not None:
        return finished
    train = read_source(about["train"], data_dir=data_dir).dataset
    valid = _other_part(about.get("valid"), train, data_dir)
    test = _other_part(about.get("test"), train, data_dir)
    changed = {} if full_size or resolve_device("auto") != "cpu" else dict(about.get("cpu", {}))
    configuration = recipe.configuration.with_values(changed)
    if name.startswith(DEFAULT):
        changed, configuration = {}, _default(train, recipe)

    def tell(bundle: ModelBundle) -> Result:
        stamped = {"name": name, "seed": seed, "changed": changed, **(stamp or {})}
        return {**stamped, **account(bundle), **_figures(bundle, recipe, test)}

    provenance = {"source": about["train"], "name": name}
    return carry_out(_path(folder, name, seed), train, configuration, seed, tell, valid, provenance, watch)


def result_of(folder: Path, name: str, seed: int) -> Result | None:
    """Return a finished run's result, None where there is none. Raises DataError for a broken file."""
    return read_result(_path(folder, name, seed))


def results_of(folder: Path, name: str) -> list[Result]:
    """Return the finished runs of `name`, by seed."""
    seeds = sorted(
        int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{name}-*.json") if _is_run(path, name)
    )
    found = (result_of(folder, name, seed) for seed in seeds)
    return [result for result in found if result is not None]


def _is_run(path: Path, name: str) -> bool:
    start, _, seed = path.stem.rpartition("-")
    return start == name and seed.isdigit()


def _path(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name}-{seed}.json"


def _other_part(source: str | None, train: Dataset, data_dir: str | None) -> Dataset | None:
    if not source:
        return None
    rows = read_source(source, data_dir=data_dir, names=train.label_names).dataset
    require_kind(rows, train.is_multilabel, source)
    return rows


def _default(train: Dataset, recipe: Recipe) -> Configuration:
    """Return the default preset, holding out validation rows as the recipe does."""
    held_out = recipe.configuration.train
    return resolve("balanced", statistics(train)).with_values(
        {
            "train.validation_share": held_out.validation_share,
            "train.validation_split": held_out.validation_split,
        }
    )


def _figures(bundle: ModelBundle, recipe: Recipe, test: Dataset | None) -> Result:
    sentences = list(recipe.about.get("sentences", {}))
    said = predict_proba(bundle, sentences)[:, -1].tolist() if sentences else []
    return {
        "test": None if test is None else _score(bundle, test),
        "test_source": recipe.about.get("test"),
        "sentences": dict(zip(sentences, said, strict=True)),
    }


def _score(bundle: ModelBundle, test: Dataset) -> Result:
    assert bundle.baseline is not None
    figures, predicted = score(bundle, test)
    linear = score_answers(bundle.baseline.predict(test.texts), test.targets)
    confusion = confusion_counts(predicted, test.targets, len(test.label_names))
    return {**figures, "linear_baseline": linear, "confusion": confusion.tolist()}


def figure(result: Result, measured_on: str) -> float:
    """Return the accuracy that stands for a run: on `test` or `validation` rows, of the kept epoch; as
    published, of the best epoch on validation rows."""
    if measured_on == "validation" and result["name"].endswith(PUBLISHED):
        return float(max(epoch["validation_accuracy"] for epoch in result["history"]))
    return float(result[measured_on]["accuracy"])


def baseline_figure(result: Result, measured_on: str) -> float:
    """Return the linear baseline's accuracy on the rows that `figure` is of."""
    baseline = result["test"]["linear_baseline"] if measured_on == "test" else result["validation_baseline"]
    return float(baseline["accuracy"])


def table(folder: Path) -> str:
    """Return the table (Markdown) of the finished runs: each system with what was published, its two forms,
    the default preset and the linear baseline on the rows of that."""
    lines = [
        "| system | accuracy of | published | as published | repaired | default preset | linear baseline |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in systems():
        about = read_recipe(name).about
        kind = about["measured_on"]
        runs = [results_of(folder, run) for run in run_names([name])[:3]]
        if not runs[0] and not runs[1]:
            continue
        linear = baseline_figure((runs[2] or runs[1] or runs[0])[0], kind)
        lines.append(
            f"| `{name}`{_size(runs[0] or runs[1])} | {about['figure_of']} | {about.get('figure', 'none')}"
            + "".join(f" | {_spread([figure(run, kind) for run in form])}" for form in runs)
            + f" | {linear:.4f} |"
        )
    return "\n".join(lines)


def defects(folder: Path) -> str:
    """Return the table (Markdown) of what each defect costs: the accuracy of the kept epoch as published, and
    of the same run with this defect alone repaired, both on test rows, over the seeds that both have."""
    lines = ["| system | defect | as published | without it | it costs, in points |", "|---|---|---|---|---|"]
    for system in systems():
        about = read_recipe(system + PUBLISHED).about
        published = {run["seed"]: run["test"]["accuracy"] for run in results_of(folder, system + PUBLISHED)}
        for name in _without(system):
            words = about["defects"][int(name.rpartition("-")[2]) - 1]["words"]
            repaired = {run["seed"]: run["test"]["accuracy"] for run in results_of(folder, name)}
            seeds = sorted(published.keys() & repaired.keys())
            if seeds:
                before, after = [published[seed] for seed in seeds], [repaired[seed] for seed in seeds]
                cost = 100 * (mean(after) - mean(before))
                lines.append(f"| `{system}` | {words} | {_spread(before)} | {_spread(after)} | {cost:+.2f} |")
    return "\n".join(lines)


def points(folder: Path) -> list[Point]:
    """Return the point of each finished run of seed 0, by name of its system."""
    found = []
    for system in systems():
        kind = read_recipe(system).about["measured_on"]
        if not results_of(folder, system) and not results_of(folder, system + PUBLISHED):
            continue
        for name, form in zip(
            run_names([system])[:3], ("as published", "repaired", "default preset"), strict=True
        ):
            result = result_of(folder, name, 0)
            if result is not None:
                accuracy, rows = figure(result, kind), result[kind]["rows"]
                interval = wilson_interval(round(accuracy * rows), rows)
                seconds, parameters = result["seconds"], result["parameters"]
                found.append(Point(system, form, accuracy, interval, seconds, parameters))
    return found


def _size(runs: Sequence[Result]) -> str:
    changed = runs[0]["changed"] if runs else {}
    words = ", ".join(f"{key.partition('.')[2]} {value}" for key, value in changed.items())
    return f" ({words})" if words else ""


def _spread(figures: Sequence[float]) -> str:
    if not figures:
        return "not run"
    if len(figures) == 1:
        return f"{figures[0]:.4f}"
    return f"{mean(figures):.4f} ({min(figures):.4f} to {max(figures):.4f}, {len(figures)} seeds)"

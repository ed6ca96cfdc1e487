"""Configurations compared: each trained with the same seeds on the same rows, and scored on the same others.

The linear baseline is always among them. A folder holds one comparison, a result file a run: an interrupted
one goes on, and one that has ended can be given further configurations and seeds.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as tensor_bytes

from ..bundle import ModelBundle
from ..config import Configuration, read_assignments
from ..data.rows import Dataset, require_classes, require_kind, statistics
from ..errors import ConfigError, DataError, OutputError
from ..evaluation.metrics import score_answers
from ..fields import require_within
from ..presets import PRESETS, resolve
from ..recipes import read_configuration, read_recipe, recipe_names
from ..runs import Result, account, carry_out, pack_answers, read_result, score, write_result
from ..training.linear import fit_linear_models
from ..training.machine import versions
from ..training.state import Progress
from .weighing import LINEAR, Pair, Standing, scope_of, verdict_of, weigh

Watch = Callable[[str, int], Callable[[Progress], None]]


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to. runs: the result files, without the answers to each row. scope: what the
    intervals are about. verdict: the same in a sentence or two."""

    rows: int
    test_rows: int
    configurations: list[Standing]
    runs: list[Result]
    pairs: list[Pair]
    scope: str
    verdict: str


def compare(
    train: Dataset,
    test: Dataset,
    names: Sequence[str],
    folder: Path,
    seeds: int = 1,
    stamp: Mapping[str, Any] | None = None,
    watch: Watch = lambda name, seed: lambda progress: None,
) -> Comparison:
    """Return how the configurations `names` compare over seeds 0 to `seeds` - 1; their runs stay in `folder`.

    names: presets, recipes, configuration files, each with changes such as `fast+model.encoder=gru`; `linear`
    is always among them. stamp: what else the result files are to say. watch: called with a name and seed as
    its run begins, returns what is called with the progress after each step.

    Raises ConfigError for a name that is none and for no seeds, DataError for rows that do not fit,
    OutputError for a folder that holds something else.
    """
    require_within("seeds", seeds, 1, 10_000)
    require_classes(train)
    require_kind(test, train.is_multilabel, "the test rows")
    if not len(test) or test.label_names != train.label_names:
        raise DataError(f"{len(test)} test rows: expected at least one, with the labels of the training rows")
    configurations = {name: configuration_of(name, train) for name in dict.fromkeys([*names, LINEAR])}
    identity = {"data": train.fingerprint(), "test_data": test.fingerprint()}
    _claim(folder, identity)
    runs: dict[str, list[Result]] = {name: [] for name in configurations}
    for seed in range(seeds):
        for name, configuration in configurations.items():
            if configuration is not None or seed == 0:
                path = folder / _file_name(name, configuration, seed)
                said = {"name": name, "seed": seed, **(stamp or {}), **identity}
                run = read_result(path) or _run(path, train, test, configuration, said, watch)
                runs[name].append(run)
    standings, pairs = weigh(runs, test.targets)
    every = [
        {key: run[key] for key in run if key != "answers"} for of_name in runs.values() for run in of_name
    ]
    scope, verdict = scope_of(seeds, len(test)), verdict_of(standings, pairs)
    return Comparison(len(train), len(test), standings, every, pairs, scope, verdict)


def configuration_of(name: str, train: Dataset) -> Configuration | None:
    """Return the configuration of a preset, a recipe or a TOML file with the changes behind each `+`, None of
    `linear`. Raises ConfigError for a name that is none."""
    base, *changes = name.split("+")
    if base == LINEAR:
        if changes:
            raise ConfigError(f"{name!r}: the linear baseline has no values to change; expected {LINEAR!r}")
        return None
    if base in PRESETS:
        configuration = resolve(base, statistics(train))
    elif base in recipe_names():
        configuration = read_recipe(base).configuration
    elif Path(base).is_file():
        configuration = read_configuration(Path(base))
    else:
        known = ", ".join([LINEAR, *PRESETS, *recipe_names()])
        raise ConfigError(f"unknown configuration {base!r}; expected a TOML file or one of {known}")
    changed = configuration.with_values(read_assignments(changes))
    return changed.for_labels(len(train.label_names), train.is_multilabel)


def _claim(folder: Path, identity: Mapping[str, str]) -> None:
    """Make the folder this comparison's. Raises OutputError where it holds something else."""
    found = read_result(folder / "split.json")
    if found is None and folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder}: holds something else; choose another place")
    if found not in (None, identity):
        raise OutputError(f"{folder}: holds a comparison on other rows; choose another place")
    write_result(folder / "split.json", identity)


def _file_name(name: str, configuration: Configuration | None, seed: int) -> str:
    """Return the result file of a run; of another configuration under the same name it is another."""
    if configuration is None:
        return f"{name}-{seed}.json"
    values = json.dumps(configuration.to_mapping(), sort_keys=True).encode()
    readable = re.sub(r"[^\w.=+-]+", "_", name)[:100]
    return f"{readable}-{hashlib.sha256(values).hexdigest()[:8]}-{seed}.json"


def _run(
    path: Path,
    train: Dataset,
    test: Dataset,
    configuration: Configuration | None,
    said: Result,
    watch: Watch,
) -> Result:
    """Return the result of one run, trained now, as it is written to `path`."""
    name, seed = said["name"], said["seed"]
    progress = watch(name, seed)
    if configuration is None:
        result = {**said, **_linear(train, test)}
        write_result(path, result)
        return result

    def tell(bundle: ModelBundle) -> Result:
        size = sum(map(len, replace(bundle, baseline=None).files().values()))
        figures, answers = score(bundle, test)
        return {**said, **account(bundle), "bytes": size, "test": figures, "answers": pack_answers(answers)}

    return carry_out(path, train, configuration, seed, tell, provenance={"name": name}, watch=progress)


def _linear(train: Dataset, test: Dataset) -> Result:
    """Return what the linear baseline came to, as of other runs."""
    started = time.perf_counter()
    baseline = fit_linear_models(train, Configuration(), seed=0).baseline
    trained = time.perf_counter()
    answers = baseline.predict(test.texts)
    rate = len(test) / (time.perf_counter() - trained)
    arrays = baseline.arrays()
    return {
        "configuration": None,
        "versions": versions(),
        "rows": len(train),
        "parameters": int(np.count_nonzero(baseline.coefficients)) + len(baseline.intercepts),
        "seconds": round(trained - started, 2),
        "bytes": len(tensor_bytes(arrays)),
        "test": {**score_answers(answers, test.targets), "texts_per_second": round(rate, 1)},
        "answers": pack_answers(answers),
    }

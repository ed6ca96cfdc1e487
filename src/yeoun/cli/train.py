"""yeoun train"""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Configuration
from ..data.rows import Dataset, require_classes, statistics
from ..data.sources import read_source
from ..data.tables import Table
from ..errors import ConfigError, OutputError
from ..presets import RowStatistics, resolve
from ..recipes import read_recipe
from .display import TrainingDisplay, emit, note

if TYPE_CHECKING:
    from ..bundle import ModelBundle


def run(options: argparse.Namespace) -> None:
    """Train a model on SOURCE and write it to OUT, which appears whole or not at all."""
    from ..bundle import ModelBundle
    from ..estimator import save_model
    from ..training.fit import fit
    from ..training.state import TrainingFolder

    out = Path(options.out)
    if out.exists() and not (options.force or options.resume):
        raise OutputError(f"{out}: exists already; choose another place or use --force")
    folder = TrainingFolder.of(out)
    if out.exists() and options.resume:
        bundle = ModelBundle.load(out)
        folder.remove()
        note(f"{out} is whole already")
        report(out, bundle, options.json)
        return
    require_place(out)
    check_configuration(options)
    table = read_source(options.source, options.text, options.label, options.data_dir)
    describe(table, options)
    train = table.dataset
    require_classes(train)
    valid = None
    if options.valid is not None:
        valid = read_source(
            options.valid, options.text, options.label, options.data_dir, train.label_names
        ).dataset
    configuration = configure(options, train)
    bundle = fit(
        train,
        configuration,
        valid=valid,
        seed=options.seed,
        precision=options.precision,
        device=options.device,
        provenance={
            "source": os.fsencode(options.source).decode(errors="replace"),
            "valid": options.valid,
            "name": _name(options),
        },
        folder=folder,
        resume=options.resume,
        force=options.force,
        watch=TrainingDisplay(configuration.train.epochs),
    )
    save_model(bundle, out, folder.path / "bundle", replace=options.force)
    folder.remove()
    report(out, bundle, options.json)


def report(out: Path, bundle: ModelBundle, as_json: bool) -> None:
    """Print what training came to, the linear baseline beside it."""
    figures = bundle.metrics
    if as_json:
        emit({"out": str(out), **figures})
        return
    own, linear = figures["validation"], figures["linear_baseline"]
    print(f"{out}: {figures['parameters']:,} parameters, {figures['epochs']} epochs,")
    print(f"  {figures['seconds']:.0f} s of training in {figures['precision']},")
    print(f"  {figures['tokens_per_second']:,} tokens/s; kept epoch {bundle.provenance['best_epoch']}")
    if "vector_coverage" in figures:
        print(f"  {figures['vector_coverage']:.1%} of the vocabulary started from the given vectors")
    print(f"validation ({own['rows']:,} rows)     accuracy  macro F1")
    print(f"  this model              {own['accuracy']:.4f}    {own['macro_f1']:.4f}")
    print(f"  linear baseline         {linear['accuracy']:.4f}    {linear['macro_f1']:.4f}")
    if own["accuracy"] < linear["accuracy"]:
        print("  the linear baseline is better on these rows")


def require_place(out: Path) -> None:
    """Raise OutputError when `out` cannot come to stand where it is asked for."""
    if out.exists() and not (out / "config.json").is_file():
        raise OutputError(f"{out}: exists and is no model, which --force would not replace; choose another")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise OutputError(f"{out}: {above} is not a folder; choose another place")


def check_configuration(options: argparse.Namespace) -> None:
    """Refuse a wrong preset, recipe, file or value before any row is read."""
    _base(options, RowStatistics(1000, 2, 10.0, 20.0, 0.0)).with_values(assignments(options.values))


def configure(options: argparse.Namespace, train: Dataset) -> Configuration:
    """Return the configuration that the options ask for, fitted to the rows."""
    asked = _base(options, statistics(train)).with_values(assignments(options.values))
    configuration = asked.for_classes(len(train.label_names))
    if configuration != asked:
        note(f"{len(train.label_names)} labels: the sigmoid head becomes a softmax over them")
    if configuration.text.pad_to == "batch":
        note("pad_to = batch: an answer depends on the texts beside it, by this configuration's design")
    return configuration


def describe(table: Table, options: argparse.Namespace) -> None:
    """Say what was read, and which columns were guessed."""
    if table.text_column and not (options.text and options.label):
        note(f"text column {table.text_column!r}, label column {table.label_column!r}")
    dataset = table.dataset
    note(f"{len(dataset):,} rows, labels {', '.join(dataset.label_names[:20])}")
    if table.bad_rows:
        note(f"{table.bad_rows} rows could not be read and are left out")


def _base(options: argparse.Namespace, statistics: RowStatistics) -> Configuration:
    if options.recipe:
        return read_recipe(options.recipe).configuration
    if options.config:
        return read_configuration(Path(options.config))
    return resolve(options.preset, statistics)


def read_configuration(path: Path) -> Configuration:
    """Return the configuration in a TOML file. Raises ConfigError when it holds none."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None
    values.pop("about", None)
    return Configuration.from_mapping(values)


def assignments(pairs: list[str]) -> dict[str, str]:
    """Return the `section.key=value` pairs of --set as a mapping. Raises ConfigError without a `=`."""
    split = [pair.partition("=") for pair in pairs]
    for pair, (_, equals, _value) in zip(pairs, split, strict=True):
        if not equals:
            raise ConfigError(f"--set {pair}: expected section.key=value")
    return {key: value for key, _, value in split}


def _name(options: argparse.Namespace) -> str:
    base = options.recipe or options.config or options.preset
    return "+".join([base, *options.values])

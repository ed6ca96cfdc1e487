"""yeoun train"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..bundle import ModelBundle
from ..card import FIGURES, HALVES, SAMPLES
from ..config import Configuration, read_assignments
from ..data.rows import Dataset, fingerprint, require_classes, require_kind, statistics
from ..data.sources import read_source, read_texts
from ..errors import OutputError, ResumeError, UsageError
from ..presets import RowStatistics, resolve
from ..pretrained import Pretrained
from ..recipes import read_configuration, read_recipe
from ..sealed import require_room
from .display import TrainingDisplay, describe, emit, note, readable


def run(options: argparse.Namespace) -> None:
    """Train a model on SOURCE and write it to OUT, which appears whole or not at all."""
    from ..estimator import save_model
    from ..process import tune_process
    from ..training.fit import fit
    from ..training.self_training import TEXTS_A_ROW, are_enough
    from ..training.state import TrainingFolder

    tune_process()
    out = Path(options.out)
    require_place(out, options.force or options.resume)
    folder = TrainingFolder.of(out)
    check_configuration(options)
    start = None
    if options.start_from is not None:
        if options.recipe or options.config:
            raise UsageError("--start-from: expected a preset, not a --recipe or --config of another network")
        start = Pretrained.load(Path(options.start_from))
    table = read_source(options.source, options.text, options.label, options.data_dir)
    describe(table, guessed=not (options.text and options.label))
    train = table.dataset
    require_classes(train)
    valid = None
    if options.valid is not None:
        held_out = read_source(
            options.valid, options.text, options.label, options.data_dir, train.label_names
        )
        describe(held_out, guessed=False)
        require_kind(held_out.dataset, train.is_multilabel, options.valid)
        valid = held_out.dataset
    unlabelled: Sequence[str] = ()
    if options.unlabelled is not None:
        unlabelled = read_texts(options.unlabelled, options.text, options.data_dir)
    beside = len(unlabelled) if start is None else start.figures["texts"]
    configuration = configure(options, train, beside)
    if start is not None:
        configuration = start.applied(configuration).with_values(read_assignments(options.values))
    if options.unlabelled is not None:
        is_pretrained = start is not None or configuration.train.pretrain_epochs > 0
        but, has_ngrams = "", configuration.model.ngrams
        learned = len(train) if valid is not None else len(train) * (1 - configuration.train.validation_share)
        if has_ngrams and configuration.train.class_weight != "none":
            but = "; the n-grams learn from none where labels are weighed"
        elif has_ngrams and not are_enough(len(unlabelled), round(learned), is_pretrained):
            but = f"; the n-grams would learn from {TEXTS_A_ROW} a row or more"
        note(f"{len(unlabelled):,} texts without labels{but}")
    if out.exists() and options.resume:
        bundle = ModelBundle.load(out)
        require_same_run(bundle, out, train, valid, unlabelled, start, configuration, options.seed)
        folder.remove()
        note(f"{out} is whole already")
        report(out, bundle, options.json)
        return
    note("the linear models first, then the network")
    with folder:
        bundle = fit(
            train,
            configuration,
            valid=valid,
            unlabelled=unlabelled,
            start=start,
            seed=options.seed,
            precision=options.precision,
            device=options.device,
            provenance={
                "source": readable(options.source),
                "valid": None if options.valid is None else readable(options.valid),
                "unlabelled_source": None if options.unlabelled is None else readable(options.unlabelled),
                "start_from": None if options.start_from is None else readable(options.start_from),
                "name": readable(_name(options)),
            },
            folder=folder,
            resume=options.resume,
            force=options.force,
            watch=TrainingDisplay(),
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
    if first := figures.get("pretraining"):
        told = (
            "" if first["perplexity"] is None else f", perplexity {first['perplexity']:,.0f} on held-out rows"
        )
        print(
            f"  first {first['epochs']} passes over {first['texts']:,} texts, {first['seconds']:.0f} s{told}"
        )
    if "vector_coverage" in figures:
        print(f"  {figures['vector_coverage']:.1%} of the vocabulary started from the given vectors")
    if shortened := figures.get("shortened"):
        limit = bundle.configuration.text.maximum_length
        print(f"  {shortened:,} training texts are longer than the {limit:,} tokens that are read of each")
    rows = f"validation ({own['rows']:,} rows)"
    print(f"{rows:<26}" + "".join(f"{FIGURES[name]:<17}" for name in linear))
    print(f"{'  this model':<26}" + "".join(f"{own[name]:<17.4f}" for name in linear))
    for half, words in HALVES.items():
        if half in figures:
            print(f"{f'  {words}':<26}" + "".join(f"{figures[half][name]:<17.4f}" for name in linear))
    print(f"{'  linear baseline':<26}" + "".join(f"{value:<17.4f}" for value in linear.values()))
    for rows, who in SAMPLES.items():
        if rows in figures:
            print(f"  {who[0].lower()}{who[1:]} learned from {figures[rows]:,} of the rows")
    if all(own[name] < value for name, value in linear.items()):
        print("  the linear baseline is better on these rows")


def require_place(out: Path, may_exist: bool) -> None:
    """Raise OutputError when `out` cannot come to stand where it is asked for."""
    require_room(out, may_exist)
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise OutputError(f"{out}: {above} is not a folder; choose another place")


def require_same_run(
    bundle: ModelBundle,
    out: Path,
    train: Dataset,
    valid: Dataset | None,
    unlabelled: Sequence[str],
    start: Pretrained | None,
    configuration: Configuration,
    seed: int,
) -> None:
    """Raise ResumeError when the whole model at `out` is not what this command would train."""
    asked = {
        "data": train.fingerprint(),
        "validation": None if valid is None else valid.fingerprint(),
        "unlabelled": fingerprint(unlabelled) if len(unlabelled) else None,
        "start": None if start is None else start.checksum(),
        "configuration": configuration.to_mapping(),
        "seed": seed,
    }
    other = [name for name, value in asked.items() if bundle.provenance.get(name) != value]
    if other:
        raise ResumeError(
            f"{out}: whole already, trained with another {other[0]}; choose another place or use --force"
        )


def check_configuration(options: argparse.Namespace) -> None:
    """Refuse a wrong preset, recipe, file or value before any row is read."""
    configured(options, RowStatistics(1000, 2, 1.0, 1.0, 0.0))


def configure(options: argparse.Namespace, train: Dataset, unlabelled: int) -> Configuration:
    """Return the configuration that the options ask for, fitted to the rows, and to how many texts without
    labels there are."""
    asked = configured(options, statistics(train, unlabelled))
    configuration = asked.for_labels(len(train.label_names), train.is_multilabel)
    if asked.model.head not in ("softmax", configuration.model.head):
        note(f"{len(train.label_names)} labels: head {asked.model.head} becomes {configuration.model.head}")
    if configuration.text.pad_to == "batch":
        note("pad_to = batch: an answer depends on the texts beside it, by this configuration's design")
    return configuration


def configured(options: argparse.Namespace, statistics: RowStatistics) -> Configuration:
    """Return the configuration that the options name, with what they set."""
    return _base(options, statistics).with_values(read_assignments(options.values))


def _base(options: argparse.Namespace, statistics: RowStatistics) -> Configuration:
    if getattr(options, "recipe", None):
        return read_recipe(options.recipe).configuration
    if options.config:
        return read_configuration(Path(options.config))
    return resolve(options.preset, statistics)


def _name(options: argparse.Namespace) -> str:
    base = options.recipe or options.config or options.preset
    return "+".join([base, *options.values])

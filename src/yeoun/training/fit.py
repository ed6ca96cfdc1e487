"""fit: labelled rows and a configuration to a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bundle import ModelBundle
from ..config import Configuration
from ..data.rows import Dataset, fingerprint, require_classes, require_kind
from ..errors import ConfigError, DataError
from ..evaluation.abstention import least_by_precision
from ..evaluation.metrics import choose_thresholds, decide, measure
from ..inference import to_probabilities
from ..pretrained import Pretrained, require_start
from ..process import return_memory
from ..text.indexer import TextIndexer
from ..text.morphemes import ANALYZERS, analyzer
from .combination import beside_ngrams
from .division import divide
from .half import learn_half
from .linear import fit_linear_models
from .machine import RANDOM_NUMBERS, conditions, resolve_device, resolve_precision
from .pretraining import require_sequence
from .state import Progress, TrainingFolder
from .whole import put_together


def fit(
    train: Dataset,
    configuration: Configuration,
    valid: Dataset | None = None,
    seed: int = 0,
    precision: str = "auto",
    device: str = "auto",
    provenance: Mapping[str, Any] | None = None,
    folder: TrainingFolder | None = None,
    resume: bool = False,
    force: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
    unlabelled: Sequence[str] = (),
    start: Pretrained | None = None,
) -> ModelBundle:
    """Return a model trained on `train`, its best epoch chosen on `valid`.

    valid: held-out rows; without them a share of `train` is held out (`train.validation_split`).
    unlabelled: texts of the same kind. With `train.pretrain_epochs` vocabulary and network learn from them
    first; the n-grams learn from the whole model's answers to them afterwards, where that helps
    (`training.self_training`).
    start: what was pretrained before, in their place; `configuration` is one that it was applied to.
    precision: of the encoder in training, "auto" is bf16 where the machine has it and it pays. folder: where
    the state is kept, so that a killed run can `resume`. watch: called with the progress after each step.

    Raises DataError for rows that cannot be learned from; ConfigError for a device or precision that is not
    there, and for a configuration that does not go with the rows, texts or start; OutputError for a folder in
    the way, or in which a run is going on; ResumeError for a state of another run.
    """
    _require_fitting(train, configuration, valid, unlabelled, start)
    device = resolve_device(device)
    precision = resolve_precision(precision, device, configuration.model)
    scheme = configuration.text.scheme
    identity = {
        "configuration": configuration.to_mapping(),
        "data": train.fingerprint(),
        "validation": None if valid is None else valid.fingerprint(),
        "unlabelled": fingerprint(unlabelled) if len(unlabelled) else None,
        **conditions(seed, device, precision),
        "start": None if start is None else start.checksum(),
        "vectors": _file_checksum(configuration.model.vectors),
        "analyzer": analyzer(scheme).version if scheme in ANALYZERS else None,
    }

    def begin(indexer: TextIndexer) -> None:
        if folder is not None:
            folder.begin(identity, indexer, resume, force)

    if folder is not None:
        folder.check(identity, resume, force)
    rows = divide(train, valid, unlabelled, configuration.train, seed)
    indexer = folder.indexer(configuration.text) if folder is not None and resume else None
    with RANDOM_NUMBERS:  # of which the linear machines have one source, too
        # Now, while they have the room that the tokens of many rows will take.
        linear = fit_linear_models(rows.train, configuration, seed)
        beside = None
        if linear.ngrams is not None and configuration.train.beside_ngrams:
            beside = beside_ngrams(linear.ngrams, rows.train, rows.valid, configuration, seed)
            return_memory()
    half = learn_half(
        rows, configuration, seed, device, precision, beside, start, indexer, begin, folder, watch
    )
    del beside  # which leaves its room to what the linear models read
    return_memory()
    whole = put_together(half, linear, rows, configuration, seed)
    probabilities = to_probabilities(whole.logits, train.is_multilabel, whole.evenness)
    thresholds = choose_thresholds(probabilities, rows.valid.targets) if train.is_multilabel else None
    chosen = decide(probabilities, train.is_multilabel, thresholds)
    return ModelBundle(
        configuration=configuration,
        label_names=train.label_names,
        indexer=half.indexer,
        weights=whole.weights,
        ngrams=whole.ngrams,
        thresholds=() if thresholds is None else tuple(thresholds.tolist()),
        evenness=whole.evenness,
        baseline=whole.baseline,
        metrics={
            "rows": len(train),
            "labels": list(rows.valid.label_names),
            **half.figures,
            "validation": asdict(measure(probabilities, rows.valid.targets, thresholds)),
            **whole.figures,
            "least_probabilities": least_by_precision(
                probabilities, chosen, rows.valid.targets, train.label_names
            ),
        },
        history=half.history,
        provenance={**(provenance or {}), **identity, "best_epoch": half.best_epoch},
    )


def _require_fitting(
    train: Dataset,
    configuration: Configuration,
    valid: Dataset | None,
    unlabelled: Sequence[str],
    start: Pretrained | None,
) -> None:
    """Raise DataError or ConfigError for rows, texts and a start that do not go with the configuration."""
    require_classes(train)
    fitting = configuration.for_labels(len(train.label_names), train.is_multilabel)
    if configuration != fitting:
        raise ConfigError(
            f"model.head = {configuration.model.head!r} with {len(train.label_names)} labels"
            f"{', several a row' if train.is_multilabel else ''}: expected {fitting.model.head}"
        )
    if valid is not None:
        require_kind(valid, train.is_multilabel, "the validation rows")
    if configuration.train.pretrain_epochs:
        require_sequence(configuration)
    if start is not None:
        require_start(configuration, start)
    if len(unlabelled) and not (configuration.train.pretrain_epochs or configuration.model.ngrams):
        raise ConfigError(
            "unlabelled texts, train.pretrain_epochs = 0 and model.ngrams = false: nothing would learn from"
            " them; set one of the two"
        )


def _file_checksum(path: str) -> str | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file; expected word vectors as text")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""fit: labelled rows and a configuration to a bundle."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..bundle import ModelBundle
from ..config import Configuration, ModelConfig, TrainConfig
from ..data.rows import Dataset, require_classes, require_kind
from ..data.splits import random_split, stratified_split
from ..data.tokens import TokenStore
from ..errors import ConfigError, DataError
from ..evaluation.abstention import least_by_precision
from ..evaluation.metrics import choose_thresholds, decide, measure, score_answers
from ..inference import answer, to_probabilities, torch_forward
from ..nn.classifier import TextClassifier, count_parameters
from ..nn.shards import cores_for_shards
from ..process import return_memory
from ..text.indexer import TextIndexer
from ..text.morphemes import ANALYZERS, analyzer
from ..text.vectors import read_vectors
from .combination import combine
from .linear import fit_linear_models
from .loop import IndexedRows, Run, run_epochs
from .objective import label_weights
from .optimization import build_optimizer
from .state import Progress, TrainingFolder, steps_between_saves, versions

_RANDOM_NUMBERS = threading.RLock()  # torch has one source of them, so models are trained one after another


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
) -> ModelBundle:
    """Return a model trained on `train`, its best epoch chosen on `valid`.

    valid: held-out rows; without them a stratified share of `train` is held out. precision: of the
    encoder in training, "auto" is bf16 where the machine has it and it pays. folder: where the state
    is kept, so that a killed run can `resume`. watch: called with the progress after each step.

    Raises DataError for rows that cannot be learned from, ConfigError for a device or precision that
    is not there, ResumeError for a state of another run.
    """
    require_classes(train)
    fitting = configuration.for_labels(len(train.label_names), train.is_multilabel)
    if configuration != fitting:
        raise ConfigError(
            f"model.head = {configuration.model.head!r} with {len(train.label_names)} labels"
            f"{', several a row' if train.is_multilabel else ''}: expected {fitting.model.head}"
        )
    if valid is not None:
        require_kind(valid, train.is_multilabel, "the validation rows")
    device = resolve_device(device)
    precision = resolve_precision(precision, device, configuration.model)
    scheme = configuration.text.scheme
    identity = {
        "configuration": configuration.to_mapping(),
        "data": train.fingerprint(),
        "validation": None if valid is None else valid.fingerprint(),
        "seed": seed,
        "precision": precision,
        "device": device,
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "vectors": _file_checksum(configuration.model.vectors),
        "analyzer": analyzer(scheme).version if scheme in ANALYZERS else None,
    }
    if folder is not None:
        folder.check(identity, resume, force)
    given, is_cut = train, valid is None
    train, valid = _held_out(train, valid, configuration.train, seed)
    indexer = folder.indexer(configuration.text) if folder is not None and resume else None
    with _RANDOM_NUMBERS:  # of which the linear machines have one source, too
        # Now, while they have the room that the tokens of many rows will take.
        linear = fit_linear_models(train, configuration, seed)
    if indexer is None and configuration.text.vocabulary_rows == "all":
        indexer = TextIndexer.fit([*train.texts, *valid.texts], configuration.text)
    if indexer is None:
        indexer, indexed = TextIndexer.fit_index(train.texts, configuration.text)
    else:
        indexed = indexer.index(train.texts)
    return_memory()
    with _RANDOM_NUMBERS, torch.random.fork_rng(devices=[]):
        run = _start(indexer, TokenStore.of(indexed), train, valid, configuration, seed, precision, device)
        shortened = indexed.shortened
        del indexed
        if folder is not None:
            folder.begin(identity, indexer, resume, force)
        with cores_for_shards():
            _go_on(run, folder, watch)
        best = {name: tensor.cpu() for name, tensor in run.best.items()}
    run.network.load_state_dict(best)
    recurrent = answer(run.valid.store, configuration.text, torch_forward(run.network))
    parameters = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in best.items()}
    whole = combine(recurrent, parameters, linear.ngrams, valid, configuration.train.calibrate)
    final, weights = linear, whole.parameters
    if is_cut:  # now that nothing is to be chosen any more, the linear models learn from all rows
        run.train = run.valid  # whose tokens leave the room to them
        with _RANDOM_NUMBERS:
            final = fit_linear_models(given, configuration, seed)
        if final.ngrams is not None:
            weights |= {name: each * whole.ngram_scale for name, each in final.ngrams.parameters.items()}
    probabilities = to_probabilities(whole.logits, train.is_multilabel, whole.evenness)
    thresholds = choose_thresholds(probabilities, valid.targets) if train.is_multilabel else None
    chosen = decide(probabilities, train.is_multilabel, thresholds)
    return ModelBundle(
        configuration=configuration,
        label_names=train.label_names,
        indexer=indexer,
        weights=weights,
        ngrams=None if final.ngrams is None else final.ngrams.indexer,
        thresholds=() if thresholds is None else tuple(thresholds.tolist()),
        evenness=whole.evenness,
        baseline=final.baseline,
        metrics={
            "rows": len(given),
            "labels": list(valid.label_names),
            **_figures(run),
            "validation": asdict(measure(probabilities, valid.targets, thresholds)),
            **whole.alone,
            "linear_baseline": score_answers(linear.baseline.predict(valid.texts), valid.targets),
            "least_probabilities": least_by_precision(
                probabilities, chosen, valid.targets, train.label_names
            ),
            "shortened": shortened,
            **final.rows,
        },
        history=tuple(run.progress.history),
        provenance={**(provenance or {}), **identity, "best_epoch": run.progress.best_epoch},
    )


def _held_out(
    train: Dataset, valid: Dataset | None, config: TrainConfig, seed: int
) -> tuple[Dataset, Dataset]:
    """Return the training and the validation rows, both of some use."""
    if valid is None:
        if config.validation_split == "random":
            kept, held_out = random_split(len(train), config.validation_share, seed)
        else:
            kept, held_out = stratified_split(train, config.validation_share, seed)
        train, valid = train.take(kept), train.take(held_out)
    if not len(valid):
        raise DataError("no validation rows: expected at least one")
    several = train.is_multilabel
    classes = len(train.label_names)
    rows_of = train.targets.sum(0) if several else np.bincount(train.targets, minlength=classes)
    if not rows_of.all():
        raise DataError(
            f"no training row of label {train.label_names[int(rows_of.argmin())]!r} is left beside the"
            f" {len(valid)} held out: add rows of it, take another seed, or give --valid"
        )
    return train, valid


def _file_checksum(path: str) -> str | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file; expected word vectors as text")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve_device(device: str) -> str:
    """Return the device to train on. Raises ConfigError for one that is not there."""
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there.get(device):
        have = ", ".join(name for name, is_there in there.items() if is_there)
        raise ConfigError(f"device {device!r}: not on this machine; expected one of auto, {have}")
    return device


def resolve_precision(precision: str, device: str, model: ModelConfig) -> str:
    """Return "fp32" or "bf16": `auto` is bf16 for an LSTM on a CPU with bf16 arithmetic."""
    if precision not in ("auto", "fp32", "bf16"):
        raise ConfigError(f"precision {precision!r}: expected auto, fp32 or bf16")
    if precision != "auto":
        return precision
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    has_bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    is_fused = model.encoder == "lstm" and model.inputs == "embedding"
    return "bf16" if device == "cpu" and has_bf16 and is_fused else "fp32"


def _start(
    indexer: TextIndexer,
    store: TokenStore,
    train: Dataset,
    valid: Dataset,
    configuration: Configuration,
    seed: int,
    precision: str,
    device: str,
) -> Run:
    torch.manual_seed(seed)
    network = TextClassifier(configuration.model, indexer.vocabulary_size, len(train.label_names))
    network.precision = precision
    coverage = None
    if configuration.model.vectors:
        coverage = start_from_vectors(network, indexer, Path(configuration.model.vectors))
    network.to(device)
    return Run(
        network=network,
        optimizer=build_optimizer(network, configuration.train),
        configuration=configuration,
        seed=seed,
        train=IndexedRows(store, train.targets),
        valid=IndexedRows(TokenStore.of(indexer.index(valid.texts)), valid.targets),
        progress=Progress(),
        best={},
        weights=label_weights(train, configuration.train),
        vector_coverage=coverage,
    )


def start_from_vectors(network: TextClassifier, indexer: TextIndexer, path: Path) -> float:
    """Set the embedding of each word that the file at `path` has; return the share of the vocabulary
    it covers. Raises DataError for a file of another width."""
    vectors, found = read_vectors(path, indexer.vocabulary(), network.config.embedding_size)
    with torch.no_grad():
        network.embedding.weight[torch.from_numpy(found)] = torch.from_numpy(vectors[found])
    return float(found.mean())


def _go_on(run: Run, folder: TrainingFolder | None, watch: Callable[[Progress], None]) -> None:
    """Train to the end, from the saved state where there is one."""

    def save() -> None:
        if folder is not None:
            folder.save(run.progress, run.network, run.optimizer, run.best)

    if folder is not None and (saved := folder.load(run.network, run.optimizer)) is not None:
        run.progress, run.best = saved
    pad_to = run.configuration.text.pad_to
    tokens = run.train.store.lengths.mean() if isinstance(pad_to, str) else pad_to
    every = steps_between_saves(
        count_parameters(run.network.encoder),
        count_parameters(run.network),
        float(tokens) * run.configuration.train.batch_size,
    )
    run_epochs(run, save, every, watch)


def _figures(run: Run) -> dict[str, Any]:
    """Return what `train --json` prints of the run itself."""
    progress = run.progress
    return {
        "parameters": count_parameters(run.network),
        "epochs": progress.epoch,
        "seconds": round(progress.seconds, 2),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9)),
        "precision": run.network.precision,
        **({} if run.vector_coverage is None else {"vector_coverage": run.vector_coverage}),
    }

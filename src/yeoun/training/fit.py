"""fit: labelled rows and a configuration to a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..bundle import ModelBundle
from ..config import UNKNOWN_ID, Configuration, ModelConfig, TrainConfig
from ..data.rows import Dataset, fingerprint, require_classes, require_kind
from ..data.splits import random_split, stratified_split
from ..data.tokens import TokenStore
from ..errors import ConfigError, DataError
from ..evaluation.abstention import least_by_precision
from ..evaluation.metrics import choose_thresholds, decide, measure, score_answers
from ..inference import Floats, answer, to_probabilities, torch_forward
from ..nn.classifier import TextClassifier, average_word, count_parameters
from ..nn.shards import cores_for_shards
from ..pretrained import Pretrained, require_start
from ..process import return_memory
from ..text.indexer import TextIndexer
from ..text.morphemes import ANALYZERS, analyzer
from ..text.vectors import read_vectors
from .combination import Beside, Combination, beside_ngrams, combine
from .head import start_head
from .labels import learn_labels, score_labels
from .linear import fit_linear_models
from .loop import IndexedRows, Run, go_on
from .machine import RANDOM_NUMBERS, conditions, resolve_device, resolve_precision
from .ngrams import NgramBranch
from .objective import label_weights
from .optimization import build_optimizer
from .pretraining import begin_pretraining, pretraining_figures, require_sequence
from .self_training import are_enough, self_train
from .state import Progress, TrainingFolder
from .targets import Targets


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

    valid: held-out rows; without them a stratified share of `train` is held out. unlabelled: texts of the
    same kind. With `train.pretrain_epochs` vocabulary and network learn from them first; the n-grams learn
    from the whole model's answers to them afterwards, where that helps (`training.self_training`).
    start: what was pretrained before, in their place; `configuration` is one that it was applied to.
    precision: of the encoder in training, "auto" is bf16 where the machine has it and it pays. folder: where
    the state is kept, so that a killed run can `resume`. watch: called with the progress after each step.

    Raises DataError for rows that cannot be learned from, ConfigError for a device or precision that
    is not there, ResumeError for a state of another run.
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
    if folder is not None:
        folder.check(identity, resume, force)
    is_pretrained = start is not None or configuration.train.pretrain_epochs > 0
    given, is_cut = train, valid is None
    train, valid = _held_out(train, valid, configuration.train, seed)
    unlabelled = _unseen(unlabelled, valid)
    indexer = folder.indexer(configuration.text) if folder is not None and resume else None
    if start is not None:
        indexer = start.indexer_for(configuration.text)
    with RANDOM_NUMBERS:  # of which the linear machines have one source, too
        # Now, while they have the room that the tokens of many rows will take.
        linear = fit_linear_models(train, configuration, seed)
        beside = None
        if linear.ngrams is not None and configuration.train.beside_ngrams:
            beside = beside_ngrams(linear.ngrams, train, valid, configuration, seed)
            return_memory()
    if indexer is None and configuration.text.vocabulary_rows == "all":
        indexer = TextIndexer.fit([*train.texts, *valid.texts], configuration.text)
    if indexer is None and len(unlabelled) and configuration.train.pretrain_epochs:
        indexer = TextIndexer.fit([*train.texts, *unlabelled], configuration.text)
    if indexer is None:
        indexer, indexed = TextIndexer.fit_index(train.texts, configuration.text)
    else:
        indexed = indexer.index(train.texts)
    return_memory()
    with RANDOM_NUMBERS, torch.random.fork_rng(devices=[]):
        network, coverage = _start(indexer, len(train.label_names), configuration.model, seed, precision)
        if start is not None:
            network.load_state_dict({name: torch.tensor(each) for name, each in start.weights.items()}, False)
        network.to(device)
        store, shortened = TokenStore.of(indexed), indexed.shortened
        held_out = IndexedRows(TokenStore.of(indexer.index(valid.texts)), valid.targets)
        del indexed
        first: Run | None = None
        learned_before: dict[str, Any] = {}
        if configuration.train.pretrain_epochs:
            texts = TokenStore.joined([store, TokenStore.of(indexer.index(unlabelled))])
            targets = Targets.of(texts, store, train.targets)
            return_memory()
            first = begin_pretraining(network, texts, held_out.store, targets, configuration, seed)
        if folder is not None:
            folder.begin(identity, indexer, resume, force)
        with cores_for_shards():
            if first is not None:
                go_on(first, None if folder is None else folder.pretraining, watch)
                learned_before = {"pretraining": pretraining_figures(first, texts)}
                del first, texts
            rows = IndexedRows(store, train.targets)
            if is_pretrained:
                start_head(network, rows, configuration, label_weights(train, configuration.train))
            run = _learn_labels(network, rows, held_out, train, configuration, seed, beside)
            go_on(run, folder, watch)
        best, progress = {name: tensor.cpu() for name, tensor in run.best.items()}, run.progress
    if configuration.model.unknown == "average" and configuration.model.inputs == "embedding":
        table = best["embedding.weight"]
        table[UNKNOWN_ID] = average_word(table, configuration.text.specials)
    network.load_state_dict(best)
    parameters = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in best.items()}
    del run, store, rows, beside  # which leave their room to what the linear models read
    return_memory()

    def combined(ngrams: NgramBranch | None) -> Combination:
        return combine(recurrent, parameters, ngrams, valid, configuration.train.calibrate, is_pretrained)

    def answered(texts: Sequence[str]) -> Floats:
        return answer(TokenStore.of(indexer.index(texts)), configuration.text, torch_forward(network))

    recurrent = answer(held_out.store, configuration.text, torch_forward(network))
    whole, more = combined(linear.ngrams), None
    self_training: dict[str, Any] = {}
    is_told = are_enough(len(unlabelled), len(train), is_pretrained)
    is_weighed = label_weights(train, configuration.train) is not None
    if linear.ngrams is not None and is_told and not is_weighed:
        given_to = (train, valid, unlabelled, configuration, seed, is_pretrained)
        with RANDOM_NUMBERS:
            self_trained = self_train(whole, linear.ngrams, answered, combined, *given_to)
        told = {"texts": len(self_trained.more.texts), "helps": self_trained.helps}
        self_training = {"self_training": told}
        if self_trained.helps:
            whole, more = self_trained.whole, self_trained.more
            linear = linear._replace(ngrams=self_trained.ngrams)
        del self_trained
    final, weights = linear, whole.parameters
    if is_cut:  # now that nothing is to be chosen any more, the linear models learn from all rows
        with RANDOM_NUMBERS:
            final = fit_linear_models(given, configuration, seed, more)
        if final.ngrams is not None:
            weights |= {name: each * whole.scales[1] for name, each in final.ngrams.parameters.items()}
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
            **_figures(network, progress),
            **({} if coverage is None else {"vector_coverage": coverage}),
            **learned_before,
            **self_training,
            "validation": asdict(measure(probabilities, valid.targets, thresholds)),
            **whole.alone,
            "linear_baseline": score_answers(linear.baseline.predict(valid.texts), valid.targets),
            "least_probabilities": least_by_precision(
                probabilities, chosen, valid.targets, train.label_names
            ),
            "shortened": shortened,
            **final.rows,
        },
        history=tuple(progress.history),
        provenance={**(provenance or {}), **identity, "best_epoch": progress.best_epoch},
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


def _unseen(unlabelled: Sequence[str], valid: Dataset) -> Sequence[str]:
    """Return the texts without labels that are none of the validation rows'."""
    if not len(unlabelled):
        return unlabelled  # without a set of the others, which may be many
    held_out = set(valid.texts)
    kept = [row for row, text in enumerate(unlabelled) if text not in held_out]
    if len(kept) == len(unlabelled):
        return unlabelled
    return Dataset(unlabelled, None, ()).take(np.array(kept, np.int64)).texts


def _file_checksum(path: str) -> str | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file; expected word vectors as text")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _start(
    indexer: TextIndexer, classes: int, model: ModelConfig, seed: int, precision: str
) -> tuple[TextClassifier, float | None]:
    """Return the network as it starts, and the share of the vocabulary that starts from given word vectors,
    None where none are given."""
    torch.manual_seed(seed)
    network = TextClassifier(model, indexer.vocabulary_size, classes)
    network.precision = precision
    if not model.vectors:
        return network, None
    return network, start_from_vectors(network, indexer, Path(model.vectors))


def _learn_labels(
    network: TextClassifier,
    rows: IndexedRows,
    valid: IndexedRows,
    train: Dataset,
    configuration: Configuration,
    seed: int,
    beside: Beside | None,
) -> Run:
    """Return the run in which `network` learns the labels of `rows`, which are those of `train`."""
    config = configuration.train
    known, unseen = beside or (None, None)
    return Run(
        network=network,
        optimizer=build_optimizer(network, config),
        configuration=configuration,
        seed=seed,
        train=rows,
        learn=learn_labels(network, config, label_weights(train, config), known),
        score=score_labels(valid, configuration, unseen),
        progress=Progress(epochs=config.epochs),
        best={},
    )


def start_from_vectors(network: TextClassifier, indexer: TextIndexer, path: Path) -> float:
    """Set the embedding of each word that the file at `path` has; return the share of the vocabulary
    it covers. Raises DataError for a file of another width."""
    vectors, found = read_vectors(path, indexer.vocabulary(), network.config.embedding_size)
    with torch.no_grad():
        network.embedding.weight[torch.from_numpy(found)] = torch.from_numpy(vectors[found])
    return float(found.mean())


def _figures(network: TextClassifier, progress: Progress) -> dict[str, Any]:
    """Return what `train --json` prints of the training itself."""
    return {
        "parameters": count_parameters(network),
        "epochs": progress.epoch,
        "seconds": round(progress.seconds, 2),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9)),
        "precision": network.precision,
    }

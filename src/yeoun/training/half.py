"""The recurrent half: a tokeniser of the texts, and a network that learns from text alone, where that is
asked for, and then the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config import UNKNOWN_ID, Configuration, ModelConfig
from ..data.texts import JoinedTexts
from ..data.tokens import TokenStore
from ..inference import Floats, answer, torch_forward
from ..nn.classifier import TextClassifier, average_word, count_parameters
from ..nn.shards import cores_for_shards
from ..pretrained import Pretrained
from ..process import return_memory
from ..text.indexer import Indexed, TextIndexer
from ..text.vectors import read_vectors
from .combination import Beside
from .division import Division
from .head import start_head
from .labels import learn_labels, score_labels
from .loop import IndexedRows, Run, go_on
from .machine import RANDOM_NUMBERS
from .objective import label_weights
from .optimization import build_optimizer
from .pretraining import begin_pretraining, pretraining_figures
from .state import Progress, TrainingFolder
from .targets import Targets


@dataclass(frozen=True)
class RecurrentHalf:
    """A network with its best weights, and how text is read.

    pretrained: whether it learned from text alone before. valid: its logits on the validation rows, [rows, C]
    (of a sigmoid [rows, 1]). figures: for the metrics of a model. history: one record an epoch.
    """

    configuration: Configuration
    indexer: TextIndexer
    network: TextClassifier
    pretrained: bool
    valid: Floats
    figures: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...]
    best_epoch: int

    @property
    def weights(self) -> dict[str, Floats]:
        """The network's, by name."""
        state = self.network.state_dict()
        return {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in state.items()}

    def answer(self, texts: Sequence[str]) -> Floats:
        """Return the logits of texts, [texts, C] (of a sigmoid [texts, 1])."""
        store = TokenStore.of(self.indexer.index(texts))
        return answer(store, self.configuration.text, torch_forward(self.network))


def learn_half(
    rows: Division,
    configuration: Configuration,
    seed: int,
    device: str,
    precision: str,
    beside: Beside | None,
    start: Pretrained | None,
    indexer: TextIndexer | None,
    begin: Callable[[TextIndexer], None],
    folder: TrainingFolder | None,
    watch: Callable[[Progress], None],
) -> RecurrentHalf:
    """Return what learned the labels of `rows`, its best epoch chosen on the validation rows.

    beside: what n-grams add to its logits meanwhile. start: what was pretrained before. indexer: of the run
    that goes on in `folder`. begin: called with the indexer when nothing can be refused any more. watch: as
    of `training.fit.fit`. Raises DataError for texts, or word vectors, that cannot be learned from.
    """
    is_pretrained = start is not None or configuration.train.pretrain_epochs > 0
    if start is not None:
        indexer = start.indexer_for(configuration.text)
    indexer, indexed = _index(rows, configuration, indexer)
    return_memory()
    with RANDOM_NUMBERS, torch.random.fork_rng(devices=[]):
        network, coverage = _start(indexer, len(rows.train.label_names), configuration.model, seed, precision)
        if start is not None:
            network.load_state_dict({name: torch.tensor(each) for name, each in start.weights.items()}, False)
        network.to(device)
        figures: dict[str, Any] = {} if coverage is None else {"vector_coverage": coverage}
        figures["shortened"] = indexed.shortened
        learned = IndexedRows(TokenStore.of(indexed), rows.train.targets)
        held_out = IndexedRows(TokenStore.of(indexer.index(rows.valid.texts)), rows.valid.targets)
        del indexed
        first: Run | None = None
        if configuration.train.pretrain_epochs:
            texts = TokenStore.joined([learned.store, TokenStore.of(indexer.index(rows.unlabelled))])
            targets = Targets.of(texts, learned.store, rows.train.targets)
            return_memory()
            first = begin_pretraining(network, texts, held_out.store, targets, configuration, seed)
        begin(indexer)
        with cores_for_shards():
            if first is not None:
                go_on(first, None if folder is None else folder.pretraining, watch)
                figures["pretraining"] = pretraining_figures(first, texts)
                del first, texts
            weights = label_weights(rows.train, configuration.train)
            if is_pretrained:
                start_head(network, learned, configuration, weights)
            known, unseen = beside or (None, None)
            run = Run(
                network=network,
                optimizer=build_optimizer(network, configuration.train),
                configuration=configuration,
                seed=seed,
                train=learned,
                learn=learn_labels(network, configuration.train, weights, known),
                score=score_labels(held_out, configuration, unseen),
                progress=Progress(epochs=configuration.train.epochs),
                best={},
            )
            go_on(run, folder, watch)
    best = {name: tensor.cpu() for name, tensor in run.best.items()}
    if configuration.model.unknown == "average" and configuration.model.inputs == "embedding":
        table = best["embedding.weight"]
        table[UNKNOWN_ID] = average_word(table, configuration.text.specials)
    network.load_state_dict(best)
    return RecurrentHalf(
        configuration=configuration,
        indexer=indexer,
        network=network,
        pretrained=is_pretrained,
        valid=answer(held_out.store, configuration.text, torch_forward(network)),
        figures={**_figures(network, run.progress), **figures},
        history=tuple(run.progress.history),
        best_epoch=run.progress.best_epoch,
    )


def _index(
    rows: Division, configuration: Configuration, indexer: TextIndexer | None
) -> tuple[TextIndexer, Indexed]:
    """Return the indexer, fitted where there is none, and the training rows as token ids."""
    text, train = configuration.text, rows.train.texts
    if indexer is None and text.vocabulary_rows == "all":
        indexer = TextIndexer.fit(JoinedTexts(train, rows.valid.texts), text)
    if indexer is None and len(rows.unlabelled) and configuration.train.pretrain_epochs:
        indexer = TextIndexer.fit(JoinedTexts(train, rows.unlabelled), text)
    if indexer is None:
        return TextIndexer.fit_index(train, text)
    return indexer, indexer.index(train)


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

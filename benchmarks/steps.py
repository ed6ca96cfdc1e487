"""Our own steps, whole ones, in training and in answering, on any rows and a network of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from yeoun.config import Configuration
from yeoun.data.batches import collate
from yeoun.data.rows import Dataset
from yeoun.data.tokens import TokenStore
from yeoun.inference import torch_forward
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.shards import cores_for_shards
from yeoun.text.indexer import TextIndexer
from yeoun.training.labels import learn_labels, score_labels
from yeoun.training.loop import IndexedRows, Run, train_step
from yeoun.training.optimization import build_optimizer
from yeoun.training.state import Progress

Batches = Sequence[npt.NDArray[np.int64]]  # the numbers of each batch's rows
Steps = Callable[[Batches], None]  # a step a batch


@dataclass(frozen=True)
class Task:
    """Rows of two labels as token ids, and the network that is to learn them."""

    configuration: Configuration
    rows: IndexedRows
    vocabulary_size: int


def read_task(rows: Dataset, configuration: Configuration) -> Task:
    """Return the task of learning these rows."""
    indexer, indexed = TextIndexer.fit_index(rows.texts, configuration.text)
    return Task(configuration, IndexedRows(TokenStore.of(indexed), rows.targets), indexer.vocabulary_size)


def dense_task(configuration: Configuration, rows: int, tokens: int) -> Task:
    """Return the task of learning `rows` random texts of so many `tokens` each."""
    generator, size = np.random.default_rng(0), configuration.text.vocabulary_size
    token_ids = generator.integers(3, size, rows * tokens, dtype=np.int32)
    store = TokenStore(token_ids, np.arange(rows + 1) * tokens)
    return Task(configuration, IndexedRows(store, generator.integers(0, 2, rows)), size)


def training(task: Task, precision: str = "fp32") -> Steps:
    """Return all that training does at a step: the batch made, forward, backward, clipped, moved."""
    network = _network(task)
    network.precision = precision
    run = Run(
        network=network,
        optimizer=build_optimizer(network, task.configuration.train),
        configuration=task.configuration,
        seed=0,
        train=task.rows,
        learn=learn_labels(network, task.configuration.train, None),
        score=score_labels(task.rows, task.configuration),
        progress=Progress(steps=1),
        best={},
    )

    def steps(batches: Batches) -> None:
        with cores_for_shards():
            for rows in batches:
                train_step(run, collate(task.rows.store, rows, task.rows.labels))

    return steps


def answering(task: Task, precision: str = "fp32") -> Steps:
    """Return all that answering does at a step: the batch made, forward."""
    forward = torch_forward(_network(task), precision)

    def steps(batches: Batches) -> None:
        for rows in batches:
            forward(collate(task.rows.store, rows))

    return steps


def _network(task: Task) -> TextClassifier:
    torch.manual_seed(0)
    return TextClassifier(task.configuration.model, task.vocabulary_size, 2)

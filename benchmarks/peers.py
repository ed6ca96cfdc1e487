"""The others, each as its own tutorials write it. A package that is not installed is not measured (None)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import torch
from measurement import Way
from steps import Batches, Steps, Task
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

from yeoun.config import ModelConfig
from yeoun.data.batches import answering_order, collate
from yeoun.data.rows import Dataset
from yeoun.data.tokens import TokenStore
from yeoun.nn.classifier import DTYPES

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
OPTIMIZERS = {"adamw": torch.optim.AdamW, "keras-rmsprop": torch.optim.RMSprop}


def versions() -> dict[str, str | None]:
    """Return the version of each of the others, None where it is not installed."""
    found: dict[str, str | None] = {}
    for package in ("keras", "tensorflow-cpu", "transformers", "fasttext"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def keras_padded(task: Task) -> Steps | None:
    """Return Keras on TensorFlow, every text padded in front to the longest that is read."""
    if not (_is_installed("keras") and _is_installed("tensorflow")):
        return None
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
    tensorflow.config.threading.set_inter_op_parallelism_threads(torch.get_num_threads())
    network = keras_network(task.configuration.model, task.vocabulary_size)
    token_ids, labels = _padded(task, "front"), task.rows.labels

    def steps(batches: Batches) -> None:
        for rows in batches:
            network.train_on_batch(token_ids[rows], labels[rows])

    return steps


def keras_network(config: ModelConfig, vocabulary_size: int) -> Any:
    """Return the network of the articles in Keras, compiled as they do."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    layer = {"lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}[config.encoder]
    network = keras.Sequential(
        [
            keras.layers.Embedding(vocabulary_size, config.embedding_size),
            layer(config.hidden_size),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return network


def pytorch_padded(task: Task) -> Steps:
    """Return PyTorch, every text padded in front to the longest that is read."""
    return _pytorch(task, list(torch.from_numpy(_padded(task, "front"))), packs=False)


def pytorch_padded_by_batch(task: Task) -> Steps:
    """Return PyTorch, each batch padded to its longest."""
    return _pytorch(task, _ragged(task.rows.store), packs=False)


def pytorch_packed(task: Task) -> Steps:
    """Return PyTorch with packed sequences: exact lengths."""
    return _pytorch(task, _ragged(task.rows.store), packs=True)


class Tutorial(nn.Module):
    """Embedding, recurrent layer, the last state of each direction, a linear head."""

    def __init__(self, config: ModelConfig, vocabulary_size: int, packs: bool) -> None:
        super().__init__()
        self.packs = packs
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size, padding_idx=0)
        self.encoder = LAYERS[config.encoder](
            config.embedding_size, config.hidden_size, batch_first=True, bidirectional=config.bidirectional
        )
        self.head = nn.Linear(config.hidden_size * (1 + config.bidirectional), 1)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.embedding(token_ids)
        if self.packs:
            embedded = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.encoder(embedded)
        hidden = state[0] if isinstance(state, tuple) else state
        return self.head(hidden.transpose(0, 1).flatten(1)).squeeze(1)


def _pytorch(task: Task, texts: list[Tensor], packs: bool) -> Steps:
    torch.manual_seed(0)
    config = task.configuration
    network = Tutorial(config.model, task.vocabulary_size, packs)
    optimizer = OPTIMIZERS[config.train.optimizer](network.parameters(), lr=config.train.learning_rate)
    dataset = list(zip(texts, torch.from_numpy(task.rows.labels).float(), strict=True))

    def together(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        texts, labels = zip(*items, strict=True)
        lengths = torch.tensor([max(1, len(text)) for text in texts])  # packing refuses an empty text
        return pad_sequence(texts, batch_first=True), lengths, torch.stack(labels)

    def steps(batches: Batches) -> None:
        network.train()
        for token_ids, lengths, labels in DataLoader(dataset, batch_sampler=batches, collate_fn=together):
            optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(network(token_ids, lengths), labels)
            loss.backward()
            optimizer.step()

    return steps


def _padded(task: Task, side: str) -> np.ndarray:
    store, longest = task.rows.store, task.configuration.text.maximum_length
    return collate(store, np.arange(len(store)), None, longest, side).token_ids


def _ragged(store: TokenStore) -> list[Tensor]:
    return list(torch.from_numpy(store.token_ids).long().split(store.lengths.tolist()))


def transformer(name: str, store: TokenStore, precision: str) -> Way | None:
    """Return the labelling of these rows by a transformer of random weights, texts of like length together.

    name: "Bert" or "DistilBert", as the library calls them, at the size of their base models.
    """
    if not _is_installed("transformers"):
        return None
    import transformers

    config = getattr(transformers, f"{name}Config")()
    network = getattr(transformers, f"{name}ForSequenceClassification")(config)
    network = network.eval().to(DTYPES[precision])
    batches = [collate(store, rows) for rows in answering_order(store.lengths, tokens=8_192, rows=64)]

    def label() -> None:
        for batch in batches:
            real = np.arange(batch.token_ids.shape[1]) < batch.lengths.clip(1)[:, None]
            with torch.inference_mode():
                network(torch.from_numpy(batch.token_ids), attention_mask=torch.from_numpy(real).long())

    return label


def fasttext_labels(train: Dataset, texts: Sequence[str]) -> Way | None:
    """Return the labelling of `texts` by fastText as it comes, trained on `train`."""
    if not _is_installed("fasttext"):
        return None
    import fasttext

    with NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text, label in zip(train.texts, train.targets, strict=True):
            file.write(f"__label__{label} {' '.join(text.split())}\n")
        file.flush()
        model = fasttext.train_supervised(file.name, thread=torch.get_num_threads(), verbose=0)
    lines = [" ".join(text.split()) for text in texts]
    return lambda: model.predict(lines)


def _is_installed(package: str) -> bool:
    is_there = find_spec(package) is not None
    if not is_there:
        print(f"{package} is not installed, so it is not measured; pip install 'yeoun[peers]'", flush=True)
    return is_there

"""How long does one epoch take, beside Keras and PyTorch as tutorials write it?

Whole steps are timed: the batch made, forward, backward, clipped, moved. Of an epoch's batches an even sample
by length, multiplied to the epoch's number; the others get the same rows shuffled into batches of the same
size, since tutorials do not put rows of like length together. Tokens are real ones, padding not counted.

The limits, in the same rounds: a large matrix product, and a layer alone in training (one direction, on a
batch of the task's size without padding), torch's and ours. *Useful* operations are those of the encoder on
real tokens.

A loss on the last state alone sends gradients back that vanish into denormal numbers, with which a CPU is far
slower, and large tensors cost the mapping of their pages. TensorFlow takes such numbers for zero; PyTorch
does, and asks for huge pages, with --tuned, as the program does (`tune_process`): a run of its own with
results of its own, since it is the process that is tuned, for us and for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from measurement import ROUNDS, Way, evenly, in_turns, spread, times
from peers import (
    LAYERS,
    keras_padded,
    pytorch_packed,
    pytorch_padded,
    pytorch_padded_by_batch,
    versions,
)
from record import record, result
from steps import Batches, Steps, Task, read_task, training

from yeoun.config import Configuration, ModelConfig, TextConfig, TrainConfig
from yeoun.data.batches import training_order
from yeoun.data.sources import read_source
from yeoun.data.splits import stratified_split
from yeoun.nn.cells import GATES
from yeoun.nn.classifier import DTYPES
from yeoun.nn.shards import by_rows, cores_for_shards
from yeoun.process import tune_process
from yeoun.recipes import read_recipe

STEPS, SIDE = 6, 4096  # steps a round; of the square matrices
TUNED = "--tuned"
WHOSE = TORCH_LAYER, OUR_LAYER = "torch's layer alone", "our layer alone"


def article(recipe: str) -> Task:
    """Return the rows and the network of a published system."""
    configuration = read_recipe(recipe).configuration
    rows = read_source("imdb").dataset
    kept, _ = stratified_split(rows, configuration.train.validation_share, seed=0)
    return read_task(rows.take(kept), configuration)


def bilstm(corpus: str, batch_size: int, text: TextConfig) -> Task:
    """Return a corpus's training rows and a BiLSTM of 256 units."""
    network = ModelConfig(hidden_size=256, dropout=0.5, embedding_dropout=0.2, word_dropout=0.1)
    configuration = Configuration(text, network, TrainConfig(batch_size=batch_size))
    return read_task(read_source(corpus).dataset, configuration)


TASKS: dict[str, Callable[[], Task]] = {
    "imdb-lstm": partial(article, "imdb-lstm"),
    "imdb-simplernn": partial(article, "imdb-simplernn"),
    "imdb-bilstm-512": partial(bilstm, "imdb", 64, TextConfig("words", maximum_length=512)),
    "nsmc-bilstm": partial(bilstm, "nsmc", 128, TextConfig("bpe", vocabulary_size=16_000, maximum_length=60)),
}
Peers = dict[str, Callable[[Task], Steps | None]]
PYTORCH: Peers = {"PyTorch, padded": pytorch_padded, "PyTorch, packed": pytorch_packed}
PEERS: dict[str, Peers] = {
    "imdb-lstm": {"Keras, padded": keras_padded, **PYTORCH},
    "imdb-simplernn": {"Keras, padded": keras_padded, **PYTORCH},
    "imdb-bilstm-512": PYTORCH,
    "nsmc-bilstm": {**PYTORCH, "PyTorch, padded": pytorch_padded_by_batch},
}


def main(arguments: list[str]) -> None:
    tuned = TUNED in arguments
    if tuned:
        tune_process()
    for task in [each for each in arguments if each != TUNED] or TASKS:
        name = f"speed-{task}{'-tuned' if tuned else ''}"
        if result(name) is None:
            record(name, {"task": task, "tuned": tuned, **measure(TASKS[task](), PEERS[task])})


def measure(task: Task, peers: Peers) -> dict[str, Any]:
    model = task.configuration.model
    precisions = ("fp32", "bf16") if model.encoder == "lstm" else ("fp32",)
    ours, theirs, epoch_steps = sample(task)
    tokens = int(task.rows.store.lengths[np.concatenate(ours)].sum())
    tokens_per_text = round(tokens / theirs.size)
    ways: dict[str, Way] = {f"ours, {each}": partial(training(task, each), ours) for each in precisions}
    built = {name: build(task) for name, build in peers.items()}
    ways |= {name: partial(steps, list(theirs)) for name, steps in built.items() if steps}
    limits = {
        f"{whose}, {each}": layer_alone(task, tokens_per_text, each, whose)
        for each in precisions
        for whose in WHOSE
    }
    limits |= {f"matrix product, {each}": matrix_product(each) for each in precisions}
    seconds = in_turns({**ways, **limits})
    useful = encoder_operations(model, tokens) * (1 + model.bidirectional)
    dense = encoder_operations(model, STEPS * tokens_per_text * theirs.shape[1])
    operations = {f"ours, {each}": useful for each in precisions}
    operations |= {name: dense if name.startswith(WHOSE) else 2 * SIDE**3 for name in limits}
    return {
        "configuration": task.configuration.to_mapping(),
        "versions": versions(),
        "rounds": ROUNDS,
        "steps": len(ours),
        "epoch_steps": epoch_steps,
        "tokens": tokens,
        "tokens_per_text": tokens_per_text,
        "ways": {
            name: {
                **spread(seconds[name]),
                "epoch_seconds": median(seconds[name]) * epoch_steps / len(ours),
                "tokens_per_second": round(tokens / median(seconds[name])),
                "times_ours": times(seconds[name], seconds["ours, fp32"]),
            }
            if name in ways
            else None
            for name in (*ways, *peers)
        },
        "gflops": {name: count / median(seconds[name]) / 1e9 for name, count in operations.items()},
    }


def sample(task: Task) -> tuple[Batches, np.ndarray, int]:
    """Return our batches; their rows [steps, rows] in batches that disregard length; an epoch's steps."""
    lengths, size = task.rows.store.lengths, task.configuration.train.batch_size
    epoch = training_order(lengths, size, seed=0, epoch=0)
    full = sorted((rows for rows in epoch if len(rows) == size), key=lambda rows: int(lengths[rows].sum()))
    ours = [full[i] for i in evenly(STEPS, len(full))]
    theirs = np.random.default_rng(0).permutation(np.concatenate(ours)).reshape(-1, size)
    return ours, theirs, len(epoch)


def encoder_operations(model: ModelConfig, tokens: int) -> int:
    """Return the operations of one direction in training, over forward the double backward."""
    weights = GATES[model.encoder] * model.hidden_size * (model.embedding_size + model.hidden_size)
    return 3 * 2 * weights * tokens


def layer_alone(task: Task, tokens: int, precision: str, whose: str) -> Way:
    config, rows, dtype = task.configuration.model, task.configuration.train.batch_size, DTYPES[precision]
    layer = LAYERS[config.encoder](config.embedding_size, config.hidden_size, dtype=dtype)
    leaves = [torch.randn(tokens, rows, config.embedding_size, dtype=dtype, requires_grad=True)]
    leaves += layer.parameters()
    lengths = torch.full((rows,), tokens)
    gradient = torch.randn(rows, tokens, config.hidden_size, dtype=dtype)

    def read(inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return layer(inputs)[0].transpose(0, 1)

    def run() -> None:
        for _ in range(STEPS):
            if whose == OUR_LAYER:
                with cores_for_shards():
                    outputs = by_rows(read, leaves[0], lengths, leaves[1:])
                    torch.autograd.grad(outputs, leaves, gradient)
            else:
                torch.autograd.grad(read(leaves[0], lengths), leaves, gradient)

    return run


def matrix_product(precision: str) -> Way:
    left, right = torch.randn(2, SIDE, SIDE, dtype=DTYPES[precision])
    return partial(torch.matmul, left, right)


if __name__ == "__main__":
    main(sys.argv[1:])

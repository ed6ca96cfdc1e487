"""The training loop: epochs of steps, a validation after each, the best weights kept.

Every random draw is a function of (seed, epoch, step), and of how many threads share the rows, so that a run
cut anywhere goes on as if it had not been.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..config import Configuration
from ..data.batches import Batch, collate, training_order
from ..data.tokens import TokenStore
from ..evaluation.metrics import count_right, decide, log_loss
from ..inference import answer, to_probabilities, torch_forward
from ..nn.classifier import TextClassifier
from .objective import adversary, count_hits, objective
from .optimization import averaged, clip_gradients, keep_average, learning_rate
from .state import Progress

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class IndexedRows:
    """Texts as token ids, with their labels (int64 [rows], or [rows, classes])."""

    store: TokenStore
    labels: npt.NDArray[np.int64]


@dataclass
class Run:
    """What one training run works on.

    weights: how much each label of the training rows counts, of their labels' shape, None where all count
    alike. vector_coverage: the
    share of the vocabulary that started from given word vectors, None where none were given.
    """

    network: TextClassifier
    optimizer: Optimizer
    configuration: Configuration
    seed: int
    train: IndexedRows
    valid: IndexedRows
    progress: Progress
    best: Weights
    weights: Tensor | None
    vector_coverage: float | None


def run_epochs(
    run: Run, save: Callable[[], None], save_every: int, watch: Callable[[Progress], None]
) -> None:
    """Train until the epochs are done or patience is out; `run.best` then holds the best weights.

    `save` is called every `save_every` steps and after each epoch, `watch` after each step and epoch.
    """
    while not is_finished(run):
        run_epoch(run, save, save_every, watch)
        finish_epoch(run)
        save()
        watch(run.progress)


def is_finished(run: Run) -> bool:
    """Return whether the epochs are done, or `patience` epochs went by without a better score."""
    config, progress = run.configuration.train, run.progress
    waited = progress.epoch - progress.best_epoch
    return progress.epoch >= config.epochs or 0 < config.patience <= waited


def run_epoch(run: Run, save: Callable[[], None], save_every: int, watch: Callable[[Progress], None]) -> None:
    """Train on every row once, from the step that `run.progress` stands at."""
    text, config, progress = run.configuration.text, run.configuration.train, run.progress
    bucket = not isinstance(text.pad_to, int)  # rows padded to one length have none to sort by
    order = training_order(run.train.store.lengths, config.batch_size, run.seed, progress.epoch, bucket)
    progress.steps = len(order)
    while progress.step < len(order):
        started = time.perf_counter()
        rows = order[progress.step]
        train_step(run, collate(run.train.store, rows, run.train.labels, text.pad_to, text.pad_side))
        progress.step += 1
        progress.seconds += time.perf_counter() - started
        if progress.step % save_every == 0 and progress.step < len(order):
            save()
        watch(progress)


def train_step(run: Run, batch: Batch) -> None:
    """Move the weights by one batch and add its loss, hits, rows and tokens to the progress."""
    assert batch.labels is not None
    config, progress, network = run.configuration.train, run.progress, run.network
    step = progress.epoch * progress.steps + progress.step
    losses = [record["validation_loss"] for record in progress.history]
    rate = learning_rate(step, config.epochs * progress.steps, losses, config)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    device = network.embedding.weight.device
    # The CPU's generator alone costs 1 ms a step less than asking for all devices'.
    set_seed = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed
    seed = _seed_of(run.seed, progress.epoch, progress.step)
    set_seed(seed)
    token_ids, lengths, labels = (
        torch.from_numpy(array).to(device) for array in (batch.token_ids, batch.lengths, batch.labels)
    )
    network.train()
    embedded = network.embed(token_ids, lengths)
    if config.adversarial:
        embedded.retain_grad()
    logits = network.read(embedded, lengths)
    weights = None if run.weights is None else run.weights[batch.rows].to(device)
    loss = objective(logits, labels, config.label_smoothing, weights)
    run.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if config.adversarial:
        set_seed(seed)  # the same words and units are dropped again
        shifted = network.embed(token_ids, lengths)
        shifted = shifted + adversary(embedded, network.steps(lengths), config.adversarial)
        harder = objective(network.read(shifted, lengths), labels, config.label_smoothing, weights)
        harder.backward()  # type: ignore[no-untyped-call]
    clip_gradients([p for p in network.parameters() if p.requires_grad], config.clip)
    run.optimizer.step()
    if config.average:
        keep_average(run.optimizer, config.average, step)
    progress.loss_sum += loss.item() * len(batch.rows)
    progress.right += count_hits(logits, labels)
    progress.rows += len(batch.rows)
    progress.tokens += int(run.train.store.lengths[batch.rows].sum())


def finish_epoch(run: Run) -> None:
    """Score the validation rows, record the epoch, keep the weights if they are the best so far."""
    progress, network = run.progress, run.network
    started = time.perf_counter()
    if run.configuration.train.average:
        network = averaged(network, run.optimizer)
    logits = answer(run.valid.store, run.configuration.text, torch_forward(network))
    labels = run.valid.labels
    probabilities = to_probabilities(logits, labels.ndim == 2)
    right = count_right(decide(probabilities, labels.ndim == 2), labels)
    record = {
        "epoch": progress.epoch + 1,
        "loss": progress.loss_sum / progress.rows,
        "accuracy": progress.right / progress.rows,
        "validation_loss": log_loss(probabilities, labels),
        "validation_accuracy": right / len(labels),
    }
    progress.seconds += time.perf_counter() - started
    record["seconds"] = round(progress.seconds, 3)
    progress.history.append(record)
    progress.epoch += 1
    progress.step, progress.loss_sum, progress.right, progress.rows = 0, 0.0, 0, 0
    if all(_score(run, record) > _score(run, earlier) for earlier in progress.history[:-1]):
        progress.best_epoch = progress.epoch
        run.best = {k: v.detach().clone() for k, v in network.state_dict().items()}


def _score(run: Run, record: dict[str, float]) -> float:
    return {
        "loss": -record["validation_loss"],
        "accuracy": record["validation_accuracy"],
        "last": record["epoch"],
    }[run.configuration.train.select_by]


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))

"""The training loop: epochs of steps, a validation after each, the best weights kept.

Every random draw is a function of (seed, epoch, step), and of how many threads share the rows, so that a run
cut anywhere goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..config import Configuration
from ..data.batches import Batch, collate, training_order
from ..data.tokens import TokenStore
from ..errors import ConfigError
from ..nn.classifier import count_parameters
from .optimization import averaged, clip_gradients, keep_average, learning_rate
from .state import Progress, TrainingFolder, steps_between_saves

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class IndexedRows:
    """Texts as token ids, with their labels (int64 [rows], or [rows, classes]; None of text alone)."""

    store: TokenStore
    labels: npt.NDArray[np.int64] | None


class Outcome(NamedTuple):
    """What a batch came to: the mean loss (nats) of its answers, how many were right, how many there were."""

    loss: float
    right: int
    answers: int


Learn = Callable[[Batch, Callable[[], None]], Outcome]
Score = Callable[[nn.Module], dict[str, float]]


@dataclass
class Run:
    """What one training run works on.

    learn: leaves the gradients of a batch in the network; what it is given beside the batch has torch draw
    the same random numbers again. score: `validation_loss` and `validation_accuracy` of a network like this.
    """

    network: nn.Module
    optimizer: Optimizer
    configuration: Configuration
    seed: int
    train: IndexedRows
    learn: Learn
    score: Score
    progress: Progress
    best: Weights


def go_on(run: Run, folder: TrainingFolder | None, watch: Callable[[Progress], None]) -> None:
    """Train to the end, from the state in `folder` where there is one; it is kept there about once a
    minute."""

    def save() -> None:
        if folder is not None:
            folder.save(run.progress, run.network, run.optimizer, run.best)

    if folder is not None and (saved := folder.load(run.network, run.optimizer)) is not None:
        run.progress, run.best = saved
    pad_to = run.configuration.text.pad_to
    tokens = run.train.store.lengths.mean() if isinstance(pad_to, str) else pad_to
    # What every token goes through; a table's rows it only looks up, and a text is scored once.
    encoder = sum(p.numel() for name, p in run.network.named_parameters() if "encoder." in name)
    batch = float(tokens) * run.configuration.train.batch_size
    device = next(run.network.parameters()).device.type
    every = steps_between_saves(encoder, count_parameters(run.network), batch, device)
    run_epochs(run, save, every, watch)


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
    """Move the weights by one batch and add what it came to, and its tokens, to the progress."""
    config, progress, network = run.configuration.train, run.progress, run.network
    step = progress.epoch * progress.steps + progress.step
    losses = [record["validation_loss"] for record in progress.history]
    rate = learning_rate(step, config.epochs * progress.steps, losses, config)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    draw = _draw_from(_seed_of(run.seed, progress.epoch, progress.step), next(network.parameters()).device)
    draw()
    network.train()
    run.optimizer.zero_grad()
    outcome = run.learn(batch, draw)
    clip_gradients([p for p in network.parameters() if p.requires_grad], config.clip)
    run.optimizer.step()
    if config.average:
        keep_average(run.optimizer, config.average, step)
    progress.loss_sum += outcome.loss * outcome.answers
    progress.right += outcome.right
    progress.answers += outcome.answers
    progress.tokens += int(run.train.store.lengths[batch.rows].sum())


def finish_epoch(run: Run) -> None:
    """Score the validation rows, record the epoch, keep the weights if they are the best so far."""
    progress, network = run.progress, run.network
    started = time.perf_counter()
    if run.configuration.train.average:
        network = averaged(network, run.optimizer)
    record = {
        "epoch": progress.epoch + 1,
        "loss": progress.loss_sum / max(1, progress.answers),
        "accuracy": progress.right / max(1, progress.answers),
        **run.score(network),
    }
    if not math.isfinite(record["validation_loss"]):
        raise ConfigError(
            f"the validation loss is {record['validation_loss']} after epoch {progress.epoch + 1}: training"
            " ran away; lower train.learning_rate, or set train.clip"
        )
    progress.seconds += time.perf_counter() - started
    record["seconds"] = round(progress.seconds, 3)
    progress.history.append(record)
    progress.epoch += 1
    progress.step, progress.loss_sum, progress.right, progress.answers = 0, 0.0, 0, 0
    if all(_score(run, record) > _score(run, earlier) for earlier in progress.history[:-1]):
        progress.best_epoch = progress.epoch
        run.best = {k: v.detach().clone() for k, v in network.state_dict().items()}


def _score(run: Run, record: dict[str, float]) -> float:
    return {
        "loss": -record["validation_loss"],
        "accuracy": record["validation_accuracy"],
        "last": record["epoch"],
    }[run.configuration.train.select_by]


def _draw_from(seed: int, device: torch.device) -> Callable[[], None]:
    """Return what has torch draw from `seed` on, each time it is called."""
    # The CPU's generator alone costs 1 ms a step less than asking for all devices'.
    start = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed

    def draw() -> None:
        start(seed)

    return draw


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))

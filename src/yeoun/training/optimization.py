"""Optimisers and the learning rate of each step."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..config import TrainConfig
from ..nn.classifier import TextClassifier


class KerasRMSprop(Optimizer):
    """RMSprop as Keras 3 writes it, epsilon under the root: w -= rate * g / sqrt(v + epsilon)."""

    def __init__(self, parameters: Iterable[Any], lr: float, decay: float, epsilon: float) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["square"] = torch.zeros_like(parameter)
                square, gradient = state["square"], parameter.grad
                square.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
                root = (square + group["epsilon"]).sqrt_()
                parameter.addcdiv_(gradient, root, value=-group["lr"])


class RowwiseAdamW(torch.optim.AdamW):
    """AdamW that of a table with a sparse gradient moves only the rows that the batch read.

    Those rows have no momentum: it would wait for the next batch that reads them, which for a rare word
    hardly comes. The other rows, and what is known of their gradients, stay as they are.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    self._move_rows(parameter, parameter.grad.coalesce(), group)
                    parameter.grad = None
        super().step()

    def _move_rows(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rows, values = self.state[table], gradient.indices()[0], gradient.values()
        if not state:
            state["step"], state["exp_avg_sq"] = torch.zeros(()), torch.zeros_like(table)
        state["step"] += 1
        rate, smoothing = group["lr"], group["betas"][1]
        square = state["exp_avg_sq"][rows].lerp_(values * values, 1 - smoothing)
        root = (square / (1 - smoothing ** float(state["step"]))).sqrt_().add_(group["eps"])
        moved = table[rows].mul_(1 - rate * group["weight_decay"]).addcdiv_(values, root, value=-rate)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        table.index_copy_(0, rows, moved)


def build_optimizer(
    network: TextClassifier, config: TrainConfig, around: nn.Module | None = None
) -> Optimizer:
    """Return the optimiser over the trained parameters, of the network or of what is `around` it; biases are
    not decayed. `adamw` has the embedding's gradients made sparse."""
    trained = [p for p in (around or network).parameters() if p.requires_grad]
    rate, epsilon = config.learning_rate, config.epsilon
    # Metal has no sparse gradients, and counts are summed without them.
    can_be_sparse = network.config.inputs == "embedding" and network.embedding.weight.device.type != "mps"
    network.embedding.sparse = config.optimizer == "adamw" and can_be_sparse
    if config.optimizer == "adamw":
        groups = [
            {"params": [p for p in trained if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return RowwiseAdamW(groups, lr=rate, eps=epsilon, fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(trained, lr=rate, eps=epsilon, fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(trained, lr=rate, alpha=config.decay, eps=epsilon)
    return KerasRMSprop(trained, rate, config.decay, epsilon)


def learning_rate(step: int, steps: int, losses: Sequence[float], config: TrainConfig) -> float:
    """Return the rate of `step` (from 0) of `steps`, after epochs with these validation losses.

    `one-cycle`: linear from a tenth of the peak over the first quarter, then a cosine down to a
    hundredth (after Smith 2018). `plateau`: half as much after every epoch without a lower loss than all
    before. `constant`: the same throughout.
    """
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "plateau":
        setbacks = sum(map(operator.ge, losses[1:], accumulate(losses, min)))
        return float(config.learning_rate * 0.5**setbacks)
    done, warm = step / max(1, steps), 0.25
    if done < warm:
        return config.learning_rate * (0.1 + 0.9 * done / warm)
    falling = (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2
    return config.learning_rate * (0.01 + 0.99 * falling)


@torch.no_grad()
def keep_average(optimizer: Optimizer, share: float, step: int) -> None:
    """Move the average of each parameter towards it, after `step` (from 0). `share` of the old average stays,
    less in the first steps, so that the weights drawn at the start are soon forgotten.

    It lies in the optimiser's state, and is saved and loaded with it.
    """
    share = min(share, (1 + step) / (10 + step))
    for parameter, state in optimizer.state.items():
        if "average" not in state:
            state["average"] = parameter.detach().clone()
        state["average"].lerp_(parameter, 1 - share)


def averaged(network: nn.Module, optimizer: Optimizer) -> nn.Module:
    """Return a network of the averages that `optimizer` keeps of this one's parameters."""
    averages = {id(p): nn.Parameter(state["average"]) for p, state in optimizer.state.items()}
    return deepcopy(network, averages)


def clip_gradients(parameters: Iterable[Tensor], largest_norm: float) -> None:
    """Scale the gradients down to `largest_norm` together; 0 leaves them."""
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
            gradients.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    if largest_norm and gradients:
        norm = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).norm()
        torch._foreach_mul_(gradients, (largest_norm / (norm + 1e-6)).clamp(max=1.0))

"""Optimisers and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..config import TrainConfig


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


def build_optimizer(network: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the optimiser over the trained parameters; biases are not decayed."""
    trained = [p for p in network.parameters() if p.requires_grad]
    rate, epsilon = config.learning_rate, config.epsilon
    if config.optimizer == "adamw":
        groups = [
            {"params": [p for p in trained if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=rate, eps=epsilon, fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(trained, lr=rate, eps=epsilon, fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(trained, lr=rate, alpha=config.decay, eps=epsilon)
    return KerasRMSprop(trained, rate, config.decay, epsilon)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the rate of `step` (from 0) of `steps`.

    `one-cycle`: linear from a tenth of the peak over the first quarter, then a cosine down to a
    hundredth (after Smith 2018). `constant`: the same throughout.
    """
    if config.schedule == "constant":
        return config.learning_rate
    done, warm = step / max(1, steps), 0.25
    if done < warm:
        return config.learning_rate * (0.1 + 0.9 * done / warm)
    falling = (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2
    return config.learning_rate * (0.01 + 0.99 * falling)


def clip_gradients(parameters: Iterable[Tensor], largest_norm: float) -> None:
    """Scale the gradients down to `largest_norm` together; 0 leaves them."""
    if largest_norm:
        nn.utils.clip_grad_norm_(parameters, largest_norm)

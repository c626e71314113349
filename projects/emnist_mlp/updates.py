"""Update weights: the rules in one table, their learning rate at each step, decay separate from the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from projects.emnist_mlp.config import OptimizerConfig, RegularizationConfig

Parameters = Sequence[torch.Tensor]
_RULES: dict[str, Callable[[Parameters, OptimizerConfig], torch.optim.Optimizer]] = {
    "adamw": lambda parameters, own: torch.optim.Adam(
        parameters, lr=own.lr, betas=(own.beta1, own.beta2), eps=own.eps, fused=True
    ),
    "sgd": lambda parameters, own: torch.optim.SGD(
        parameters, lr=own.lr, momentum=own.momentum, nesterov=own.nesterov, fused=True
    ),
    "rmsprop": lambda parameters, own: torch.optim.RMSprop(
        parameters, lr=own.lr, alpha=own.alpha, eps=own.eps, momentum=own.momentum, foreach=True
    ),
}


def make_rule(parameters: Parameters, own: OptimizerConfig) -> torch.optim.Optimizer:
    """Return torch's optimiser of a config, without weight decay: `decay` does that, for every rule alike."""
    return _RULES[own.name](parameters, own)


def decay(weights: Parameters, own: OptimizerConfig, lr: float) -> None:
    """Multiply weights by 1 - lr * weight_decay, beside the gradient's step (decoupled decay).

    Loshchilov and Hutter, arXiv:1711.05101.
    """
    if own.weight_decay:
        with torch.no_grad():
            torch._foreach_mul_(list(weights), 1 - lr * own.weight_decay)


def penalty(weights: Parameters, own: RegularizationConfig) -> torch.Tensor | float:
    """Return the penalty of the loss: l1 * sum |w| + l2 * sum w^2, over weights and not biases."""
    total: torch.Tensor | float = 0.0
    if own.l1:
        total = total + own.l1 * sum(weight.abs().sum() for weight in weights)
    if own.l2:
        total = total + own.l2 * sum(weight.square().sum() for weight in weights)
    return total


def lr_at(own: OptimizerConfig, step: int, n_steps: int) -> float:
    """Return the learning rate of one update.

    Warm-up is linear from 1/w of the rate in the first of w steps to all of it in the last. After it the rate is
    constant, or falls as half a cosine towards 0, which it would reach in step `n_steps` (arXiv:1608.03983).

    Args:
        own: gives rate, schedule and warm-up.
        step: updates done before this one.
        n_steps: updates of the whole run.
    """
    n_warmup = round(own.warmup_fraction * n_steps)
    if step < n_warmup:
        return own.lr * (step + 1) / n_warmup
    if own.schedule == "cosine":
        return own.lr * (1 + math.cos(math.pi * (step - n_warmup) / (n_steps - n_warmup))) / 2
    return own.lr

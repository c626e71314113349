"""Updates: each rule against torch's own optimiser, penalties and decay by hand and against each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from projects.emnist_mlp.config import OptimizerConfig, RegularizationConfig
from projects.emnist_mlp.updates import decay, lr_at, make_rule, penalty


def start() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in ((5, 4), (3, 5))]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    return [torch.randn(shape, generator=generator) for shape in ((5, 4), (3, 5))]


def after(own: OptimizerConfig, n_steps: int = 5) -> list[torch.Tensor]:
    """Our way: decay, then the rule."""
    weights = start()
    rule = make_rule(weights, own)
    for step in range(n_steps):
        for weight, gradient in zip(weights, gradients(step), strict=True):
            weight.grad = gradient
        decay(weights, own, own.lr)
        rule.step()
    return weights


def after_torch(rule_type: Any, n_steps: int = 5, **options: Any) -> list[torch.Tensor]:
    weights = start()
    rule = rule_type(weights, **options)
    for step in range(n_steps):
        for weight, gradient in zip(weights, gradients(step), strict=True):
            weight.grad = gradient
        rule.step()
    return weights


def assert_equal(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_adamw_is_torchs_adamw() -> None:
    own = OptimizerConfig(lr=0.05, weight_decay=0.2, beta1=0.8, beta2=0.95, eps=1e-6)
    assert_equal(after(own), after_torch(torch.optim.AdamW, lr=0.05, weight_decay=0.2, betas=(0.8, 0.95), eps=1e-6))


def test_sgd_is_torchs_sgd() -> None:
    own = OptimizerConfig(name="sgd", lr=0.05, momentum=0.9, nesterov=True)
    assert_equal(after(own), after_torch(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True))


def test_rmsprop_is_torchs_rmsprop() -> None:
    own = OptimizerConfig(name="rmsprop", lr=0.01, alpha=0.9, momentum=0.5, eps=1e-6)
    assert_equal(after(own), after_torch(torch.optim.RMSprop, lr=0.01, alpha=0.9, momentum=0.5, eps=1e-6))


def test_for_plain_sgd_l2_and_decoupled_decay_are_the_same() -> None:
    # Loshchilov and Hutter, arXiv:1711.05101, proposition 1: the gradient of l2 * w^2 is 2 * l2 * w, so decay = 2 * l2.
    # torch's coupled weight_decay adds weight_decay * w to the gradient.
    decoupled = after(OptimizerConfig(name="sgd", lr=0.05, weight_decay=0.2))
    assert_equal(decoupled, after_torch(torch.optim.SGD, lr=0.05, weight_decay=0.2))
    (weight,) = [torch.tensor([[2.0]], requires_grad=True)]
    value = penalty([weight], RegularizationConfig(l2=0.1))
    assert isinstance(value, torch.Tensor)
    value.backward()
    assert weight.grad is not None
    assert float(weight.grad) == pytest.approx(2 * 0.1 * 2.0)


def test_for_adam_they_are_not() -> None:
    # The same paper, proposition 2: Adam divides the gradient of a penalty by its own size.
    decoupled = after(OptimizerConfig(lr=0.05, weight_decay=0.2))
    coupled = after_torch(torch.optim.Adam, lr=0.05, weight_decay=0.2)
    assert not torch.allclose(decoupled[0], coupled[0], atol=1e-3)


def test_penalties_are_those_by_hand() -> None:
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0]])]
    # By hand: 0.1 x (1 + 2 + 3) + 0.01 x (1 + 4 + 9).
    assert float(penalty(weights, RegularizationConfig(l1=0.1, l2=0.01))) == pytest.approx(0.74)
    assert penalty(weights, RegularizationConfig()) == 0.0


def test_the_learning_rate_warms_up_and_falls_as_by_hand() -> None:
    own = OptimizerConfig(lr=0.8, schedule="cosine", warmup_fraction=0.2)
    # By hand for 10 steps: 2 of warm-up, then 0.8 (1 + cos(pi k / 8)) / 2 for k = 0 to 7.
    found = [lr_at(own, step, 10) for step in range(10)]
    assert found[:3] == pytest.approx([0.4, 0.8, 0.8])
    assert found[6] == pytest.approx(0.4)
    assert found[9] == pytest.approx(0.8 * (1 - 0.9238795) / 2)


def test_a_constant_rate_stays() -> None:
    assert {lr_at(OptimizerConfig(lr=0.3), step, 10) for step in range(10)} == {0.3}

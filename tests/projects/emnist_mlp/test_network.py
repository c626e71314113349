"""The network: how it starts, what dropout and activations do, and that a trained model predicts the same."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from projects.emnist_mlp.activations import ACTIVATIONS
from projects.emnist_mlp.network import Network
from projects.emnist_mlp.streams import Purpose, generator_of
from projects.emnist_mlp.trained import TrainedModel

FORMULAS = {
    "relu": lambda h: max(h, 0.0),
    "gelu": lambda h: h * stats.norm.cdf(h),  # Hendrycks and Gimpel, arXiv:1606.08415, equation 1
    "tanh": math.tanh,
    "squared_relu": lambda h: max(h, 0.0) ** 2,  # So et al., arXiv:2109.08668
}


def network(hidden_dims: tuple[int, ...], activation: str = "relu", n_inputs: int = 784) -> Network:
    return Network(
        n_inputs=n_inputs,
        hidden_dims=hidden_dims,
        n_classes=47,
        activation=activation,
        generator=generator_of(0, Purpose.WEIGHTS, 0),
    )


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_is_its_published_formula(name: str) -> None:
    h = np.linspace(-4, 4, 81)
    found = ACTIVATIONS[name].apply(torch.from_numpy(h)).numpy()
    assert found == pytest.approx([FORMULAS[name](value) for value in h], abs=1e-12)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_a_gain_keeps_the_size_of_signals(name: str) -> None:
    # 1 / sqrt(E[f(h)^2]) for h ~ N(0, 1), by numerical integration of the formula.
    square, _ = integrate.quad(lambda h: FORMULAS[name](h) ** 2 * stats.norm.pdf(h), -12, 12, limit=200)
    assert ACTIVATIONS[name].gain == pytest.approx(1 / math.sqrt(square), abs=1e-4)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_scores_have_unit_variance_at_the_start_whatever_the_activation(name: str) -> None:
    # From the gains: E[score^2] = 1 for standard normal inputs, to within the scatter of 512 random units.
    x = torch.randn((512, 784), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = network((512, 512), name)(x)
    assert float(scores.square().mean()) == pytest.approx(1.0, rel=0.3)


def test_the_number_of_parameters_is_that_by_hand() -> None:
    # By hand: 784 x 256 + 256 + 256 x 128 + 128 + 128 x 47 + 47.
    assert sum(p.numel() for p in network((256, 128)).parameters()) == 239_919


def test_no_hidden_layer_is_a_linear_model() -> None:
    model = network(())
    assert [tuple(p.shape) for p in model.parameters()] == [(47, 784), (47,)]


def test_dropout_leaves_out_that_share_and_keeps_the_mean() -> None:
    # Inverted dropout: units stay with probability 1 - p and are divided by it. 200,000 draws: five standard errors
    # of the share are 5 sqrt(0.3 x 0.7 / 200000) = 0.005.
    model = network((1000,), n_inputs=1)
    with torch.no_grad():
        model.layers[0].weight.zero_()
        model.layers[0].bias.fill_(1.0)  # pyright: ignore[reportCallIssue, reportArgumentType]
        model.layers[1].weight.fill_(1.0)  # pyright: ignore[reportCallIssue, reportArgumentType]
        scores = model(torch.zeros((200, 1)), 0.3, generator_of(0, Purpose.DROPOUT, 0))[:, 0]
    kept = scores * 0.7 / 1000  # share of units that stayed, (row,)
    assert float(kept.mean()) == pytest.approx(0.7, abs=0.005)
    # Each row draws its own: the variance of the share over rows is 0.3 x 0.7 / 1000.
    assert float(kept.var()) == pytest.approx(0.21 / 1000, rel=0.5)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_a_trained_model_predicts_what_the_network_computes(name: str) -> None:
    net, rng = network((32, 16), name), np.random.default_rng(0)
    x = rng.random((7, 784), np.float32)
    model = TrainedModel(
        parameters={key: value.detach().numpy() for key, value in net.named_parameters()},
        activation=name,
        mean=0.2,
        sd=0.3,
        classes=tuple("ab"),
        input_example=x[:2],
        test_metrics={},
    )
    with torch.no_grad():
        expected = net((torch.from_numpy(x) - 0.2) / 0.3).numpy()
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict(x), expected, rtol=1e-6, atol=1e-6)


def test_serving_a_model_imports_neither_the_training_nor_the_engine() -> None:
    program = (
        "import sys, projects.emnist_mlp.trained; "
        "sys.exit(any(n in sys.modules for n in ('rothamsted', 'mlflow', 'projects.emnist_mlp.train', 'pydantic')))"
    )
    from tests.conftest import ROOT

    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_streams_differ_by_seed_purpose_and_index() -> None:
    keys = [(seed, purpose, index) for seed in (0, 1) for purpose in Purpose for index in (0, 1)]
    first = {float(torch.rand((), generator=generator_of(*key), dtype=torch.float64)) for key in keys}
    assert len(first) == len(keys)

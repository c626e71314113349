"""The table of widths against what was published, and the equalities that define a base width."""

import math

import numpy as np
import pytest

from projects.batch_size.config import Config
from projects.batch_size.parameterization import layer_scales
from tests.projects.batch_size.training import parameters_at, run

WIDTH, BASE, M = 256, 64, 4  # M = WIDTH / BASE
N_FEATURES, N_OUTPUTS = 100, 10


def scales(parameterization: str, optimizer: str = "sgd", **fields: int):
    config = Config(
        parameterization=parameterization,
        **{"width": WIDTH, "base_width": BASE, "depth": 3, "optimizer": {"name": optimizer}, **fields},
    )
    return layer_scales(config, N_FEATURES, N_OUTPUTS)


# Yang et al., arXiv:2203.03466, table 8, relative to a base width, as microsoft/mup does it: the learning
# rates of # MuSGD and MuAdam on matrices from a finite to a wide layer (input), wide to wide (hidden), wide
# to finite (readout).
PUBLISHED_LR = {"sgd": [M, 1, M], "momentum": [M, 1, M], "adam": [1, 1 / M, 1]}
# The same table: biases follow input weights; the readout's bias has a finite shape and no multiplier.
PUBLISHED_BIAS_LR = {"sgd": [M, M, 1], "momentum": [M, M, 1], "adam": [1, 1, 1]}


@pytest.mark.parametrize("optimizer", sorted(PUBLISHED_LR))
def test_mup_weight_learning_rates_are_the_published_ones(optimizer: str) -> None:
    assert [layer.weight_lr for layer in scales("mup", optimizer)] == PUBLISHED_LR[optimizer]


@pytest.mark.parametrize("optimizer", sorted(PUBLISHED_BIAS_LR))
def test_mup_bias_learning_rates_are_the_published_ones(optimizer: str) -> None:
    assert [layer.bias_lr for layer in scales("mup", optimizer)] == PUBLISHED_BIAS_LR[optimizer]


def test_mup_divides_the_readout_by_the_width_multiplier() -> None:
    # MuReadout of microsoft/mup: x / width_mult before the weights.
    assert [layer.multiplier for layer in scales("mup")] == [1, 1, 1 / M]


def test_mup_initial_variances_are_the_published_ones() -> None:
    # Table 8: 1/fan_in for input and hidden weights; constant in the width for the readout, 1/base at the
    # base width.
    variances = [layer.init_sd**2 for layer in scales("mup")]
    assert variances == pytest.approx([1 / N_FEATURES, 1 / WIDTH, 1 / BASE])


def test_mean_field_is_the_form_of_atanasov_et_al() -> None:
    # arXiv:2410.04642: weights N(0, 1), W x / sqrt(fan_in), readout w h / N, lr = N eta_0.
    layers = scales("mean_field")
    assert [layer.init_sd for layer in layers] == [1, 1, 1]
    assert [layer.multiplier for layer in layers] == [1 / 10, 1 / math.sqrt(WIDTH), 1 / WIDTH]
    assert [layer.weight_lr for layer in layers] == [WIDTH, WIDTH, WIDTH]


def test_ntk_divides_each_layer_by_the_root_of_its_fan_in() -> None:
    # Jacot et al., arXiv:1806.07572: weights N(0, 1), 1/sqrt(fan_in), one learning rate.
    layers = scales("ntk")
    assert [layer.init_sd for layer in layers] == [1, 1, 1]
    assert [layer.multiplier for layer in layers] == [1 / 10, 1 / 16, 1 / 16]
    assert [layer.weight_lr for layer in layers] == [1, 1, 1]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_mup_trains_as_standard_does_at_the_base_width(optimizer: str) -> None:
    # Every multiplier is 1 there, so not even rounding may differ.
    shared = {"width": 16, "base_width": 16, "steps": 20, "evals": 2}
    rate = {"name": optimizer, "lr": 0.01}
    mup = parameters_at(Config(parameterization="mup", optimizer=rate, **shared))
    standard = parameters_at(Config(parameterization="standard", optimizer=rate, **shared))
    for name, value in standard.items():
        np.testing.assert_array_equal(mup[name], value, err_msg=name)


def test_mup_leaves_standard_away_from_the_base_width() -> None:
    shared = {"width": 32, "base_width": 16, "steps": 20, "evals": 2}
    mup = parameters_at(Config(parameterization="mup", **shared))
    standard = parameters_at(Config(parameterization="standard", **shared))
    assert not np.allclose(mup["1/weight"], standard["1/weight"], rtol=1e-3)


def test_mean_field_trains_as_ntk_does_at_width_one() -> None:
    shared = {"width": 1, "steps": 5, "evals": 1, "activation": "linear"}
    mean_field = parameters_at(Config(parameterization="mean_field", **shared))
    ntk = parameters_at(Config(parameterization="ntk", **shared))
    for name, value in ntk.items():
        np.testing.assert_allclose(mean_field[name], value, rtol=1e-6, err_msg=name)


def test_a_model_of_one_layer_does_not_depend_on_the_width() -> None:
    shared = {"depth": 1, "steps": 10, "evals": 1, "parameterization": "mup"}
    narrow, _ = run([Config(width=8, **shared)])
    wide, _ = run([Config(width=512, **shared)])
    assert narrow[-1].metrics["val_loss"] == wide[-1].metrics["val_loss"]

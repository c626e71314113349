"""Feature-learning strength does what theory says at its two ends. Atanasov et al., arXiv:2410.04642."""

import numpy as np
import pytest

from projects.batch_size.config import Config
from tests.projects.batch_size.training import parameters_at, run

MODEL = {"width": 32, "steps": 40, "evals": 4, "loss": "mse", "parameterization": "mean_field", "precision": "float64"}


def val_losses(gamma: float, lr: float) -> np.ndarray:
    measurements, _ = run([Config(**MODEL, gamma=gamma, optimizer={"lr": lr})])
    return np.array([m.metrics["val_loss"][0] for m in measurements])


def test_lazy_training_depends_on_the_rate_over_gamma_squared_only() -> None:
    # gamma << 1: the model is linear in its parameters, with a kernel over gamma^2: loss(t) is a function of
    # lr/gamma^2.
    curves = [val_losses(gamma, lr=2 * gamma**2) for gamma in (1e-5, 1e-4)]
    np.testing.assert_allclose(*curves, rtol=1e-3)
    assert curves[0][-1] < 0.8 * curves[0][0]  # and it has learned, so that the curves could have differed


def test_training_at_gamma_one_is_not_lazy() -> None:
    lazy, feature_learning = val_losses(1e-4, lr=1e-8), val_losses(1.0, lr=1.0)
    assert not np.allclose(lazy, feature_learning, rtol=1e-2)


def test_early_rich_training_depends_on_the_rate_over_gamma_only() -> None:
    # gamma >> 1: the output is still near 0, the loss's slope there constant: parameters follow tau = lr t /
    # gamma.
    ends = [parameters_at(Config(**MODEL, gamma=gamma, optimizer={"lr": 0.03 * gamma})) for gamma in (1e5, 1e6)]
    for name, value in ends[0].items():
        np.testing.assert_allclose(value, ends[1][name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("gamma", [0.1, 10.0])
def test_output_at_the_start_is_zero_at_every_gamma(gamma: float) -> None:
    # Centred model, one-hot rows of ten: mean square 1/10.
    assert val_losses(gamma, lr=0.0)[0] == pytest.approx(0.1, rel=1e-9)

"""One update and one loss against PyTorch, which knows nothing of this code."""

import numpy as np
import pytest
import torch

from projects.batch_size.config import Config
from projects.batch_size.data import load_dataset
from projects.batch_size.parameterization import layer_scales
from projects.training.batches import NO_ROW, batch_rows, n_rows_of
from tests.projects.batch_size.training import run

SMALL = {
    "width": 8,
    "depth": 3,
    "batch_size": 16,
    "precision": "float64",
    "data": {"n_train": 100, "n_val": 50},
}


class TorchModel:
    """The same model by PyTorch: parameters of a state, gradients by PyTorch's autograd."""

    def __init__(self, config: Config, state: dict[str, np.ndarray]) -> None:
        self.config, self.data = config, load_dataset(config.data)
        self.scales = layer_scales(config, 64, 10)
        self.weights = self._of(state, "weight")
        self.biases = self._of(state, "bias")
        self.initial = [w.detach().clone() for w in (*self.weights, *self.biases)]

    def _of(self, state: dict[str, np.ndarray], part: str) -> list[torch.Tensor]:
        arrays = [state[f"parameters/{layer}/{part}"][0] for layer in range(self.config.depth)]
        return [torch.tensor(array).requires_grad_() for array in arrays]

    def network(self, x: torch.Tensor, weights: list, biases: list) -> torch.Tensor:
        for index, (weight, bias, scale) in enumerate(zip(weights, biases, self.scales, strict=True)):
            x = scale.multiplier * (x if index == 0 else torch.relu(x)) @ weight + bias
        return x

    def loss(self, x: np.ndarray, y: np.ndarray) -> torch.Tensor:
        inputs, depth = torch.tensor(x, dtype=torch.float64), self.config.depth
        out = self.network(inputs, self.weights, self.biases)
        out = (out - self.network(inputs, self.initial[:depth], self.initial[depth:])) / self.config.gamma
        classes = torch.tensor(y, dtype=torch.int64)
        if self.config.loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(out, classes)
        return torch.nn.functional.mse_loss(out, torch.nn.functional.one_hot(classes, 10).double())

    def train(self, optimizer: torch.optim.Optimizer, n_steps: int) -> None:
        n_train, epochs = len(self.data.train_x), self.config.epochs
        n_rows = None if epochs is None else n_rows_of(epochs, n_train)
        rows = batch_rows([self.config.seed, 1], 0, n_steps, self.config.batch_size, n_train, n_rows)
        for chosen in (batch[batch != NO_ROW] for batch in rows):
            optimizer.zero_grad()
            self.loss(self.data.train_x[chosen], self.data.train_y[chosen]).backward()
            optimizer.step()

    def groups(self, lr: float, weight_decay: float = 0.0) -> list[dict]:
        weights = [
            {"params": [w], "lr": lr * s.weight_lr, "weight_decay": weight_decay / s.weight_lr}
            for w, s in zip(self.weights, self.scales, strict=True)
        ]
        biases = [
            {"params": [b], "lr": lr * s.bias_lr, "weight_decay": 0.0}
            for b, s in zip(self.biases, self.scales, strict=True)
        ]
        return weights + biases


def trained_by_both(config: Config, optimizer_of) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and biases after all steps: ours, and PyTorch's from the same start."""
    measurements, _ = run([config])
    ours = measurements[-1].state()
    model = TorchModel(config, measurements[0].state())
    model.train(optimizer_of(model), config.steps)
    parts = [("weight", model.weights), ("bias", model.biases)]
    expected = [tensor.detach().numpy() for _, tensors in parts for tensor in tensors]
    found = [ours[f"parameters/{i}/{part}"][0] for part, tensors in parts for i in range(len(tensors))]
    return found, expected


PARAMETERIZATIONS = ["standard", "ntk", "mup", "mean_field"]


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_sgd_with_weight_decay_matches_pytorch(parameterization: str) -> None:
    # For plain SGD, PyTorch's L2 term is the decoupled decay; divided by the multiplier, which decay does not
    # take.
    config = Config(
        **SMALL,
        base_width=4,
        parameterization=parameterization,
        gamma=0.5,
        steps=3,
        evals=1,
        optimizer={"lr": 0.05, "weight_decay": 0.1},
    )
    found, expected = trained_by_both(config, lambda m: torch.optim.SGD(m.groups(0.05, 0.1)))
    for ours, authority in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, authority, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_adam_with_weight_decay_matches_pytorch(parameterization: str) -> None:
    config = Config(
        **SMALL,
        base_width=4,
        parameterization=parameterization,
        loss="mse",
        steps=3,
        evals=1,
        optimizer={"name": "adam", "lr": 0.01, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1},
    )
    found, expected = trained_by_both(
        config, lambda m: torch.optim.AdamW(m.groups(0.01, 0.1), betas=(0.8, 0.95), eps=1e-8)
    )
    for ours, authority in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, authority, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_last_batch_of_a_few_rows_is_their_mean_as_in_pytorch(loss: str) -> None:
    config = Config(**{**SMALL, "batch_size": 48}, loss=loss, epochs=1, evals=1, optimizer={"lr": 0.05})
    measurements, _ = run([config])
    assert measurements[-1].step == 3  # by hand: 48 + 48 + 4 rows
    model = TorchModel(config, measurements[0].state())
    model.train(torch.optim.SGD(model.groups(0.05)), 3)
    for layer, weight in enumerate(model.weights):
        ours = measurements[-1].state()[f"parameters/{layer}/weight"][0]
        np.testing.assert_allclose(ours, weight.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_momentum_matches_pytorch() -> None:
    config = Config(**SMALL, steps=4, evals=1, optimizer={"name": "momentum", "lr": 0.02, "momentum": 0.7})
    found, expected = trained_by_both(config, lambda m: torch.optim.SGD(m.groups(0.02), momentum=0.7))
    for ours, authority in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, authority, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_losses_and_gradient_norm_match_pytorch(loss: str) -> None:
    config = Config(**SMALL, loss=loss, gamma=0.5, centered=True, steps=5, evals=1)
    first, last = run([config])[0]
    model = TorchModel(config, first.state())
    model.train(torch.optim.SGD(model.groups(config.optimizer.lr)), 5)
    n_measured = 50  # training rows measured on: as many as there are validation rows
    train_loss = model.loss(model.data.train_x[:n_measured], model.data.train_y[:n_measured])
    gradient = torch.autograd.grad(train_loss, [*model.weights, *model.biases])
    expected = {
        "train_loss": train_loss.item(),
        "val_loss": model.loss(model.data.val_x, model.data.val_y).item(),
        "grad_norm": torch.sqrt(sum((g**2).sum() for g in gradient)).item(),
    }
    assert {name: last.metrics[name][0] for name in expected} == pytest.approx(expected, rel=1e-9)

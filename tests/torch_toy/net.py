"""The torch model: a network with its weights, which takes and gives NumPy arrays."""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise

import numpy as np
import torch


class Net(torch.nn.Module):
    """A multi-layer perceptron with one output."""

    def __init__(self, n_features: int, widths: tuple[int, ...], seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = [n_features, *widths, 1]
        self.layers = torch.nn.ModuleList()
        for fan_in, fan_out in pairwise(sizes):
            layer = torch.nn.Linear(fan_in, fan_out)
            torch.nn.init.normal_(layer.weight, std=fan_in**-0.5, generator=generator)
            torch.nn.init.zeros_(layer.bias)
            self.layers.append(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in list(self.layers)[:-1]:
            x = torch.tanh(layer(x))  # (row, width)
        return self.layers[-1](x)[:, 0]  # (row,)


class TrainedNet:
    """A trained network by the study contract."""

    pip_requirements = (f"numpy=={version('numpy')}", f"torch=={version('torch').split('+')[0]}")

    def __init__(self, net: Net, input_example: np.ndarray) -> None:
        self.net = net
        self.input_example = input_example

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {name: value.detach().numpy() for name, value in self.net.named_parameters()}

    def predict(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.net(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))).numpy()

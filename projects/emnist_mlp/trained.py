"""Define the trained model: parameters as arrays and a prediction by torch.

A server of the model imports the network, and no data, optimiser or config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import torch

from projects.emnist_mlp.activations import ACTIVATIONS


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Holds one member's model, with the weights of the step that counts."""

    parameters: Mapping[str, np.ndarray]  # layers.0.weight (fan_out, fan_in), layers.0.bias (fan_out,), …
    activation: str
    mean: float  # of the training pixels, 0 to 1
    sd: float
    classes: tuple[str, ...]  # the character of each output
    test_metrics: Mapping[str, float]  # of these weights, on rows that no choice used
    input_example: np.ndarray = field(repr=False)  # (row, pixel)
    pip_requirements: tuple[str, ...] = (f"numpy=={version('numpy')}", f"torch=={version('torch').split('+')[0]}")

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return scores of each class before softmax, float32 (row, class).

        Args:
            x: upright images, line by line, 0 (paper) to 1 (ink), (row, 784).
        """
        hidden = (torch.from_numpy(np.array(x, dtype=np.float32)) - self.mean) / self.sd
        n_layers = len(self.parameters) // 2
        for index in range(n_layers):
            if index:
                hidden = ACTIVATIONS[self.activation].apply(hidden)
            weight, bias = (
                torch.from_numpy(np.array(self.parameters[f"layers.{index}.{part}"])) for part in ("weight", "bias")
            )
            hidden = torch.nn.functional.linear(hidden, weight, bias)  # (row, fan_out)
        return hidden.numpy()

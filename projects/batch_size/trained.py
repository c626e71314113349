"""Define the trained model: its parameters and a prediction in NumPy, without JAX.

So a server of the model imports NumPy and nothing of the training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

import numpy as np


def _gelu(h: np.ndarray) -> np.ndarray:
    """The tanh form, which JAX trains with. Hendrycks & Gimpel, arXiv:1606.08415."""
    return 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))


ACTIVATIONS = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh, "gelu": _gelu, "linear": lambda h: h}


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Holds one member's model, with the weights of the step that counts."""

    parameters: Mapping[str, np.ndarray]  # layer_0.weight (fan_in, fan_out), layer_0.bias, …; initial.* if centred
    multipliers: tuple[float, ...]  # one a layer: the parameterisation's forward multipliers
    gamma: float
    activation: Literal["relu", "tanh", "gelu", "linear"]
    test_metrics: Mapping[str, float]  # of these parameters, on rows that no choice used; empty where there are none
    input_example: np.ndarray = field(repr=False)  # (row, feature)
    pip_requirements: tuple[str, ...] = (f"numpy=={version('numpy')}",)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the model's output: scores of each class before softmax, or regression values.

        Args:
            x: Inputs scaled as in training, (row, feature).

        Returns:
            (row, output), in the precision of the parameters.
        """
        out = self._network(x, "")
        if "initial.layer_0.weight" in self.parameters:
            out = out - self._network(x, "initial.")
        return out / self.gamma

    def _network(self, x: np.ndarray, prefix: str) -> np.ndarray:
        hidden = np.asarray(x, dtype=self.parameters["layer_0.weight"].dtype)  # (row, feature)
        for index, multiplier in enumerate(self.multipliers):
            if index:
                hidden = ACTIVATIONS[self.activation](hidden)
            hidden = multiplier * (hidden @ self.parameters[f"{prefix}layer_{index}.weight"])
            if (bias := self.parameters.get(f"{prefix}layer_{index}.bias")) is not None:
                hidden = hidden + bias  # (row, fan_out)
        return hidden

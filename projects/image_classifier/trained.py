"""Define the trained classifier, which takes pictures and gives probabilities: arrays and their network.

A server of the model imports NumPy, PyTorch and the networks, and nothing of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import nn

from projects.image_classifier.models import build_network
from projects.image_classifier.scaling import standardized

MOST_ROWS = 128  # that one pass through the network takes; bounds memory


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Holds one training's network, as it was at the epoch that counts."""

    family: str
    settings: Mapping[str, float | int]  # the family's own arguments
    class_names: tuple[str, ...]
    mean: tuple[float, ...]  # of each channel, between 0 and 1
    std: tuple[float, ...]
    arrays: Mapping[str, np.ndarray]  # parameters and buffers, by torchvision's names where there are such
    parameter_names: tuple[str, ...]  # those of `arrays` that were trained
    test_metrics: Mapping[str, float]  # of these weights, on images that no choice used; empty where there are none
    input_example: np.ndarray = field(repr=False)  # uint8 (row, side, side, 3)
    pip_requirements: tuple[str, ...] = (
        f"numpy=={version('numpy')}",
        f"torch=={version('torch').split('+')[0]}",
    )

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Return the trained parameters, by name."""
        return {name: self.arrays[name] for name in self.parameter_names}

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of each class, in the order of `class_names`.

        Args:
            x: pictures in RGB with values from 0 to 255, (row, side, side, 3), of the side that it was trained with.

        Returns:
            float32 (row, class).

        Raises:
            ValueError: the array is of another shape.
        """
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[1:] != self.input_example.shape[1:]:
            side = self.input_example.shape[1]
            raise ValueError(
                f"pictures: need (row, {side}, {side}, 3), red, green and blue, got {list(x.shape)}; bring them to "
                f"{side}x{side} RGB"
            )
        parts = [self._probabilities(x[start : start + MOST_ROWS]) for start in range(0, len(x), MOST_ROWS)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.class_names)), np.float32)

    def _probabilities(self, x: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype=np.float32)) / 255
        with torch.inference_mode():
            return self._network(standardized(images, self.mean, self.std)).softmax(1).numpy()

    @cached_property
    def _network(self) -> nn.Module:
        network = build_network(self.family, len(self.class_names), self.settings)
        network.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in self.arrays.items()})
        return network.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's stub

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_network"}

"""Define the network: a multi-layer perceptron with weights and dropout from given generators."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch

from projects.emnist_mlp.activations import ACTIVATIONS


class Network(torch.nn.Module):
    """Maps pixels to scores of each class."""

    def __init__(
        self,
        *,
        n_inputs: int,
        hidden_dims: tuple[int, ...],
        n_classes: int,
        activation: str,
        generator: torch.Generator,
    ) -> None:
        """Draw the initial weights: normal, so that signals keep their size; biases are 0."""
        super().__init__()
        self._activation = ACTIVATIONS[activation]
        self.layers = torch.nn.ModuleList()
        for index, (fan_in, fan_out) in enumerate(pairwise((n_inputs, *hidden_dims, n_classes))):
            layer = cast(torch.nn.Linear, torch.nn.utils.skip_init(torch.nn.Linear, fan_in, fan_out))
            gain = self._activation.gain if index else 1.0
            torch.nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in), generator=generator)
            torch.nn.init.zeros_(layer.bias)
            self.layers.append(layer)

    def forward(self, x: torch.Tensor, dropout: float = 0.0, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return scores before softmax, (row, class).

        Args:
            x: standardised pixels, (row, pixel).
            dropout: probability that a hidden unit is left out; the others are scaled up.
            generator: draws which; needed if dropout is above 0.
        """
        for index, layer in enumerate(self.layers):
            if index:
                x = self._activation.apply(x)
                if dropout:
                    kept = torch.empty_like(x).bernoulli_(1 - dropout, generator=generator)
                    x = x * kept.mul_(1 / (1 - dropout))
            x = layer(x)  # (row, fan_out)
        return x

    def weights(self) -> list[torch.Tensor]:
        """Return the weight matrices without biases, on which penalties and decay act."""
        return [value for name, value in self.named_parameters() if name.endswith("weight")]

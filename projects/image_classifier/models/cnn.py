"""Define a small convolutional network: pairs of 3x3 convolutions that halve the side and double the channels."""

from __future__ import annotations

import torch
from torch import nn


class SmallCnn(nn.Module):
    """Applies `blocks` times (convolution, batch norm, ReLU) x 2 and max-pooling.

    A mean over places and a linear layer follow.

    Args:
        n_classes: outputs.
        width: channels of the first block; each further block has twice as many.
        blocks: halvings of the side; the images' side must be at least 2^blocks.
        dropout: of the pooled features.
    """

    def __init__(self, n_classes: int, *, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 3
        for block in range(blocks):
            n_out = width * 2**block
            layers += [*_convolution(n_in, n_out), *_convolution(n_out, n_out), nn.MaxPool2d(2)]
            n_in = n_out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(n_in, n_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores before softmax, (row, class)."""
        x = self.features(x)  # (row, 3, h, w) -> (row, channel, h / 2^blocks, w / 2^blocks)
        return self.classifier(x.mean((2, 3)))  # (row, class)


def _convolution(n_in: int, n_out: int) -> list[nn.Module]:
    """A convolution without bias, which the batch norm after it has."""
    return [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]

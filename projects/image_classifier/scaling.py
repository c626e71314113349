"""Scale pixels for networks: to 0 to 1, less a mean, divided by a standard deviation, channel by channel."""

from __future__ import annotations

import numpy as np
import torch

# Of ImageNet's training images, with which torchvision's published weights were trained.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def channel_scaling(family: str, images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel: ImageNet's for EfficientNet, else those of the images.

    Args:
        family: of the network.
        images: uint8 (row, 3, side, side), the training images.
    """
    if family == "efficientnet_b0":
        return IMAGENET_MEAN, IMAGENET_STD
    counts = np.stack([np.bincount(images[:, channel].ravel(), minlength=256) for channel in range(3)])
    levels = np.arange(256) / 255
    mean = counts @ levels / counts.sum(1)
    std = np.sqrt(np.maximum(counts @ levels**2 / counts.sum(1) - mean**2, 1e-6))  # of one flat colour it is 0
    return tuple(mean.tolist()), tuple(std.tolist())


def standardized(images: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Scale images, (row, 3, side, side), to 0 to 1, less the mean and divided by the deviation of each channel.

    In memory the channels of a pixel lie side by side, as the networks are fastest.
    """
    shape = (1, 3, 1, 1)
    scaled = torch.empty_like(images, memory_format=torch.channels_last)
    torch.sub(images, images.new_tensor(mean).view(shape), out=scaled)
    return scaled.div_(images.new_tensor(std).view(shape))

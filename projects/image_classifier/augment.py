"""Augment a batch of training images: operations on tensors, and levels made of them.

Every operation draws random numbers on the CPU from the given generator, so that a batch is a pure function of it on
any device. Images are float (row, 3, side, side) between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

LUMA = (0.299, 0.587, 0.114)  # brightness of red, green and blue; ITU-R BT.601


def none(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the images as they are."""
    return images


def light(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift the images by up to an eighth of the side."""
    return crop(images, generator, share=1 / 8)


def moderate(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn, scale and shift the images a little, and change brightness and contrast."""
    images = affine(images, generator, degrees=10, scale=0.1, shear=0, shift=0.08)
    return colour(images, generator, brightness=0.2, contrast=0.2, saturation=0)


def strong(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Do more of `moderate`, shear, change saturation, and erase a rectangle in half of the images."""
    images = affine(images, generator, degrees=20, scale=0.2, shear=10, shift=0.12)
    images = colour(images, generator, brightness=0.4, contrast=0.4, saturation=0.4)
    return erase(images, generator, probability=0.5, area=(0.02, 0.2))


LEVELS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "none": none,
    "light": light,
    "moderate": moderate,
    "strong": strong,
}


def flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror each image from left to right with probability 1/2."""
    is_flipped = _uniform(images, generator, 1)[:, 0] < 0.5
    return torch.where(is_flipped[:, None, None, None], images.flip(3), images)


def crop(images: torch.Tensor, generator: torch.Generator, *, share: float) -> torch.Tensor:
    """Shift each image by whole pixels, at most `share` of its side, filling from its mirrored border."""
    side, most = images.shape[-1], round(images.shape[-1] * share)
    padded = functional.pad(images, (most,) * 4, mode="reflect")
    start = torch.randint(0, 2 * most + 1, (2, len(images)), generator=generator).to(images.device)
    place = start[:, :, None] + torch.arange(side, device=images.device)  # (axis, row, pixel)
    rows = torch.arange(len(images), device=images.device)[:, None, None]
    picked = padded.permute(0, 2, 3, 1)[rows, place[0][:, :, None], place[1][:, None, :]]  # (row, side, side, 3)
    return picked.permute(0, 3, 1, 2)


def affine(
    images: torch.Tensor, generator: torch.Generator, *, degrees: float, scale: float, shear: float, shift: float
) -> torch.Tensor:
    """Turn, scale, shear and shift each image about its middle, filling from its mirrored border.

    Args:
        images: (row, 3, side, side).
        generator: source of what is random.
        degrees: largest turn either way.
        scale: largest relative change of size.
        shear: largest shear along the rows, in degrees.
        shift: largest shift along each axis, as a share of the side.
    """
    drawn = _uniform(images, generator, 5, low=-1)
    angle, slope = drawn[:, 0] * math.radians(degrees), torch.tan(drawn[:, 1] * math.radians(shear))
    size = 1 + drawn[:, 2] * scale
    cos, sin, zero = torch.cos(angle) / size, torch.sin(angle) / size, torch.zeros_like(angle)
    move = torch.stack([zero, zero, drawn[:, 3] * 2 * shift, zero, zero, drawn[:, 4] * 2 * shift], 1)
    matrix = torch.stack([cos, cos * slope + sin, zero, -sin, cos - sin * slope, zero], 1) + move
    grid = functional.affine_grid(matrix.view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def colour(
    images: torch.Tensor, generator: torch.Generator, *, brightness: float, contrast: float, saturation: float
) -> torch.Tensor:
    """Change brightness, contrast and saturation by factors of 1 - x to 1 + x."""
    factors = 1 + _uniform(images, generator, 3, low=-1) * images.new_tensor([brightness, contrast, saturation])
    bright, contrasting, saturated = (factors[:, index, None, None, None] for index in range(3))
    images = images * bright
    grey = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)  # (row, 1, side, side)
    middle = grey.mean((2, 3), keepdim=True)
    images = middle + contrasting * (images - middle)
    if saturation:
        grey = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        images = grey + saturated * (images - grey)
    return images.clamp(0, 1)


def erase(
    images: torch.Tensor, generator: torch.Generator, *, probability: float, area: tuple[float, float]
) -> torch.Tensor:
    """Paint a grey rectangle over some images; Zhong et al., arXiv:1708.04896.

    Args:
        images: (row, 3, side, side).
        generator: source of what is random.
        probability: part of the images that is painted.
        area: smallest and largest area, as shares of the image.
    """
    side = images.shape[-1]
    drawn = _uniform(images, generator, 5)
    share = area[0] + drawn[:, 0] * (area[1] - area[0])
    ratio = torch.exp((2 * drawn[:, 1] - 1) * math.log(3))  # height to width, 1/3 to 3
    height, width = (torch.sqrt(share * r).clamp(max=1) * side for r in (ratio, 1 / ratio))
    top, left = drawn[:, 2] * (side - height), drawn[:, 3] * (side - width)
    pixel = torch.arange(side, device=images.device) + 0.5
    is_row = (pixel >= top[:, None]) & (pixel < (top + height)[:, None])  # (row, side)
    is_column = (pixel >= left[:, None]) & (pixel < (left + width)[:, None])
    is_erased = is_row[:, :, None] & is_column[:, None, :] & (drawn[:, 4] < probability)[:, None, None]
    return torch.where(is_erased[:, None], images.new_tensor(0.5), images)


def _uniform(images: torch.Tensor, generator: torch.Generator, n: int, low: float = 0.0) -> torch.Tensor:
    """`n` uniform numbers for each image, between `low` and 1, (row, n)."""
    drawn = torch.rand((len(images), n), generator=generator)
    return (low + (1 - low) * drawn).to(images.device)

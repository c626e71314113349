"""Distort images by affine maps, elastic maps and noise, for training, drawn and expanded data.

Equal seeds give equal pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch

# What affine = 1 means: each number is the end of a uniform range around no change.
ROTATION_DEGREES = 15.0
SIZE = 0.15  # of the logarithm of each side's factor
SHEAR = 0.2
SHIFT_PIXELS = 2.0
N_NODES = 4  # a side, of the coarse grid on which elastic displacements are drawn


class Strength(NamedTuple):
    """Holds the strength of each distortion; 0 is none."""

    affine: float  # multiplies the ranges above
    elastic: float  # standard deviation of the displacement at a node, pixels
    noise: float  # standard deviation of the noise on a pixel of 0 to 1


def distort(images: torch.Tensor, strength: Strength, generator: torch.Generator) -> torch.Tensor:
    """Distort each image differently, as if another person had written it.

    Args:
        images: float, (image, row, column), 0 (paper) to 1 (ink); square.
        strength: how much.
        generator: source of all randomness, on the device of the images.

    Returns:
        The same shape, 0 to 1.
    """
    n, side, _ = images.shape
    if strength.affine or strength.elastic:
        places = _affine_places(n, side, strength.affine, generator)
        if strength.elastic:
            places = places + _displacement(n, side, strength.elastic, generator)
        images = sample(images, places)
    if strength.noise:
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = (images + strength.noise * noise).clamp(0, 1)
    return images


def sample(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Sample each image at given places: bilinear between pixels, paper outside.

    Args:
        images: float, (image, row, column), square.
        places: (image, row, column, 2): x (column) and y (row) in pixels, 0 the middle of the first one.
    """
    side = images.shape[-1]
    found = torch.nn.functional.grid_sample(
        images[:, None], places * (2 / (side - 1)) - 1, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return found[:, 0]


def places_of(matrices: torch.Tensor, shifts: torch.Tensor, side: int) -> torch.Tensor:
    """Return where an affine map about the middle samples each pixel, (image, row, column, 2) in pixels.

    Args:
        matrices: (image, 2, 2), on (x, y).
        shifts: (image, 2), pixels.
        side: side of the square images, pixels.
    """
    middle = (side - 1) / 2
    steps = torch.arange(side, dtype=matrices.dtype, device=matrices.device) - middle
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    about_middle = torch.stack([x, y], dim=-1).reshape(1, side * side, 2)
    places = about_middle @ matrices.transpose(1, 2) + shifts[:, None] + middle  # (image, pixel, 2)
    return places.reshape(-1, side, side, 2)


def _affine_places(n: int, side: int, strength: float, generator: torch.Generator) -> torch.Tensor:
    """Rotation after shear after size, drawn for each image; sampling by it draws the inverse, which is as likely."""
    u = torch.rand((n, 6), generator=generator, device=generator.device) * 2 - 1
    angle = u[:, 0] * (strength * math.radians(ROTATION_DEGREES))
    size = (u[:, 1:3] * (strength * SIZE)).exp()  # (image, 2)
    shear = u[:, 3] * (strength * SHEAR)
    cos, sin, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).reshape(n, 2, 2)
    slant = torch.stack([one, shear, zero, one], dim=1).reshape(n, 2, 2)
    return places_of(rotation @ (slant * size[:, None, :]), u[:, 4:6] * (strength * SHIFT_PIXELS), side)


def _displacement(n: int, side: int, sd: float, generator: torch.Generator) -> torch.Tensor:
    """Smooth random displacements, (image, row, column, 2), pixels.

    Normal on a coarse grid and cubic between its nodes, as in Ronneberger et al., arXiv:1505.04597, section 3.1.
    """
    nodes = torch.randn((n, 2, N_NODES, N_NODES), generator=generator, device=generator.device) * sd
    spread = _spread(side).to(generator.device)  # (pixel, node)
    return (spread @ nodes @ spread.T).permute(0, 2, 3, 1)


@lru_cache(maxsize=4)
def _spread(side: int) -> torch.Tensor:
    """The cubic interpolation from nodes to pixels along one side, (pixel, node)."""
    lines = torch.eye(N_NODES)[:, None, :, None]  # one image a node: a column that is 1 at that node
    grown = torch.nn.functional.interpolate(
        lines.expand(-1, -1, -1, N_NODES), size=(side, side), mode="bicubic", align_corners=True
    )
    return grown[:, 0, :, 0].T.contiguous()

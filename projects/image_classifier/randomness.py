"""Make the seeds of everything random in a training, each from the run's seed and the place in training.

Nothing depends on earlier draws, so a resumed training draws what an unbroken one draws.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """Names what a seed is for."""

    WEIGHTS = 0
    ORDER = 1
    AUGMENT = 2
    DROPOUT = 3
    MEASURED_ROWS = 4


def seed_of(seed: int, stream: Stream, *place: int) -> int:
    """Make a 63-bit seed for one use at one place (epoch, step)."""
    return int(np.random.SeedSequence([seed, stream, *place]).generate_state(1, np.uint64)[0] >> 1)


def generator_of(seed: int, stream: Stream, *place: int) -> torch.Generator:
    """Make a generator on the CPU with that seed."""
    return torch.Generator().manual_seed(seed_of(seed, stream, *place))


def order_of(seed: int, epoch: int, n_rows: int) -> torch.Tensor:
    """Return the order of the training images in one epoch, int64 (row,)."""
    return torch.randperm(n_rows, generator=generator_of(seed, Stream.ORDER, epoch))


def seed_device(device: torch.device, seed: int) -> None:
    """Seed the generator that dropout draws from on a device.

    `torch.manual_seed` seeds those of every kind of device, and takes a stack trace for each that has not started.
    """
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)

"""Make random generators: one stream for each purpose and step of a seed, independent of the others.

A stream is a pure function of (seed, purpose, index): the same alone, in a population and after a resume.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """Names what a stream is for. The numbers are part of every result: do not change them."""

    WEIGHTS = 0
    BATCHES = 1
    DROPOUT = 2
    DISTORTION = 3
    DRAWN_DATA = 4


def generator_of(seed: int, purpose: Purpose, index: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return torch's generator for one purpose at one step."""
    state = np.random.SeedSequence([seed, purpose, index]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))

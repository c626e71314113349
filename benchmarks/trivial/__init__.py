"""Define the trivial objective of all benchmarks: 5 parameters, 2 curves of 10 points, 1 final number.

It is copied into a temporary project as the study `projects.trivial`, so it imports nothing of this repository.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

PARAMETERS = ("a", "b", "c", "d", "e")  # each in [0, 1]
N_POINTS = 10
N_SAMPLES_A_POINT = 32
NOISE_SD = 0.01  # of the validation loss, so that replicates differ


def curve(
    condition: Mapping[str, float], seed: int, n_points: int = N_POINTS
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield ten steps or so, each with a train and a validation loss; they take microseconds of arithmetic."""
    noise = random.Random(seed)
    distance = sum((condition[name] - 0.5) ** 2 for name in PARAMETERS)
    for step in range(1, n_points + 1):
        train_loss = distance * math.exp(-0.1 * step)
        yield step, {"train_loss": train_loss, "val_loss": train_loss + noise.gauss(0.0, NOISE_SD)}

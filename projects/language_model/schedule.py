"""Compute the learning-rate schedule: linear warm-up, cosine, floor. Loshchilov & Hutter, arXiv:1608.03983."""

from __future__ import annotations

import math

from projects.language_model.config import Config, floor_of, n_updates


def learning_rate_at(config: Config, update: int) -> float:
    """Return the rate of one update.

    Args:
        config: highest rate, floor, length of warm-up and of training.
        update: number of the update, from 1; the last warm-up update has the highest rate, the last of all the floor.
    """
    if update < config.warmup_iters:
        return config.learning_rate * update / config.warmup_iters
    floor = floor_of(config)
    n_cosine = n_updates(config) - config.warmup_iters
    if n_cosine == 0:
        return config.learning_rate
    progress = min(1.0, (update - config.warmup_iters) / n_cosine)
    return floor + 0.5 * (1 + math.cos(math.pi * progress)) * (config.learning_rate - floor)

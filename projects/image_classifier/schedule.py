"""Compute learning-rate schedules as a factor of each update, one row of a table each."""

from __future__ import annotations

import math
from collections.abc import Callable

from projects.image_classifier.config import Config, ScheduleConfig


def lr_factor(config: Config, epoch: float, n_reductions: int) -> float:
    """Return the factor of the learning rate in one update.

    Warm-up is linear: at the beginning of an update, `epoch` passes of `warmup_epochs` are done.

    Args:
        config: gives schedule, warm-up and epochs.
        epoch: passes done when the update begins, with fractions.
        n_reductions: how often the plateau has been met so far.
    """
    schedule = config.schedule
    factor = _COURSES[schedule.name](schedule, epoch, config.epochs, n_reductions)
    return factor * min(1.0, epoch / schedule.warmup_epochs) if schedule.warmup_epochs else factor


def _constant(schedule: ScheduleConfig, epoch: float, epochs: int, n_reductions: int) -> float:
    return 1.0


def _step(schedule: ScheduleConfig, epoch: float, epochs: int, n_reductions: int) -> float:
    return schedule.factor ** (int(epoch) // schedule.step_in(epochs))


def _plateau(schedule: ScheduleConfig, epoch: float, epochs: int, n_reductions: int) -> float:
    return schedule.factor**n_reductions


def _cosine(schedule: ScheduleConfig, epoch: float, epochs: int, n_reductions: int) -> float:
    """Half a cosine from the end of the warm-up to the end of training. Loshchilov & Hutter, arXiv:1608.03983."""
    done = max(0.0, epoch - schedule.warmup_epochs) / (epochs - schedule.warmup_epochs)
    return (1 + math.cos(math.pi * done)) / 2


_COURSES: dict[str, Callable[[ScheduleConfig, float, int, int], float]] = {
    "constant": _constant,
    "step": _step,
    "plateau": _plateau,
    "cosine": _cosine,
}

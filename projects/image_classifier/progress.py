"""Track a training from epoch to epoch: the best so far, patience, time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from projects.image_classifier.config import Config


@dataclass(kw_only=True)
class Progress:
    """Holds plain numbers, changed after each epoch; as arrays in a checkpoint."""

    epoch: int = 0  # passes done
    seconds: float = 0.0  # of training and measuring, over all sittings
    best: float = math.inf  # the monitored metric where small is good (accuracies negated), of the best epoch
    best_epoch: int = 0
    reference: float = math.inf  # what must be beaten by min_delta
    n_without_better: int = 0  # epochs since the reference was beaten
    plateau_best: float = math.inf  # the smallest val_loss
    plateau_waited: int = 0
    n_reductions: int = 0
    best_val_loss: float = math.inf
    accuracies: list[float] = field(default_factory=list)  # val_accuracy of each epoch

    def record(self, metrics: Mapping[str, float], config: Config) -> None:
        """Take in an epoch's validation metrics."""
        value = metrics[config.monitor] * (1 if config.monitor == "val_loss" else -1)
        self.accuracies.append(metrics["val_accuracy"])
        self.best_val_loss = min(self.best_val_loss, metrics["val_loss"])
        self.n_without_better += 1
        if value < self.reference - config.stopping.min_delta:
            self.reference, self.n_without_better = value, 0
        self._watch_plateau(metrics["val_loss"], config)
        if value < self.best:
            self.best, self.best_epoch = value, self.epoch

    def _watch_plateau(self, val_loss: float, config: Config) -> None:
        """Count a reduction of the learning rate after more than `patience` epochs without a smaller loss."""
        self.plateau_waited += 1
        if val_loss < self.plateau_best:
            self.plateau_best, self.plateau_waited = val_loss, 0
        elif self.plateau_waited > config.schedule.patience_in(config.epochs):
            self.n_reductions, self.plateau_waited = self.n_reductions + 1, 0

    def is_over(self, config: Config) -> bool:
        """Say whether no further epoch begins."""
        stopping = config.stopping
        is_out_of_patience = stopping.patience is not None and self.n_without_better >= stopping.patience
        is_out_of_time = stopping.time_limit is not None and self.seconds >= stopping.time_limit
        return self.epoch >= config.epochs or is_out_of_patience or is_out_of_time

    def epochs_to_90(self) -> float:
        """Return the first epoch whose val_accuracy was at least 90 % of the best so far."""
        wanted = 0.9 * max(self.accuracies)
        return float(next(epoch for epoch, value in enumerate(self.accuracies, start=1) if value >= wanted))

    def sd_of_last_third(self) -> float:
        """Return the sd (n - 1) of val_accuracy over the last third of the epochs, of two at least; else NaN."""
        n_last = max(2, math.ceil(len(self.accuracies) / 3))
        last = self.accuracies[-n_last:]
        return statistics.stdev(last) if len(last) > 1 else math.nan

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Write the progress as `from_arrays` reads it."""
        return {own.name: np.asarray(getattr(self, own.name)) for own in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Progress:
        """Read the progress that `to_arrays` wrote down, bit for bit."""
        values = {own.name: arrays[own.name].tolist() for own in fields(cls)}
        return cls(**values)

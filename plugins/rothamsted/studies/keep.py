"""Say which weights a training keeps: those of the step with the value that counts.

For every study the weights of the step of the reported number are kept, logged, exported and evaluated. The study holds
a copy of the weights when it is told to, and knows no objective.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rothamsted.records import Kept, Measured


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Names the metric by which a step is chosen.

    Attributes:
        metric: name of the metric.
        direction: which of two values is the better one.
        reduce: "best": the step of the best finite value after step 0, of equal ones the first. Anything else, "last"
            or the mean of the last values: the last step, where such a number ends.
        value: what a measurement has of it; None: its own metric. For a metric that is made of others.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    reduce: str = "best"
    value: Callable[[Measured], float | None] | None = None

    @property
    def takes_best(self) -> bool:
        """Say whether a step before the last may be kept."""
        return self.reduce == "best"

    def value_of(self, measured: Measured) -> float:
        """Return the metric's value; NaN if it was not measured."""
        found = self.value(measured) if self.value is not None else measured.metrics.get(self.metric)
        return math.nan if found is None else found

    def is_better(self, measured: Measured, kept: Measured | None) -> bool:
        """Say whether a measurement takes the place of the one that is kept so far."""
        value = self.value_of(measured)
        if not self.takes_best or measured.step == 0 or not math.isfinite(value):
            return False
        if kept is None:
            return True
        before = self.value_of(kept)
        return value < before if self.direction == "minimize" else value > before

    def best_of(self, history: Sequence[Measured]) -> Measured | None:
        """Return the measurement that is kept of a history.

        None: no value counts by itself, and the last weights are kept.
        """
        kept = None
        for measured in history:
            if self.is_better(measured, kept):
                kept = measured
        return kept

    def noted(self, measured: Measured) -> Kept:
        """Return a kept measurement as an ending has it."""
        return Kept(step=measured.step, metric=self.metric, reduce=self.reduce, value=self.value_of(measured))

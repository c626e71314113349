"""Define the values of the queue: results of trials, known trials, counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["complete", "failed", "pruned"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """Holds the result of a trial, as it is written to Optuna.

    Attributes:
        value: the value, if there is one objective; None: no replicate has a score.
        values: one for each objective; made from `value` if that is given.
        state: by default it follows from the values. A pruned trial has no values: Optuna takes its last report.
        constraints: at most 0 if satisfied; infinite if violated without a number.
        attributes: user attributes.
        note: markdown, shown by optuna-dashboard.
    """

    value: float | None = None
    values: tuple[float, ...] | None = None
    state: State | None = None
    constraints: tuple[float, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if self.values is None and self.value is not None:
            object.__setattr__(self, "values", (float(self.value),))
        elif self.values is not None and self.value is None and len(self.values) == 1:
            object.__setattr__(self, "value", self.values[0])
        elif self.value is not None and self.values != (self.value,):
            raise ValueError(f"a trial is told value {self.value} and values {self.values}; give one of them")
        if self.state is None:
            object.__setattr__(self, "state", "failed" if self.values is None else "complete")
        if (self.state == "complete") != (self.values is not None):
            raise ValueError(f"a {self.state} trial is told values {self.values}; a complete one has them, no other")
        for number in (*(self.values or ()), *self.constraints):
            if math.isnan(number):
                raise ValueError(f"a trial is told NaN among {self.values} and {self.constraints}; infinity is allowed")


@dataclass(frozen=True, kw_only=True)
class Known:
    """Holds a trial of an earlier search, from which the sampler of this search learns.

    Attributes:
        condition: values of exactly the parameters that are active in the present space.
        values: one for each objective; none for a pruned trial.
        constraints: as many as the trials of this search have.
        state: state of the trial; a failed one is not used.
    """

    condition: Mapping[str, Any]
    values: tuple[float, ...] = ()
    constraints: tuple[float, ...] = ()
    state: Literal["complete", "pruned"] = "complete"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts the trials of a sweep by state, one for each condition. Repeats are counted in `repeats` only."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    pruned: int = 0
    repeats: int = 0

    @property
    def total(self) -> int:
        """Return the number of trials created so far, without repeats."""
        return self.waiting + self.running + self.finished

    @property
    def finished(self) -> int:
        """Return the number of trials that will not change any more."""
        return self.complete + self.failed + self.pruned

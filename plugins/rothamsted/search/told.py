"""The values that the queue takes and gives: what a trial is told, what is known beforehand, how many there are.

Apart from the queue, so that whoever makes them needs no database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["complete", "failed", "pruned"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """The result of a trial, as it is written to Optuna.

    Attributes:
        value: of a search with one objective; None: no replicate has a score.
        values: one number an objective; follows from `value` where that is given.
        state: follows from the values where it is not given. A pruned trial has none of its own: its last
            report stands for it, as Optuna has it.
        constraints: at most 0 where satisfied; infinite where one is violated without a number.
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
    """A trial of an earlier search, for the sampler of this one to learn from.

    Attributes:
        condition: with every parameter that is active in the present space, and no other.
        values: one number an objective; none for a pruned trial.
        constraints: as many as the trials of this search are told.
        state: a failed trial teaches nothing.
    """

    condition: Mapping[str, Any]
    values: tuple[float, ...] = ()
    constraints: tuple[float, ...] = ()
    state: Literal["complete", "pruned"] = "complete"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Trials of a sweep by state: one a condition. Those that repeat another are in `repeats` alone."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    pruned: int = 0
    repeats: int = 0

    @property
    def total(self) -> int:
        """All trials created so far, repeats left out."""
        return self.waiting + self.running + self.finished

    @property
    def finished(self) -> int:
        """Trials that will not change any more."""
        return self.complete + self.failed + self.pruned

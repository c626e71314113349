"""Define the two kinds of domain: a range and a choice. A single value is a choice of one.

A domain checks all rules about itself when it is made. `space` joins domains into one search space.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rothamsted.caps import MOST_GRID_POINTS
from rothamsted.errors import SpecError
from rothamsted.space.lattice import between, on_step, point
from rothamsted.space.values import (
    ROUNDING,
    among,
    identity,
    is_finite_number,
    is_number,
    listed,
    shortened,
    unwritable,
)

When = Mapping[str, tuple[Any, ...]]  # {other parameter: the values of it under which this one is active}

SIGNIFICANT_DIGITS = 12  # of a log grid's points: 0.01 reads 0.01, and platforms agree in the last bits
SAME_STEP = 1e-6  # of a step: so far a number may be from the step that it stands for
MAX_EXACT = 2**53  # of whole numbers in a range: beyond it floats leave some out, and Optuna keeps floats


class DomainError(SpecError):
    """Says that a domain is wrong.

    Attributes:
        part: the key of the domain at fault ("low", "step"), or "" for the domain as a whole.
        reason: the rule, the value and the way out.
    """

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}" if part else reason)
        self.part = part
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Range:
    """Holds all numbers from low to high, both included.

    `points` is the number of values that a grid takes; other samplers ignore it. `step` makes the range discrete for
    every sampler: low, low + step, … up to high.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    points: int | None = None
    is_integer: bool = False
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("low", "high", "step"):
            value = getattr(self, part)
            if value is not None or part != "step":
                object.__setattr__(self, part, self._number(part, value))
        if not isinstance(self.log, bool):
            raise DomainError("log", f"must be true or false, not {self.log!r}")
        if self.low > self.high:
            raise DomainError("low", f"{self.low!r} is above high {self.high!r}; swap them")
        if self.low == self.high:
            raise DomainError("low", f"{self.low!r} equals high; for a single value write the value itself")
        if self.log and self.low <= 0:
            raise DomainError("low", f"a log range must start above zero, not at {self.low!r}; raise low")
        if not math.isfinite(self.high - self.low):
            raise DomainError("high", f"{self.high!r} - {self.low!r} is too large for a float; narrow the range")
        self._check_step()
        self._check_points()

    def _number(self, part: str, value: Any) -> float:
        if not is_finite_number(value):
            raise DomainError(part, f"must be a finite number, not {shortened(value)}")
        if isinstance(value, int) and abs(value) >= MAX_EXACT and (self.is_integer or int(float(value)) != value):
            raise DomainError(
                part,
                f"{shortened(value)} is not below 2**53, {MAX_EXACT}, beyond which a range misses whole numbers; give "
                "a list of the values",
            )
        if not self.is_integer:
            return float(value) + 0.0  # no -0.0
        if not isinstance(value, int):
            raise DomainError(
                part,
                f"must be a whole number, not {value!r}; write it so, as rt.integers(…), or as int(interval(…)) in "
                "Hydra's grammar",
            )
        return value

    def _check_step(self) -> None:
        if self.step is None:
            return
        if self.log:
            raise DomainError("step", "a log range takes no step; give points, or leave out log")
        if self.points is not None:
            raise DomainError("step", "cannot be given with points; give one of the two")
        if not 0 < self.step <= self.high - self.low:
            raise DomainError(
                "step", f"must be above 0 and at most high - low, {self.high - self.low!r}, not {self.step!r}"
            )
        if self._n_steps() > MOST_GRID_POINTS:
            raise DomainError("step", f"{self.step!r} cuts the range into {self._n_steps()} values; {_at_most()}")
        last = self._n_steps() - 1
        if not self._step_value(last - 1) < self._step_value(last) <= self.high:
            raise DomainError("step", f"{self.step!r} is too fine for numbers near {self.high!r}; give a wider step")

    def _check_points(self) -> None:
        if self.points is None:
            return
        if isinstance(self.points, bool) or not isinstance(self.points, int) or self.points < 2:
            raise DomainError("points", f"must be a whole number, 2 or more, not {self.points!r}")
        if self.points > MOST_GRID_POINTS:
            raise DomainError("points", f"{self.points} are too many; {_at_most()}")

    def _n_steps(self) -> int:
        # 1e-9: 0.3 / 0.1 is 2.9999999999999996, and the third step is meant to be there.
        return math.floor((self.high - self.low) / (self.step or math.inf) + 1e-9) + 1

    def _step_value(self, index: int) -> float:
        step = self.step or 0
        if self.is_integer:
            return self.low + index * step
        return min(on_step(self.low, step, index), self.high)

    def grid_points(self) -> tuple[Any, ...]:
        """Return the values that a grid takes of this range, ascending, each once.

        They are evenly spaced (in the logarithm if `log`), and the ends are exact. Whole numbers are rounded, so there
        may be fewer than `points`.
        """
        if self.step is not None:
            return tuple(self._step_value(index) for index in range(self._n_steps()))
        if self.points is None:
            raise DomainError("points", "a grid cannot cut a range without points; give points, or a step")
        return self._cut

    def n_grid_points(self) -> int:
        """Return how many values `grid_points` gives."""
        if self.step is not None:
            return self._n_steps()
        return self.points if self.points is not None and not self.is_integer else len(self.grid_points())

    def is_on_grid(self, value: Any) -> bool:
        """Say whether a value of this range is one of `grid_points`."""
        if self.step is not None or self.points is None:
            return True
        if self.is_integer:
            return value in self._cut
        return self._point(self._nearest_point(value)) == self.own(value)

    @cached_property
    def _cut(self) -> tuple[Any, ...]:
        """The grid's points where `points` says how many."""
        n_points = self.points or 0
        if self.log:
            import numpy as np  # a tenth of a second: a mistake is told without it

            spaced = np.geomspace(self.low, self.high, n_points).tolist()
        else:
            spaced = between(self.low, self.high, n_points)
        if self.is_integer:
            return tuple(dict.fromkeys(min(max(round(value), int(self.low)), int(self.high)) for value in spaced))
        rounded = [_rounded(value) for value in spaced] if self.log else spaced
        inner = rounded if len(set(rounded)) == n_points else spaced
        return (self.low, *(min(max(value, self.low), self.high) for value in inner[1:-1]), self.high)

    def at(self, unit: float) -> Any:
        """Return the value at a fraction, 0 to 1, of the way; uniform fractions give uniform values.

        They are uniform in the logarithm if `log`. Each whole number and each step has an equal share.
        """
        if self.step is not None:
            return self._step_value(min(int(unit * self._n_steps()), self._n_steps() - 1))
        margin = 0.5 if self.is_integer else 0.0
        low, high = self.low - margin, self.high + margin
        if self.log:
            value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        else:
            value = low + unit * (high - low)
        value = math.floor(value + 0.5) if self.is_integer else value
        return self.own(min(max(value, self.low), self.high))

    def own(self, value: Any) -> Any:
        """Return the number of this range that a number means: rounding in the last digits is undone.

        It is a step, a point of the grid or an end if that is near enough, else the number itself, as a float unless
        the range is of whole numbers. A number outside the range is returned as it is.
        """
        if self.is_integer or not is_finite_number(value):
            return value
        return next((known for known, off in self._known_near(value) if abs(value - known) <= off), float(value) + 0.0)

    def around(self, value: float) -> tuple[float, float]:
        """Return the least and the greatest number that mean the same value of this range."""
        if self.is_integer or not is_finite_number(value):
            return value, value
        near = ((known, off) for known, off in self._known_near(value) if abs(value - known) <= off)
        known, off = next(near, (value, 0.0))
        return known - off, known + off

    def _known_near(self, value: float) -> Iterator[tuple[float, float]]:
        """The numbers that this one could stand for, each with how far off it may be."""
        largest = max(abs(self.low), abs(self.high))
        if self.step is not None:
            index = min(max(round((value - self.low) / self.step), 0), self._n_steps() - 1)
            yield self._step_value(index), SAME_STEP * self.step
        elif self.points is not None and self.low <= value <= self.high:
            known = self._point(self._nearest_point(value))
            spacing = 0.0 if self.log else (self.high - self.low) / (self.points - 1)
            yield known, ROUNDING * max(abs(known), spacing)
        if self.step is None:
            yield from ((end, ROUNDING * (end if self.log else largest)) for end in (self.low, self.high))

    def _point(self, index: int) -> float:
        """One of the points of the grid; without the others where they are evenly spaced."""
        return self._cut[index] if self.log else point(self.low, self.high, self.points or 0, index)

    def _nearest_point(self, value: float) -> int:
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        share = ((math.log(value) if self.log else value) - low) / (high - low)
        return min(max(round(share * ((self.points or 0) - 1)), 0), (self.points or 0) - 1)

    def check(self, value: Any) -> None:
        """Raise a DomainError unless the value lies in this range."""
        if not is_number(value) or (self.is_integer and not isinstance(value, int)):
            raise DomainError("", f"must be a {'whole ' if self.is_integer else ''}number, not {shortened(value)}")
        own = self.own(value)
        if not self.low <= own <= self.high:
            raise DomainError("", f"{shortened(value)} lies outside [{self.low!r}, {self.high!r}]")
        if self.step is not None:
            index = round((own - self.low) / self.step)
            if index >= self._n_steps() or self._step_value(index) != own:
                raise DomainError("", f"{value!r} is not {self.low!r} plus a multiple of {self.step!r}")

    def probes(self) -> tuple[Any, ...]:
        """Return the values to try on the study before anything runs: both ends."""
        return (self.low, self._step_value(self._n_steps() - 1) if self.step is not None else self.high)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Holds several values, in the order given."""

    values: tuple[Any, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise DomainError("", "a choice must hold at least one value, not none; give its values")
        seen = set()
        for value in self.values:
            if reason := unwritable(value):
                rule = "finite numbers" if isinstance(value, float) else f"plain values, and one {reason}"
                raise DomainError("", f"a choice must hold {rule}, not {shortened(value)}; remove it")
            if identity(value) in seen:
                raise DomainError("", f"{shortened(value)} is given twice in the choice; remove one")
            seen.add(identity(value))
        if any(isinstance(value, bool) for value in self.values) and any(map(is_number, self.values)):
            raise DomainError(
                "", "a choice cannot mix booleans and numbers, since Python counts true as 1; use one kind"
            )

    def grid_points(self) -> tuple[Any, ...]:
        """Return every value, in the order given."""
        return self.values

    def n_grid_points(self) -> int:
        """Count the values."""
        return len(self.values)

    def is_on_grid(self, value: Any) -> bool:
        """Say whether a value is one of the choice."""
        return self.place(value) is not None

    def at(self, unit: float) -> Any:
        """Return the value at a fraction, 0 to 1; each value has an equal share."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {identity(value): place for place, value in enumerate(self.values)}

    @property
    def is_ambiguous(self) -> bool:
        """Return whether two of its values have the same text: 1 and "1", [1] and "[1]"."""
        return len({str(value) for value in self.values}) < len(self.values)

    def place(self, value: Any) -> int | None:
        """Return the index of a value in the choice; None: it is not in it."""
        place = self._places.get(identity(value))
        return self._places.get(identity(among(self.values, value))) if place is None else place

    def own(self, value: Any) -> Any:
        """Return the value of the choice that equals a value; the value itself if none does."""
        place = self.place(value)
        return value if place is None else self.values[place]

    def check(self, value: Any) -> None:
        """Raise a DomainError unless the value is one of the choice."""
        if self.place(value) is None:
            raise DomainError("", f"{shortened(value)} is not one of {listed(self.values)}")

    def probes(self) -> tuple[Any, ...]:
        """Return the values to try on the study before anything runs: all of them."""
        return self.values


Domain = Range | Choice


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _at_most() -> str:
    return f"at most {MOST_GRID_POINTS} are allowed"

"""The two kinds of domain a parameter can have: a range and a choice. A single value is a choice of one.

Apart from `space`, which joins domains into one search space: a domain knows its own values and nothing
of the others. Every rule about one domain is checked here, at construction, whoever constructs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rothamsted.caps import MOST_GRID_POINTS
from rothamsted.errors import SpecError
from rothamsted.space.values import identity, is_equal_value, is_number

When = Mapping[str, tuple[Any, ...]]  # {other parameter: the values of it under which this one is active}

SIGNIFICANT_DIGITS = 12  # of a grid's points: 0.01 reads 0.01, and platforms agree in the last bits


class DomainError(SpecError):
    """A domain that does not hold together.

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
    """All numbers from low to high, both included.

    `points` says how a grid cuts the range, and no other sampler looks at it. `step` makes the range
    discrete for every sampler: low, low + step, … up to high.
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
        self._check_step()
        self._check_points()

    def _number(self, part: str, value: Any) -> float:
        if not is_number(value) or not math.isfinite(value):
            raise DomainError(part, f"must be a finite number, not {value!r}")
        if not self.is_integer:
            return float(value)
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
            raise DomainError("step", "stands beside points; give one of the two")
        if not 0 < self.step <= self.high - self.low:
            raise DomainError(
                "step", f"must be above 0 and at most high - low, {self.high - self.low!r}, not {self.step!r}"
            )
        if self._n_steps() > MOST_GRID_POINTS:
            raise DomainError("step", f"{self.step!r} cuts the range into {self._n_steps()} values; {_at_most()}")

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
        value = self.low + index * step
        if self.is_integer or index == 0:
            return value
        rounded = _rounded(value)  # unless the step is too fine for the digits that are kept
        return min(max(rounded if abs(rounded - value) < 1e-9 * step else value, self.low), self.high)

    def grid_points(self) -> tuple[Any, ...]:
        """The values at which a grid cuts this range, ascending, each once.

        Evenly spaced (in the logarithm where log), the ends exact; whole numbers are rounded, so that
        there may be fewer than `points`.
        """
        if self.step is not None:
            return tuple(self._step_value(index) for index in range(self._n_steps()))
        if self.points is None:
            raise DomainError("points", "a grid cannot cut a range without points; give points, or a step")
        import numpy as np  # a tenth of a second: a mistake is told without it

        spaced = (np.geomspace if self.log else np.linspace)(self.low, self.high, self.points).tolist()
        if self.is_integer:
            return tuple(dict.fromkeys(min(max(round(value), int(self.low)), int(self.high)) for value in spaced))
        rounded = [_rounded(value) for value in spaced]
        inner = rounded if len(set(rounded)) == self.points else spaced
        return (self.low, *(min(max(value, self.low), self.high) for value in inner[1:-1]), self.high)

    def at(self, unit: float) -> Any:
        """The value at a fraction of the way from 0 to 1; uniform fractions give uniform values.

        Uniform in the logarithm where log. Each whole number and each step takes an equal share.
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
        return min(max(value, self.low), self.high)

    def check(self, value: Any) -> None:
        """Raise a DomainError unless the value lies in this range."""
        if not is_number(value) or (self.is_integer and not isinstance(value, int)):
            raise DomainError("", f"must be a {'whole ' if self.is_integer else ''}number, not {value!r}")
        if not self.low <= value <= self.high:
            raise DomainError("", f"{value!r} lies outside [{self.low!r}, {self.high!r}]")
        if self.step is not None:
            n_steps = (value - self.low) / self.step
            if abs(n_steps - round(n_steps)) > 1e-6:
                raise DomainError("", f"{value!r} is not {self.low!r} plus a multiple of {self.step!r}")

    def probes(self) -> tuple[Any, ...]:
        """The values to try on the study before anything runs: both ends."""
        return (self.low, self._step_value(self._n_steps() - 1) if self.step is not None else self.high)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values, in the order given."""

    values: tuple[Any, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise DomainError("", "a choice must hold at least one value, not none; give its values")
        seen = set()
        for value in self.values:
            if isinstance(value, float) and not math.isfinite(value):
                raise DomainError("", f"a choice must hold finite numbers, not {value!r}")
            if identity(value) in seen:
                raise DomainError("", f"{value!r} stands twice in the choice; remove one")
            seen.add(identity(value))
        if any(isinstance(value, bool) for value in self.values) and any(map(is_number, self.values)):
            raise DomainError("", "a choice cannot mix truth values and numbers: Python takes true for 1; use one kind")

    def grid_points(self) -> tuple[Any, ...]:
        """Every value, in the order given."""
        return self.values

    def at(self, unit: float) -> Any:
        """The value at a fraction of the way from 0 to 1; each value takes an equal share."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def check(self, value: Any) -> None:
        """Raise a DomainError unless the value is one of the choice."""
        if not any(is_equal_value(value, known) for known in self.values):
            raise DomainError("", f"{value!r} is not one of {', '.join(map(repr, self.values))}")

    def probes(self) -> tuple[Any, ...]:
        """The values to try on the study before anything runs: all of them."""
        return self.values


Domain = Range | Choice


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _at_most() -> str:
    return f"at most {MOST_GRID_POINTS} are taken"

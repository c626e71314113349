"""Define the settings of an analysis, from a sweep's file or the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.spec import Statistics
from rothamsted.statistics import DEFAULT_POWER


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Holds how an analysis is made. Settings that change a number are shown beside it."""

    level: float = 0.95
    interval: str = "t"  # a name of INTERVALS
    best: str = "leaders"  # a name of BEST_METHODS: how the best condition and the verdicts are found
    smallest_difference: float | None = None  # a loss that does not matter, in the objective's units
    reference: int | Mapping[str, Any] | None = None  # condition that all are compared with, too: number or values
    correction: str = "holm"  # a name of CORRECTIONS, of the comparisons with the reference
    test: str = "auto"  # a name of TESTS, likewise; auto: paired t where seeds pair the replicates, else Welch's t
    power: float = DEFAULT_POWER  # of the smallest detectable difference


def settings_of(how: Statistics) -> Settings:
    """Return the settings that a sweep's file asks for; its keys are fields of `Settings`."""
    return Settings(**dict(how))

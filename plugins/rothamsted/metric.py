"""Define what a study declares of a metric: direction, range, unit, label, and over how many rows a share is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from rothamsted.errors import StudyError

DIRECTIONS = ("minimize", "maximize")
RETURNED = "value"  # the metric of a number that a function returns
TEST_PREFIX = "test/"  # of metrics on rows that no choice used
# What a trial shows of a metric over its replicates.
SUMMARY_KEYS = ("mean", "sd", "sem", "ci_low", "ci_high", "median", "min", "max", "n")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """States what is known of a metric before anything is measured.

    Attributes:
        direction: minimize or maximize; None: not declared.
        low: the least possible value; None: there is none.
        high: the greatest possible value; None: there is none.
        unit: unit of the values, such as s; empty for a plain number.
        label: name of the metric in words.
        rows: number of rows of which the metric is a share: 1,000 for an accuracy on 1,000 images. None: it is no such
            share, or the number is not known.

    Raises:
        StudyError: the direction is neither, the range has no value, or a field has the wrong type.

    Example:
        >>> Metric(direction="maximize", low=0, high=1, rows=1000).direction
        'maximize'
    """

    direction: Literal["minimize", "maximize"] | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    label: str = ""
    rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.direction not in (None, *DIRECTIONS):
            raise StudyError(f"Metric: direction must be minimize, maximize or None, not {self.direction!r}")
        for name, value in (("low", self.low), ("high", self.high)):
            if value is not None and not (_is_number(value) and math.isfinite(value)):
                raise StudyError(f"Metric: {name} must be a finite number, or None if there is none, not {value!r}")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise StudyError(f"Metric: low={self.low:g} must be below high={self.high:g}; give the range low to high")
        for name, text in (("unit", self.unit), ("label", self.label)):
            if not isinstance(text, str):
                raise StudyError(f"Metric: {name} must be text, not {text!r}")
        if self.rows is not None and (isinstance(self.rows, bool) or not isinstance(self.rows, int) or self.rows < 1):
            raise StudyError(f"Metric: rows must be a whole number of at least 1, not {self.rows!r}")
        if self.rows is not None and not self.is_share:
            raise StudyError(f"Metric: rows={self.rows} is only for a share; give low=0 and high=1, too, or no rows")

    @property
    def is_bounded(self) -> bool:
        """Say whether the range has a low or a high end.

        Example:
            >>> Metric(low=0).is_bounded, Metric().is_bounded
            (True, False)
        """
        return self.low is not None or self.high is not None

    @property
    def is_share(self) -> bool:
        """Say whether the range is 0 to 1, as for a share of rows.

        Example:
            >>> Metric(low=0, high=1).is_share
            True
        """
        return (self.low, self.high) == (0, 1)

    def holds(self, value: float) -> bool:
        """Say whether a finite `value` lies in the range.

        Example:
            >>> Metric(low=0).holds(0.5), Metric(low=0).holds(-1)
            (True, False)
        """
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def range_words(self) -> str:
        """Give the range in words: "0 to 1", "at least 0", "at most 1"; empty without a range.

        Example:
            >>> Metric(low=0).range_words
            'at least 0'
        """
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "" if self.high is None else f"at most {self.high:g}"


UNKNOWN = Metric()  # of a metric that nobody has declared


def declared(metrics: Mapping[str, Metric], name: str) -> Metric:
    """Return the declaration of a metric: under its name, else under the first pattern such as `class_accuracy/*`."""
    if name in metrics:
        return metrics[name]
    return next((one for pattern, one in metrics.items() if "*" in pattern and fnmatchcase(name, pattern)), UNKNOWN)


def metrics_to_plain(metrics: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """Turn declared metrics into plain values; fields with their defaults are left out."""
    unsaid = asdict(UNKNOWN)
    return {name: {k: v for k, v in asdict(one).items() if v != unsaid[k]} for name, one in metrics.items()}


def metrics_from_plain(plain: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    """Make the declared metrics again from the result of `metrics_to_plain`."""
    return {name: Metric(**one) for name, one in plain.items()}


def check_metrics(place: str, metrics: Any) -> None:
    """Check that a declaration is a mapping of names to metrics.

    Raises:
        StudyError: it is not; the message names the place and the entry.
    """
    if not isinstance(metrics, Mapping):
        raise StudyError(f"{place}: metrics must be a mapping of names to Metric(...), not {metrics!r}")
    for name, one in metrics.items():
        if not isinstance(name, str) or not name:
            raise StudyError(f"{place}: metrics: {name!r} is not the name of a metric")
        if not isinstance(one, Metric):
            raise StudyError(f"{place}: metrics[{name!r}] must be a Metric(...), not {one!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

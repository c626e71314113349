"""The metrics that are axes of curves, written with few points: those on a straight line are left out.

Seconds, epochs and samples seen say where a measurement stands and are no result, yet a point of a metric takes four
rows in MLflow's database, and as many bytes as a point of a loss. A reader gets what was left out by interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from rothamsted.records import MetricPoint
from rothamsted.tracking import Curve

SECONDS, EPOCH, SAMPLES = "seconds", "epoch", "samples_seen"
OFF = {SAMPLES: 0.0, EPOCH: 0.0, SECONDS: 0.01}  # metric -> by which share of its value a point left out may be off
OFF_SECONDS = 0.005  # of what is measured with a clock: less is no time that anybody reads
MOST_LEFT_OUT = 50  # points in a row, each of which is looked at again with the next


@dataclass(kw_only=True)
class FewPoints:
    """Which points of runs are written, asked as they are measured.

    Attributes:
        of: the metrics that are written with few points.
    """

    of: Set[str] = frozenset()
    _corners: dict[tuple[str, str], _Corners] = field(default_factory=dict)  # by run and metric

    def written(self, run_id: str, points: Sequence[MetricPoint]) -> list[MetricPoint]:
        """What is to be written now that these points of a run were measured."""
        found: list[MetricPoint] = []
        for point in points:
            found += self._of(run_id, point.key).add(point) if point.key in self.of else [point]
        return found

    def rest(self, run_id: str) -> list[MetricPoint]:
        """The last points of a run that ends, where they were not written."""
        return [point for metric in sorted(self.of) for point in self._of(run_id, metric).rest()]

    def _of(self, run_id: str, metric: str) -> _Corners:
        return self._corners.setdefault((run_id, metric), _Corners(metric=metric))


@dataclass(kw_only=True)
class _Corners:
    """Of one axis of one run."""

    metric: str
    _written: MetricPoint | None = None
    _left_out: list[MetricPoint] = field(default_factory=list)  # since then

    def add(self, point: MetricPoint) -> list[MetricPoint]:
        """The points that are to be written now that this one is there: the first, and the last of a straight line."""
        if self._written is None:
            self._written = point
            return [point]
        if len(self._left_out) < MOST_LEFT_OUT and self._is_straight_to(point):
            self._left_out.append(point)
            return []
        corner, self._left_out = self._left_out[-1], [point]
        self._written = corner
        return [corner]

    def rest(self) -> list[MetricPoint]:
        """The last point, where it has not been written."""
        rest, self._left_out = self._left_out[-1:], []
        self._written = rest[0] if rest else self._written
        return rest

    def _is_straight_to(self, point: MetricPoint) -> bool:
        start = self._written
        if start is None or point.step <= start.step:
            return False
        slope = (point.value - start.value) / (point.step - start.step)
        return all(self._is_near(one, slope * (one.step - start.step) + start.value) for one in self._left_out)

    def _is_near(self, point: MetricPoint, drawn: float) -> bool:
        share = OFF[self.metric]
        return abs(drawn - point.value) <= (max(share * abs(point.value), OFF_SECONDS) if share else 0.0)


def at_steps(axis: Curve, steps: np.ndarray) -> np.ndarray:
    """The values of an axis at these steps (step,); NaN before its first point and after its last."""
    return np.interp(steps, axis.steps, axis.values, left=np.nan, right=np.nan)

"""Read what a process reports without MLflow: JSON lines in the file $ROTHAMSTED_REPORT, or its last output line.

A line is one flat JSON object: `{"val_loss": 0.3, "step": 1}`. `step` and `epoch` may be left out; steps then count on
from the last one, from 1. null is a value that is not finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.errors import UserError
from rothamsted.given_files import MOST_BYTES, open_given
from rothamsted.recordable import MAX_STEP, metric_fault
from rothamsted.records import MetricPoint
from rothamsted.yaml_text import load_json

VARIABLE = "ROTHAMSTED_REPORT"
STEP, EPOCH = "step", "epoch"
_EXAMPLE = '{"val_loss": 0.3, "step": 1}'
_SHOWN = 80  # characters of a bad line


class ReportError(UserError):
    """Says that a line is no report."""


@dataclass(kw_only=True)
class ReportFile:
    """Reads the file of one process as it grows.

    Attributes:
        path: it need not be there yet.
    """

    path: Path
    _offset: int = 0
    _n_lines: int = 0
    _step: int = 0

    def read(self, timestamp_ms: int, *, is_over: bool = False) -> list[MetricPoint]:
        """Return what has been added since the last call. The last line waits until it has its end.

        Args:
            timestamp_ms: the time of what is read.
            is_over: the process has ended by itself, so that the last line is whole.

        Raises:
            ReportError: a line that is no report, by its number.
        """
        if not self.path.exists():
            return []
        way_out = f"write lines such as {_EXAMPLE} to it"
        with open_given(self.path, way_out=way_out, source=f"${VARIABLE}", error=ReportError) as file:
            file.seek(self._offset)
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ReportError(f"${VARIABLE}: grew by more than {MOST_BYTES} bytes at once; {way_out}")
        whole = text if is_over else text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        points: list[MetricPoint] = []
        for line in whole.splitlines():
            self._n_lines += 1
            if line.strip():
                points += self._points(line, timestamp_ms)
        return points

    def _points(self, line: bytes, timestamp_ms: int) -> list[MetricPoint]:
        place = f"line {self._n_lines} of ${VARIABLE}"
        try:
            found = load_json(line.decode("utf-8"))
        except ValueError:  # not UTF-8, or not JSON
            found = None
        if not isinstance(found, dict):
            shown = line.decode("utf-8", errors="replace")[:_SHOWN]
            raise ReportError(f"{place}: must be a JSON object such as {_EXAMPLE}, not {shown}")
        step = found.pop(STEP, self._step + 1)
        if not _is_step(step):
            raise ReportError(f"{place}: step must be a whole number from 0 and below 2^63, not {step!r:.{_SHOWN}}")
        self._step = step
        if fault := next(filter(None, map(metric_fault, found)), ""):
            raise ReportError(f"{place}: {fault}")
        values = {name: _number(value) for name, value in found.items()}
        for name, value in values.items():
            if value is None:
                raise ReportError(f"{place}: {name} must be a number, not {str(found[name])[:_SHOWN]!r}")
        return [MetricPoint(name, value, timestamp_ms, step) for name, value in values.items() if value is not None]


def points_of_last_line(output: str, timestamp_ms: int) -> list[MetricPoint]:
    """Return the numbers in the last line of an output that is a JSON object; none if no line is.

    What is no number in it is for others to read, and left out.

    Raises:
        ReportError: a number's name is none of a metric.
    """
    for line in reversed(output.splitlines()):
        found = _object(line)
        if found is not None:
            step = found.pop(STEP, 1)
            step = step if _is_step(step) else 1
            read = {name: _number(value) for name, value in found.items() if value is not None}
            numbers = {name: one for name, one in read.items() if one is not None}
            if fault := next(filter(None, map(metric_fault, numbers)), ""):
                raise ReportError(f"the last line of the output: {fault}")
            return [MetricPoint(name, one, timestamp_ms, step) for name, one in numbers.items()]
    return []


def _object(line: str) -> dict[str, Any] | None:
    if not line.strip().startswith("{"):
        return None
    try:
        found = load_json(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _number(value: Any) -> float | None:
    """A number; None for what is none. JSON has no NaN, and programs write null for it."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of over 300 digits
        return math.inf


def _is_step(value: Any) -> bool:
    """Whether it is a step that databases keep."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_STEP

"""Write the files of a run for people without MLflow: metrics (CSV and JSON), summary, config and curves.

It writes them from a history, while a run goes on and at its end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.printable import csv_text
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.studies.atomic import write_atomically
from rothamsted.studies.contract import RESERVED_METRICS
from rothamsted.studies.run_curves import figure_files, loss_curves_data, metric_names

RUNNING = "running"  # the outcome in the summary of a run that has not ended, or that was killed
CONFIG_FILE = "config.json"
SHARE_OF_TIME = 0.01  # most of a run's time that writing files again takes, the lines of metrics.csv apart


def write_exports(folder: Path, config: Mapping[str, Any], ending: Ending) -> list[Path]:
    """Write metrics.csv, metrics.json, summary.json, config.json; loss and lr_schedule as SVG and PNG where they apply.

    Args:
        folder: made where it is missing.
        config: field -> value, as JSON has it.
        ending: what the run measured, and how it ended.

    Raises:
        StudyError: the folder cannot be written.
    """
    contents = {
        "metrics.csv": metrics_csv(ending.history).encode(),
        "summary.json": _json(summary(ending)),
        CONFIG_FILE: _json(config),
        **_json_of_metrics(ending.history),
        **figure_files(ending.history),
    }
    return _write(folder, contents)


@final
@dataclass(kw_only=True)
class RunningExports:
    """Writes the same files while a run goes on, so that a run that is killed has left them.

    Each measurement is a line of metrics.csv at once. The other files are written again after a measurement unless
    that would take more than a hundredth of the time: short runs have them after each, and figures follow in a minute.
    """

    folder: Path
    config: Mapping[str, Any]
    clock: Callable[[], float]
    _history: list[Measured] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)  # columns of the file as it is
    _next: dict[str, float] = field(default_factory=dict)  # kind -> the clock from which on it is written

    def restore(self, measured: Measured) -> None:
        """Take a measurement from before a restart."""
        self._history.append(measured)

    def add(self, measured: Measured) -> None:
        """Take a measurement and write.

        Raises:
            StudyError: the folder cannot be written.
        """
        self._history.append(measured)
        self._add_line(measured)
        self._again("numbers", self._numbers)
        self._again("figures", lambda: figure_files(self._history))

    def _numbers(self) -> dict[str, bytes]:
        last = self._history[-1]
        so_far = Ending(outcome=Outcome.INTERRUPTED, history=tuple(self._history), seconds=last.seconds)
        return {
            "summary.json": _json({**summary(so_far), "outcome": RUNNING}),
            CONFIG_FILE: _json(self.config),
            **_json_of_metrics(self._history),
        }

    def _add_line(self, measured: Measured) -> None:
        if not self._names or set(measured.metrics) - set(self._names):
            self._names = metric_names(self._history)
            _write(self.folder, {"metrics.csv": metrics_csv(self._history).encode()})
            return
        path = self.folder / "metrics.csv"
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(_line(measured, _columns(self._names)))
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def _again(self, kind: str, make: Callable[[], Mapping[str, bytes]]) -> None:
        began = self.clock()
        if began < self._next.get(kind, began):
            return
        _write(self.folder, make())
        ended = self.clock()
        self._next[kind] = ended + (ended - began) / SHARE_OF_TIME


def config_text(config: BaseModel) -> str:
    """Return a config as the file that `--config` takes: JSON, with every field."""
    return _json(config.model_dump(mode="json")).decode()


def metrics_csv(history: Sequence[Measured]) -> str:
    """Write one row a measurement; numbers as Python writes them, so they read back to the same bits."""
    columns = _columns(metric_names(history))
    return _row(["step", "epoch", *columns]) + "".join(_line(measured, columns) for measured in history)


def metrics_by_name(history: Sequence[Measured]) -> dict[str, Any]:
    """Return the same numbers by column.

    These are step, epoch, and below `metrics` each metric, a value or null a measurement.
    """
    names = metric_names(history)
    return {
        "step": [measured.step for measured in history],
        "epoch": [measured.epoch for measured in history],
        "metrics": {name: [measured.metrics.get(name) for measured in history] for name in names},
    }


def summary(ending: Ending) -> dict[str, Any]:
    """Say how a run ended, with its last metrics and smallest losses."""
    last = ending.history[-1] if ending.history else None
    return {
        "outcome": str(ending.outcome),
        "reason": ending.reason,
        "seconds": ending.seconds,
        "n_measurements": len(ending.history),
        "last_step": last.step if last else None,
        "last": dict(last.metrics) if last else {},
        "kept": {"step": ending.kept.step, "metric": ending.kept.metric, "value": ending.kept.value}
        if ending.kept
        else None,
        "smallest": {
            curve.name: {"step": step, "value": value}
            for curve in loss_curves_data(ending.history)
            for value, step in sorted(zip(curve.values, curve.steps))[:1]
        },
    }


def _columns(names: Sequence[str]) -> list[str]:
    """The driver's own metrics first."""
    return sorted(names, key=lambda name: name not in RESERVED_METRICS)


def _line(measured: Measured, columns: Sequence[str]) -> str:
    epoch = "" if measured.epoch is None else repr(measured.epoch)
    values = [repr(measured.metrics[name]) if name in measured.metrics else "" for name in columns]
    return _row([measured.step, epoch, *values])


def _row(values: Sequence[Any]) -> str:
    return csv_text([map(str, values)])


def _json_of_metrics(history: Sequence[Measured]) -> dict[str, bytes]:
    return {"metrics.json": _json(metrics_by_name(history))}


def _write(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    for name, content in contents.items():
        write_atomically(folder / name, content, outlives_a_power_cut=False)  # a disk may take a second for it
    return [folder / name for name in contents]


def _unwritable(folder: Path, error: OSError) -> StudyError:
    return StudyError(f"{folder}: cannot be written ({error.strerror or error}); give another folder")


def _json(value: Mapping[str, Any]) -> bytes:
    """Strict JSON: it has no NaN or inf, so they are written as the text that Python's float() reads."""
    return (json.dumps(_strict(value), indent=2, allow_nan=False) + "\n").encode()


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value

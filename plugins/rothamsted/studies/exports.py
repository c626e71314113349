"""What a run leaves behind for people without MLflow: metrics (CSV and JSON), summary, config and its curves.

It is apart because it sees a history and writes files, and knows nothing of training or of MLflow.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured
from rothamsted.studies.contract import RESERVED_METRICS

CONFIG_FILE = "config.json"


@dataclass(frozen=True, kw_only=True)
class ExportedCurve:
    """One metric over steps, ready to draw: finite values only."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    n_not_finite: int  # values left out because they are NaN or inf


def write_exports(folder: Path, config: BaseModel, ending: Ending) -> list[Path]:
    """Write metrics.csv, metrics.json, summary.json, config.json; loss.svg, learning_rate.svg where they apply.

    Raises:
        StudyError: the folder cannot be written.
    """
    contents = {
        "metrics.csv": metrics_csv(ending.history),
        "metrics.json": _json(metrics_by_name(ending.history)),
        "summary.json": _json(summary(ending)),
        CONFIG_FILE: config_text(config),
    }
    losses = loss_curves_data(ending.history)
    rates = learning_rate_data(ending.history)
    if any(curve.values for curve in losses):
        contents["loss.svg"] = curves_svg(losses, y_label="loss", is_log=True)
    if any(curve.values for curve in rates):
        contents["learning_rate.svg"] = curves_svg(rates, y_label="learning rate", is_log=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{folder}: cannot be written ({error.strerror}); give another folder") from error
    return [folder / name for name in contents]


def config_text(config: BaseModel) -> str:
    """Return a config as the file that `--config` takes: JSON, with every field."""
    return _json(config.model_dump(mode="json"))


def metrics_csv(history: Sequence[Measured]) -> str:
    """One row a measurement; numbers as Python writes them, so they read back to the same bits."""
    names = _names(history)
    own = [name for name in names if name not in RESERVED_METRICS]
    others = [name for name in names if name in RESERVED_METRICS]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["step", "epoch", *others, *own])
    for measured in history:
        epoch = "" if measured.epoch is None else repr(measured.epoch)
        rows.writerow([measured.step, epoch, *(repr(measured.metrics[name]) for name in [*others, *own])])
    return text.getvalue()


def metrics_by_name(history: Sequence[Measured]) -> dict[str, Any]:
    """The same numbers by column: step, epoch, and each metric under `metrics`, one value a measurement."""
    return {
        "step": [measured.step for measured in history],
        "epoch": [measured.epoch for measured in history],
        "metrics": {name: [measured.metrics[name] for measured in history] for name in _names(history)},
    }


def summary(ending: Ending) -> dict[str, Any]:
    """How a run ended, and its last metrics and smallest losses."""
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


def loss_curves_data(history: Sequence[Measured]) -> list[ExportedCurve]:
    """The losses over steps: every metric whose name ends in `loss`."""
    return [_curve(history, name) for name in _names(history) if name.endswith("loss")]


def learning_rate_data(history: Sequence[Measured]) -> list[ExportedCurve]:
    """The learning rate over steps: every metric whose name ends in `learning_rate`, or is `lr`."""
    names = [name for name in _names(history) if name.endswith("learning_rate") or name == "lr"]
    return [_curve(history, name) for name in names]


def curves_svg(curves: Sequence[ExportedCurve], *, y_label: str, is_log: bool) -> str:
    """Draw curves over steps; a log axis is taken only where every value is above zero."""
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: no global state, no display

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        left_out = f" ({curve.n_not_finite} not finite)" if curve.n_not_finite else ""
        marker = "." if len(curve.steps) <= 50 else ""
        axes.plot(curve.steps, curve.values, label=curve.name + left_out, marker=marker)
    if is_log and all(value > 0 for curve in curves for value in curve.values):
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel=y_label)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "rothamsted"}):  # equal data, equal bytes
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _curve(history: Sequence[Measured], name: str) -> ExportedCurve:
    points = [(measured.step, measured.metrics[name]) for measured in history]
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    return ExportedCurve(
        name=name,
        steps=tuple(step for step, _ in finite),
        values=tuple(value for _, value in finite),
        n_not_finite=len(points) - len(finite),
    )


def _names(history: Sequence[Measured]) -> list[str]:
    return list(history[0].metrics) if history else []


def _json(value: Mapping[str, Any]) -> str:
    """Strict JSON: it has no NaN or inf, so they are written as the text that Python's float() reads."""
    return json.dumps(_strict(value), indent=2, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value

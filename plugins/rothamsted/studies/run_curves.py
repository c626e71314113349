"""Draw the curves of one run: losses over steps and over wall-clock time, learning rate over steps."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rothamsted.records import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = (6, 4)


@dataclass(frozen=True, kw_only=True)
class ExportedCurve:
    """Holds one metric of a run, ready to draw: finite values only."""

    name: str
    steps: tuple[int, ...]
    seconds: tuple[float, ...]  # of training by the clock, without set-up and evaluation
    values: tuple[float, ...]
    n_not_finite: int  # values left out because they are NaN or inf


def figure_files(history: Sequence[Measured]) -> dict[str, bytes]:
    """Draw loss and lr_schedule as SVG and PNG, by file name; a figure without a finite value is left out."""
    losses, rates = loss_curves_data(history), learning_rate_data(history)
    files: dict[str, bytes] = {}
    if any(curve.values for curve in losses):
        files |= _saved("loss", loss_figure(losses))
    if any(curve.values for curve in rates):
        files |= _saved("lr_schedule", lr_schedule_figure(rates))
    return files


def loss_curves_data(history: Sequence[Measured]) -> list[ExportedCurve]:
    """Return the losses: every metric whose name ends in `loss`."""
    return [_curve(history, name) for name in metric_names(history) if name.endswith("loss")]


def learning_rate_data(history: Sequence[Measured]) -> list[ExportedCurve]:
    """Return the learning rate: every metric whose name ends in `learning_rate`, or is `lr`."""
    return [_curve(history, name) for name in metric_names(history) if name.endswith("learning_rate") or name == "lr"]


def metric_names(history: Sequence[Measured]) -> list[str]:
    """Return the metrics of a run in the order in which they were first measured."""
    return list(dict.fromkeys(name for measured in history for name in measured.metrics))


def loss_figure(curves: Sequence[ExportedCurve]) -> Figure:
    """Draw losses over steps and, beside them, over seconds; on a log axis only if every value is above zero."""
    figure, (left, right) = _panels(2)
    for curve in curves:
        _draw(left, curve.steps, curve)
        _draw(right, curve.seconds, curve)
    is_log = all(value > 0 for curve in curves for value in curve.values)
    for axes in (left, right):
        axes.set_yscale("log" if is_log else "linear")
    left.set(xlabel="step", ylabel="loss")
    right.set(xlabel="seconds of training by the clock")
    left.legend()
    return figure


def lr_schedule_figure(curves: Sequence[ExportedCurve]) -> Figure:
    """Draw the learning rate over steps."""
    figure, (axes,) = _panels(1)
    for curve in curves:
        _draw(axes, curve.steps, curve)
    axes.set(xlabel="step", ylabel="learning rate")
    axes.legend()
    return figure


def _panels(n: int) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure  # no pyplot: no global state, no display

    figure = Figure(figsize=(n * PANEL_INCHES[0], PANEL_INCHES[1]))
    panels = figure.subplots(1, n, sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=0.12 / n, right=0.98, top=0.96, bottom=0.12, wspace=0.06
    )  # constrained takes twice as long
    for axes in panels:
        axes.grid(visible=True, alpha=0.3)
    return figure, panels


def _draw(axes: Axes, x: Sequence[float], curve: ExportedCurve) -> None:
    left_out = f" ({curve.n_not_finite} not finite)" if curve.n_not_finite else ""
    axes.plot(x, curve.values, label=curve.name + left_out, marker="." if len(x) <= 50 else "")


def _saved(name: str, figure: Figure) -> dict[str, bytes]:
    import matplotlib

    files = {}
    for kind in ("svg", "png"):
        file = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "rothamsted"}):  # equal data, equal bytes
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
        files[f"{name}.{kind}"] = file.getvalue()
    return files


def _curve(history: Sequence[Measured], name: str) -> ExportedCurve:
    points = [(measured.step, measured.seconds, measured.metrics[name]) for measured in history
              if name in measured.metrics]  # fmt: skip
    finite = [point for point in points if math.isfinite(point[2])]
    steps, seconds, values = zip(*finite, strict=True) if finite else ((), (), ())
    return ExportedCurve(name=name, steps=steps, seconds=seconds, values=values, n_not_finite=len(points) - len(finite))

"""Draw learning-rate schedules: the rate at each step.

Equal schedules are drawn as one line: twenty conditions often share three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis, Band
from rothamsted.reporting.plots.axes import draw_values, is_spread
from rothamsted.reporting.plots.contract import MOST_SERIES, NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.curve_bands import bands_of, thinned
from rothamsted.reporting.plots.labels import named
from rothamsted.reporting.plots.look import DASHES, PALETTE, legend_below, sized
from rothamsted.reporting.plots.view import by_number, by_rank, condition_label, is_learning_rate, metric_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Holds one schedule and the conditions that follow it."""

    label: str
    conditions: tuple[int, ...]  # best first
    x: np.ndarray  # (point,)
    rate: np.ndarray  # (point,)


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """Holds the distinct schedules, in the order of their best conditions."""

    metric: str
    axis: str
    schedules: tuple[Schedule, ...]
    n_schedules: int  # distinct ones, shown or not
    n_conditions: int
    is_log: bool


def schedule_data(analysis: Analysis, options: PlotOptions) -> Schedules:
    """Gather conditions whose learning-rate curves are equal.

    Raises:
        NotApplicable: No metric with curves is a learning rate, or no rate changes during training.
    """
    metric = options.metric or _rate_metric(analysis)
    axis = options.axis or "step"
    bands = {band.condition: band for band in bands_of(analysis, metric, axis)}
    if all(np.ptp(band.mean) <= 1e-5 * np.abs(band.mean).max() for band in bands.values()):
        raise NotApplicable(f"{named(metric)} stays the same during training in every condition")
    groups: dict[bytes, list[int]] = {}
    for number in by_rank(analysis, bands):
        groups.setdefault(_print(bands[number]), []).append(number)
    labels = {number: condition_label(condition) for number, condition in by_number(analysis).items()}
    shown = tuple(
        _schedule(numbers, bands, labels) for numbers in list(groups.values())[: options.n_series or MOST_SERIES]
    )
    return Schedules(
        metric=metric_name(analysis, metric),
        axis=axis,
        schedules=shown,
        n_schedules=len(groups),
        n_conditions=len(bands),
        is_log=is_spread(np.concatenate([schedule.rate for schedule in shown])),
    )


def _rate_metric(analysis: Analysis) -> str:
    for name in sorted(analysis.bands, key=len):
        if is_learning_rate(name):
            return name
    known = ", ".join(named(name) for name in sorted(analysis.bands)) or "none"
    raise NotApplicable(f"no curve of a learning rate (learning_rate or lr) was read; curves read: {known}")


def _print(band: Band) -> bytes:
    """A fingerprint of a schedule: equal to six digits is equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(band.mean != 0, 10.0 ** np.floor(np.log10(np.abs(band.mean))), 1.0)
    return band.x.astype(np.float64).tobytes() + (np.round(band.mean / scale, 5) * scale).astype(np.float32).tobytes()


def _schedule(numbers: list[int], bands: dict[int, Band], labels: dict[int, str]) -> Schedule:
    band = bands[numbers[0]]
    kept = thinned(len(band.x))
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return Schedule(
        label=f"{labels[numbers[0]]}{more}", conditions=tuple(numbers), x=band.x[kept], rate=band.mean[kept]
    )


def schedule_draw(data: Schedules, figure: Figure) -> None:
    """Draw one line for each distinct schedule."""
    sized(figure, 3.2 + 0.1 * len(data.schedules))
    axes = figure.subplots()
    handles = []
    for i, schedule in enumerate(data.schedules):
        handles += axes.plot(schedule.x, schedule.rate, color=PALETTE[i], linestyle=DASHES[i])
    axes.set_xlabel(data.axis)
    axes.set_ylabel(data.metric)
    draw_values(axes, "x", np.concatenate([s.x for s in data.schedules]), is_log=False, margin=0.02)
    draw_values(axes, "y", np.concatenate([s.rate for s in data.schedules]), is_log=data.is_log)
    legend_below(figure, handles, [schedule.label for schedule in data.schedules])


def schedule_caption(data: Schedules) -> str:
    """Say how many schedules there are and how many are shown."""
    rest = data.n_schedules - len(data.schedules)
    return joined(
        [
            f"{words(data.n_schedules, 'distinct schedule')} in {words(data.n_conditions, 'condition')}; "
            "a line is named after the best condition that follows it",
            f"The {len(data.schedules)} schedules of the best conditions are shown, {rest} are not" if rest else "",
            "Logarithmic vertical axis" if data.is_log else "",
        ]
    )


PLOT = Plot(title="Learning-rate schedule", data=schedule_data, draw=schedule_draw, caption=schedule_caption)

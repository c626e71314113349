"""Define what a plot is, its options, and how it says that it does not apply.

Every plot, the table of plots and the renderer use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rothamsted.analysis.values import Analysis, Axis
from rothamsted.errors import UserError
from rothamsted.statistics.smoothing import Smoothing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SERIES = 8  # as many colours as can be told apart: Okabe & Ito's palette has eight

Over = Literal["best", "mean"]
Direction = Literal["minimize", "maximize"]
Better = Literal["lower", "higher"]  # which values of a metric are good


class NotApplicable(Exception):  # noqa: N818 -- a reason, not an error
    """Says that this analysis has nothing that the plot could show; the text is the reason, for a reader."""


@dataclass(frozen=True, kw_only=True)
class PlotOptions:
    """Holds a reader's choices. A plot uses those that it knows and ignores the rest."""

    metric: str | None = None  # drawn instead of the objective
    x: str | None = None  # factor along the axis; a plot has its own rule where none is given
    group: str | None = None  # factor that makes lines or rows
    axis: Axis | None = None  # of curves
    smoothing: Smoothing | None = None  # of curves: each replicate by itself, before the mean; None: as measured
    over: Over = "best"  # of factors that have no place: the best condition over them, or the mean
    second: str | None = None  # the other metric of a Pareto front
    second_direction: Direction | None = None  # None: the sweep's own for an objective of it, else minimize
    n_series: int | None = None  # at most MOST_SERIES; a plot has its own number where none is given

    def __post_init__(self) -> None:
        if self.n_series is not None and not 1 <= self.n_series <= MOST_SERIES:
            raise UserError(f"plots: n_series is 1 to {MOST_SERIES} (more cannot be told apart), not {self.n_series}")
        if self.over not in ("best", "mean"):
            raise UserError(f"plots: over is 'best' or 'mean', not {self.over!r}")
        if self.second_direction not in (None, "minimize", "maximize"):
            raise UserError(f"plots: second_direction is 'minimize' or 'maximize', not {self.second_direction!r}")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Describes a plot, a row of the registry. A plot with only `draw` gets the analysis itself as its data."""

    title: str
    draw: Callable[[Any, Figure], None]  # sees the data only
    data: Callable[[Analysis, PlotOptions], Any] = lambda analysis, options: analysis  # pure; raises NotApplicable
    caption: Callable[[Any], str] = lambda data: ""  # sees the data only: what is shown, of how many, what is not


def of_function(name: str, draw: Callable[[Any, Figure], None]) -> Plot:
    """Make a plot of one function, which draws an analysis into a matplotlib figure."""
    return Plot(title=name.replace("_", " ").capitalize(), draw=draw)


def words(count: int, noun: str) -> str:
    """Write `1 condition`, `2 conditions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(parts: list[str]) -> str:
    """Make a caption of sentences; empty ones are dropped."""
    return " ".join(part.rstrip(".") + "." for part in parts if part)

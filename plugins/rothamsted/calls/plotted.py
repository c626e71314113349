"""Draw a plot of a result from a call: by its name, of some conditions, into axes that the caller gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.only import matching, only
from rothamsted.calls.notebook import show_figures
from rothamsted.catalog import PLOTS
from rothamsted.errors import UserError
from rothamsted.reporting.plots import NotApplicable, PlotOptions, drawn
from rothamsted.suggest import known_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rothamsted.calls.result import Result

_KINDS = {"intervals": "forest", "bands": "curves"}  # the names of a call -> those of `catalog.PLOTS`


def plotted(
    result: Result, kind: str, *, metric: str | None, where: Mapping[str, Any] | None, axes: Axes | None
) -> Figure:
    """Draw a plot of a result; see `Result.plot`.

    Raises:
        UserError: there is no such plot, or it has nothing to show.
    """
    show_figures()
    name = _KINDS.get(kind, kind)
    if name not in PLOTS:
        raise UserError(f"plot: kind={kind!r}: {known_names(kind, [*_KINDS, *PLOTS])}")
    found = result.analysis
    own = (result.dataset.cells or result.dataset).objective.metric
    if metric is not None and metric not in found.metrics and metric != own:
        raise UserError(f"plot: metric={metric!r}: {known_names(metric, found.metrics)}")
    if metric is not None and name == "curves":
        dataset = result.with_curves([metric])
        found = found if dataset is result.dataset else analyze(dataset, result.settings)
    if where:
        found = only(found, matching(found.dataset, {key: str(value) for key, value in where.items()}))
    try:
        return drawn(name, found, PlotOptions(metric=metric), axes=axes)
    except NotApplicable as reason:
        raise UserError(f"plot: {kind}: {reason}") from None

"""Draw a plot by its name, from an analysis to an SVG text or a PNG file.

Figures are made, styled and written here only. No global setting is changed for longer than one drawing.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.analysis.values import Analysis
from rothamsted.catalog import PLOTS
from rothamsted.report.plots.contract import Plot, PlotOptions
from rothamsted.report.plots.look import STYLE
from rothamsted.report.plots.svg import tidy_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULTS = PlotOptions()


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One plot, ready for a page."""

    name: str
    title: str
    caption: str
    svg: str  # one self-contained element, whose ids no other figure of the page has


def render(name: str, analysis: Analysis, options: PlotOptions = DEFAULTS) -> Rendered:
    """Draw one plot as SVG, with its title and caption.

    Raises:
        NotApplicable: This analysis has nothing that the plot could show.
        UserError: No such plot, metric or factor.
    """
    plot: Plot = PLOTS[name]
    data = plot.data(analysis, options)
    buffer = io.StringIO()
    with _figure() as figure:
        plot.draw(data, figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return Rendered(
        name=name,
        title=plot.title,
        caption=plot.caption(data),
        svg=tidy_svg(buffer.getvalue(), name=name, title=plot.title),
    )


def render_svg(name: str, analysis: Analysis, options: PlotOptions = DEFAULTS) -> str:
    """Draw one plot as SVG; see `render`."""
    return render(name, analysis, options).svg


def save_png(name: str, analysis: Analysis, path: Path, *, dpi: int = 300, options: PlotOptions = DEFAULTS) -> None:
    """Draw one plot into a PNG file; see `render` for what it raises."""
    plot: Plot = PLOTS[name]
    data = plot.data(analysis, options)
    with _figure() as figure:
        plot.draw(data, figure)
        figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})


@contextmanager
def _figure() -> Iterator[Figure]:
    """Give an empty figure in our style; settings and warning filters are as before afterwards."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = dict(STYLE)
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # names in any script are names
        yield Figure(layout="constrained")

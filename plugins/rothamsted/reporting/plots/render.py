"""Draw a plot by its name, from an analysis to an SVG text or to files: PNG, SVG, PDF.

Figures are made, styled and written only here. Global settings are changed only during a drawing.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rothamsted.analysis.values import Analysis
from rothamsted.catalog import PLOTS
from rothamsted.errors import UserError
from rothamsted.registries import load
from rothamsted.remembered import remembered
from rothamsted.reporting.plots.contract import Plot, PlotOptions
from rothamsted.reporting.plots.fit import fit_labels
from rothamsted.reporting.plots.look import STYLE, WIDTH
from rothamsted.reporting.plots.svg import tidy_svg
from rothamsted.reporting.plots.view import factor_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEFAULTS = PlotOptions()
DPI = 300  # of a PNG
_INCH = 25.4  # mm
_CANVASES = {
    "svg": "matplotlib.backends.backend_svg:FigureCanvasSVG",
    "png": "matplotlib.backends.backend_agg:FigureCanvasAgg",
}
_UNSAID = {"png": ("Software",), "svg": ("Date",), "pdf": ("CreationDate", "Producer", "Creator")}


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """Holds one plot, ready for a page."""

    name: str
    title: str
    caption: str
    svg: str  # one self-contained element, whose ids no other figure of the page has


@dataclass(frozen=True, kw_only=True)
class RenderedFiles:
    """Holds one plot, ready for a paper."""

    caption: str
    files: Mapping[str, bytes]  # format -> content


def render(name: str, analysis: Analysis, options: PlotOptions = DEFAULTS) -> Rendered:
    """Draw one plot as SVG, with its title and caption.

    Raises:
        NotApplicable: This analysis has nothing that the plot could show.
        UserError: No such plot, metric or factor.
    """
    plot: Plot = PLOTS[name]
    data = _data(plot, analysis, options)
    return Rendered(name=name, title=plot.title, caption=plot.caption(data), svg=_svg(name, data))


@remembered(most=40)
def _svg(name: str, data: Any) -> str:
    plot: Plot = PLOTS[name]
    buffer = io.StringIO()
    with _figure() as figure:
        plot.draw(data, figure)
        fit_labels(figure)
        with placed(figure, "svg"):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    return tidy_svg(buffer.getvalue(), name=name, title=plot.title)


def render_svg(name: str, analysis: Analysis) -> str:
    """Draw one plot as SVG; see `render`."""
    return render(name, analysis).svg


def render_files(
    name: str,
    analysis: Analysis,
    formats: Sequence[str],
    *,
    options: PlotOptions = DEFAULTS,
    width_mm: float | None = None,
    dpi: int = DPI,
    plot: Plot | None = None,
) -> RenderedFiles:
    """Draw one plot once, as files for a paper.

    Fonts are embedded in a PDF. Files have no date, title or caption.

    Args:
        name: Name of the plot.
        analysis: What is drawn.
        formats: formats of `catalog.FIGURE_FORMATS`.
        options: What a reader has chosen.
        width_mm: Width of the figure; None: 173 mm, the column of a report.
        dpi: Dots per inch of a PNG.
        plot: A plot that is not among PLOTS; None: the one with the name.

    Raises:
        NotApplicable: This analysis has nothing that the plot could show.
        UserError: No such plot, metric or factor.
    """
    chosen: Plot = PLOTS[name] if plot is None else plot
    data = _data(chosen, analysis, options)
    width = WIDTH if width_mm is None else width_mm / _INCH
    with _figure(width) as figure:
        chosen.draw(data, figure)
        if width_mm is not None:  # a plot of another package may have set its own
            figure.set_size_inches(width, figure.get_figheight())
        fit_labels(figure)
        files = {kind: _file(figure, kind, name=name, title=chosen.title, dpi=dpi) for kind in formats}
    return RenderedFiles(caption=chosen.caption(data), files=files)


def drawn(name: str, analysis: Analysis, options: PlotOptions = DEFAULTS, *, axes: Axes | None = None) -> Figure:
    """Draw one plot as a figure that its user may change, or in place of existing axes.

    Args:
        name: Name of the plot.
        analysis: What is drawn.
        options: What a reader has chosen.
        axes: Axes of a user's figure, which the plot replaces; the size of the figure stays. None: a new figure.

    Raises:
        NotApplicable: This analysis has nothing that the plot could show.
        UserError: No such plot, metric or factor; or the axes are not placed by a grid.
    """
    plot: Plot = PLOTS[name]
    data = _data(plot, analysis, options)
    with _figure() as figure:
        if axes is not None:
            whole: Any = axes.get_figure(root=True)
            plot.draw(data, _in_place_of(axes))
            return whole
        plot.draw(data, figure)
        fit_labels(figure)
        return figure


def _data(plot: Plot, analysis: Analysis, options: PlotOptions) -> Any:
    """What a plot takes from an analysis; plots that have no use for x and group refuse a misspelled factor, too."""
    for name in (options.x, options.group):
        if name is not None:
            factor_named(analysis, name)
    return plot.data(analysis, options)


def _in_place_of(axes: Axes) -> Any:
    """A part of a figure where axes were; a plot that sets the size of its figure leaves this one as it is."""
    place, whole = axes.get_subplotspec(), axes.get_figure()
    if place is None or whole is None:
        raise UserError("plot: ax: these axes have no place in a grid; give those of plt.subplots")
    axes.remove()
    part: Any = whole.add_subfigure(place)
    for name in ("set_size_inches", "set_figheight", "set_figwidth"):
        setattr(part, name, lambda *size, **more: None)
    for name in ("get_size_inches", "get_figheight", "get_figwidth"):
        setattr(part, name, getattr(part.get_figure(root=True), name))
    return part


@contextmanager
def placed(figure: Figure, kind: str, dpi: float = DPI) -> Iterator[None]:
    """Lay a figure out for a file, without the second drawing of `savefig`, which takes a tenth of a report's time."""
    engine, own_dpi = figure.get_layout_engine(), figure.dpi
    if engine is None or kind not in _CANVASES:  # a plot of another package may place its parts itself
        yield
        return
    canvas = load(_CANVASES[kind])
    canvas(figure)
    figure.set_dpi(canvas.fixed_dpi or dpi)
    engine.execute(figure)
    figure.set_dpi(own_dpi)
    figure.set_layout_engine(None)
    yield
    figure.set_layout_engine(engine)


def _file(figure: Figure, kind: str, *, name: str, title: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    with placed(figure, kind, dpi):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dict.fromkeys(_UNSAID[kind]))
    if kind == "svg":
        return tidy_svg(buffer.getvalue().decode(), name=name, title=title).encode() + b"\n"
    return buffer.getvalue()


@contextmanager
def _figure(width: float = WIDTH) -> Iterator[Figure]:
    """Give an empty figure in our style, width in inches; settings and warning filters are as before afterwards."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = dict(STYLE)
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # names in any script are names
        yield Figure(layout="constrained", figsize=(width, 3.5))

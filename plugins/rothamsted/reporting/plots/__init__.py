"""Draw plots of an analysis: first pure data, then the drawing, then SVG, PNG or PDF."""

from rothamsted.catalog import PLOTS
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions
from rothamsted.reporting.plots.render import Rendered, drawn, render, render_files, render_svg

__all__ = [
    "PLOTS",
    "NotApplicable",
    "Plot",
    "PlotOptions",
    "Rendered",
    "drawn",
    "render",
    "render_files",
    "render_svg",
]

"""Plots of an analysis: pure data, then drawing, then SVG or PNG."""

from rothamsted.catalog import PLOTS
from rothamsted.report.plots.contract import NotApplicable, Plot, PlotOptions
from rothamsted.report.plots.render import Rendered, render, render_svg, save_png

__all__ = [
    "PLOTS",
    "NotApplicable",
    "Plot",
    "PlotOptions",
    "Rendered",
    "render",
    "render_svg",
    "save_png",
]

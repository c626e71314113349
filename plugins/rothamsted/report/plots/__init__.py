"""The plots of a report: pure data, then drawing, then SVG or PNG.

Apart, because plots see analysis values only: no store, no search, no page.
"""

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

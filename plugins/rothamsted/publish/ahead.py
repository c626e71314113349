"""What closing a sweep imports and makes ready while workers train, so that nobody waits for it at the end."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from rothamsted.catalog import PLOTS
from rothamsted.registries import UnknownNameError

_OTHERS = ("scipy.special", "scipy.linalg", "scipy.optimize")  # of the analysis
_DRAWING = ("matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg")


def make_ready() -> None:
    """Import what an analysis and its report take; what cannot be imported is said by whoever misses it."""
    for name in (*_OTHERS, *_DRAWING, "rothamsted.publish.pages"):
        with suppress(ImportError):
            import_module(name)
    for name in PLOTS.names():
        with suppress(ImportError, UnknownNameError):
            PLOTS[name]
    with suppress(ImportError):
        from PIL import Image

        from rothamsted.reporting.page.report_page import compile_templates

        Image.preinit()
        compile_templates()

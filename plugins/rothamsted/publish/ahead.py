"""Prepare the end of a sweep while workers train, so that the end does not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.catalog import PLOTS
from rothamsted.registries import UnknownNameError

_OTHERS = ("scipy.special", "scipy.linalg", "scipy.optimize")  # of the analysis
_DRAWING = ("matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg")


def make_ready() -> None:
    """Import what an analysis and its report need. Missing packages are reported where they are used."""
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


def rehearse(run_id: str, settings: Settings, *, uri: str, is_over: Callable[[], bool]) -> None:
    """Analyse and draw what a search has found, while its best conditions are confirmed.

    Results that the confirmation does not change are remembered, see `remembered`; the rest is computed again at the
    end. If something fails, all of it is computed again then, and the error is reported then.

    Args:
        run_id: Of the sweep's run.
        settings: Of the analysis.
        uri: Tracking URI.
        is_over: Function that is called before each drawing; True: the sweep is closing.
    """
    from rothamsted.reporting.plots import render

    with suppress(Exception):
        analysis = analyze(read_sweep(run_id, uri=uri), settings)
        for name in PLOTS.names():
            if is_over():
                return
            with suppress(Exception):
                render(name, analysis)

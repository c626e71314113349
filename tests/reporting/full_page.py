"""A report of everything there is, as a page taken apart: what tests of pages start from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.page.report_page import render_report
from tests.reporting import pages
from tests.reporting.reading import Page

NAN = math.nan
EVERYTHING = ("differences", "heatmap", "curves", "history")


def drawn(_name: str) -> str:
    return pages.SVG


def source(made: Analysis, plots: tuple[str, ...] = (), render: Callable[[str], Any] = drawn) -> str:
    return render_report(made, plots=plots, render=render, generated_at="2026-01-02 03:04 UTC", version="0.1.0")


def page(made: Analysis, plots: tuple[str, ...] = (), render: Callable[[str], Any] = drawn) -> Page:
    return Page(source(made, plots, render))


def full(**changes: Any) -> Analysis:
    """Three conditions, 1 is best and 0 cannot be told from it, 2 diverged once; every part is there."""
    replicates = [
        *(pages.replicate(0, seed, 0.50 + 0.01 * seed) for seed in range(3)),
        *(pages.replicate(1, seed, 0.40 + 0.01 * seed) for seed in range(3)),
        pages.replicate(2, 0, 0.1),
        pages.replicate(2, 1, NAN, outcome="diverged", reason="diverged at step 12: loss is inf"),
        pages.replicate(2, 2, NAN, outcome="diverged", reason="diverged at step 15: loss is inf"),
    ]
    search, fresh = pages.interval(0.41, 0.38, 0.44, 3), pages.interval(0.43, 0.42, 0.44, 10)
    given: dict[str, Any] = {
        "best": pages.best_set(1, 0),
        "comparisons": pages.family(1, pages.comparison(0, 1, 0.1, is_different=False, p_corrected=0.08)),
        "effects": pages.effects(),
        "detectable": pages.detectable(),
        "confirmed": (pages.confirmed(1, search, fresh),),
    }
    made = pages.analysis({0: [], 1: [], 2: []}, replicates=replicates, **{**given, **changes})
    made = pages.with_metrics(made, {"accuracy": {0: 0.8, 1: 0.9}})
    return pages.with_dataset(
        made,
        question="Question: which rate is best?\nExpected: the middle one,\n  or so.",
        design={"sampler": "grid"},
        provenance={"git commit": "abc123"},
        how_to_reproduce=("git checkout abc123", "mlflow run . -e sweep"),
        run_id="sweep-run",
    )

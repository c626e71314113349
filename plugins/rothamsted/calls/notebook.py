"""A result as a notebook shows it: the verdict, the chart of intervals, ten conditions, where to look."""

from __future__ import annotations

import sys
from contextlib import suppress
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

from rothamsted import tracking
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots import NotApplicable, render_svg
from rothamsted.reporting.verdicts import verdict_words

if TYPE_CHECKING:
    import pandas as pd

N_ROWS = 10
_LAST = (
    "verdict",
    "mean",
    "ci_low",
    "ci_high",
    "n",
    "confirmed_mean",
    "confirmed_low",
    "confirmed_high",
    "confirmed_n",
)


def html_of(analysis: Analysis, conditions: pd.DataFrame, *, tracking_uri: str) -> str:
    """The view of a result.

    Args:
        analysis: what is shown.
        conditions: its frame.
        tracking_uri: where its runs are; empty: nowhere that stays.
    """
    dataset = analysis.dataset
    lines = [f"<h4>{escape(dataset.name)}</h4>"]
    lines += [f"<p>{escape(mark)}</p>" for mark in analysis.marks]
    if words := verdict_words(analysis):
        lines.append(f"<p><b>{escape(words)}</b></p>")
    try:
        lines.append(f'<div style="max-width:50em">{render_svg("forest", analysis)}</div>')
    except NotApplicable as reason:
        lines.append(f"<p>{escape(str(reason))}</p>")
    shown = [*_factor_columns(conditions), *(name for name in _LAST if conditions[name].notna().to_numpy().any())]
    lines.append(conditions[shown].head(N_ROWS).to_html(index=False, float_format=lambda value: f"{value:.6g}"))
    if len(conditions) > N_ROWS:
        lines.append(f"<p>{N_ROWS} of {len(conditions)}; all are in <code>.conditions</code>.</p>")
    if dataset.run_id and tracking_uri:
        link = tracking.run_link(tracking_uri, dataset.experiment_id, dataset.run_id)
        lines.append(
            f'<p><a href="{escape(link)}">in MLflow</a>: <code>{escape(tracking.ui_command(tracking_uri))}</code>'
        )
        lines.append("; <code>.report()</code> writes the whole report.</p>")
    return "\n".join(lines)


def show_figures() -> None:
    """In a notebook, have figures shown that pyplot has not made: its backend says how once it is imported."""
    if "ipykernel" in sys.modules:
        with suppress(ImportError):  # a notebook that shows no figures by itself
            import_module("matplotlib_inline.backend_inline")


def _factor_columns(conditions: pd.DataFrame) -> list[str]:
    """The columns between label and rank."""
    columns = list(conditions.columns)
    return columns[2 : columns.index("rank")]

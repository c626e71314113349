"""Show a result in a notebook: the verdict, the chart of intervals, ten conditions, where to look, what is next.

`publish.console.show` prints none of this in a notebook.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

from rothamsted import tracking
from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.analysis.values import Analysis
from rothamsted.publish.console import models_text
from rothamsted.publish.description import confirmed_text, is_raced, luck_text, race_text
from rothamsted.reporting.next_steps import next_steps
from rothamsted.reporting.plots import NotApplicable, render_svg
from rothamsted.reporting.verdicts import verdict_words
from rothamsted.search import dashboard_command

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


def html_of(analysis: Analysis, conditions: pd.DataFrame, *, tracking_uri: str, storage: str = "") -> str:
    """Return the HTML of a result.

    Args:
        analysis: the analysis to show.
        conditions: its frame of conditions.
        tracking_uri: tracking store of its runs; empty: they are not kept.
        storage: storage of its search; empty: there is none.
    """
    dataset = analysis.dataset
    lines = [f"<h4>{escape(dataset.name)}</h4>"]
    lines += [f"<p>{escape(mark)}</p>" for mark in analysis.marks]
    lines += [f"<p>{escape(race_text(dataset))}</p>"] if is_raced(dataset) else []
    if words := verdict_words(analysis):
        lines.append(f"<p><b>{escape(words)}</b></p>")
    lines += [f"<p>{escape(line)}</p>" for line in _confirmed(analysis)]
    try:
        lines.append(f'<div style="max-width:50em">{render_svg("forest", analysis)}</div>')
    except NotApplicable as reason:
        lines.append(f"<p>{escape(str(reason))}</p>")
    said = [name for name in _LAST if conditions[name].notna().to_numpy().any()]
    if "confirmed_mean" not in said:  # its count is 0 everywhere
        said = [name for name in said if name != "confirmed_n"]
    shown = [*_factor_columns(conditions), *said]
    lines.append(conditions[shown].head(N_ROWS).to_html(index=False, float_format=lambda value: f"{value:.6g}"))
    if len(conditions) > N_ROWS:
        lines.append(f"<p>{N_ROWS} of {len(conditions)}; all are in <code>.conditions</code>.</p>")
    lines += [f"<p>{escape(words)}</p>" for words in (conditional_words(dataset), models_text(dataset)) if words]
    if dataset.run_id and tracking_uri:
        lines += [_where(dataset.experiment_id, dataset.run_id, tracking_uri, storage)]
        lines += [_step(step.words, step.lines) for step in next_steps(analysis) if step.lines]
    return "\n".join(lines)


def _confirmed(analysis: Analysis) -> list[str]:
    """The estimates to report, and how much of the search's was luck; without any, what its own are worth."""
    labels = {one.number: one.label for one in analysis.dataset.conditions}
    if not analysis.confirmed:
        is_sweep = analysis.dataset.kind == "sweep" and analysis.ranking
        return (
            [
                f"The search's own estimates: the best was chosen for looking best, so its {analysis.over_words} is "
                "optimistic."
            ]
            if is_sweep
            else []
        )
    return [
        f"Confirmed on fresh seeds: {labels[one.condition]}: {confirmed_text(one)}; luck in the search: "
        f"{luck_text(one.luck)}"
        for one in analysis.confirmed[:N_ROWS]
    ]


def _where(experiment_id: str, run_id: str, tracking_uri: str, storage: str) -> str:
    """Where the sweep is seen in MLflow and in optuna-dashboard."""
    links = {"result": tracking.run_link(tracking_uri, experiment_id, run_id)}
    if storage:  # of a sweep
        links["trials"] = tracking.sweep_link(tracking_uri, experiment_id, run_id)
    named = ", ".join(f'<a href="{escape(link)}">{name}</a>' for name, link in links.items())
    seen = f"<p>in MLflow: {named}, after <code>{escape(tracking.ui_command(tracking_uri))}</code>"
    seen += f"; search: <code>{escape(dashboard_command(storage))}</code>" if storage else ""
    return f"{seen}; <code>.report()</code> writes the whole report.</p>"


def _step(words: str, lines: Sequence[str]) -> str:
    """What to do next, to be pasted."""
    return f"<p>next: {escape(words)}</p><pre>{escape(chr(10).join(lines))}</pre>"


def show_figures() -> None:
    """Make a notebook show figures that pyplot has not made, by importing its backend."""
    if "ipykernel" in sys.modules:
        with suppress(ImportError):  # a notebook that shows no figures by itself
            import_module("matplotlib_inline.backend_inline")


def _factor_columns(conditions: pd.DataFrame) -> list[str]:
    """The columns between label and rank."""
    columns = list(conditions.columns)
    return columns[2 : columns.index("rank")]

"""Print the result of a sweep that ended or was stopped: best conditions, confirmed estimate, where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rothamsted import tracking
from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.analysis.typed import short
from rothamsted.analysis.values import Analysis, ConditionSummary, Confirmed, Dataset
from rothamsted.publish.description import confirmed_text, contest_rows, is_raced, luck_text, over_text, race_text
from rothamsted.publish.published import REPORT
from rothamsted.reporting.next_steps import NextStep
from rothamsted.reporting.tables.cells import mean_estimate
from rothamsted.reporting.verdicts import verdict_of, verdict_words
from rothamsted.search import dashboard_command
from rothamsted.wording import MISSING, SCALES, level_percent
from rothamsted.wording import number as written_number

MOST_SHOWN = 10  # conditions of a table; the CSV files have all


def show(
    analysis: Analysis,
    console: Console,
    *,
    left: str = "",
    tracking_uri: str,
    storage: str,
    is_kept: bool = True,
    is_given: bool = False,
) -> None:
    """Print what a sweep has found. In a notebook, where a call shows its own result, it is not printed.

    Args:
        analysis: Of the sweep or contest.
        console: Where to.
        left: What is still to do, in words; empty: nothing.
        tracking_uri: Where its runs are.
        storage: Database URL of its search.
        is_kept: Whether the databases stay.
        is_given: Whether a call returns the result.
    """
    if console.is_jupyter and is_given:
        if left:
            console.print(f"{left}: run the cell again to go on", soft_wrap=True)
        return
    dataset = analysis.dataset
    for mark in analysis.marks:
        _line(console, mark)
    if dataset.kind == "contest":
        console.print(_contest_table(analysis))
    elif analysis.ranking:
        if is_raced(dataset):
            _line(console, race_text(dataset))
        if analysis.pareto is not None:
            _line(console, f"{len(analysis.pareto.members)} of {len(dataset.conditions)} conditions on the Pareto set")
        console.print(best_table(analysis))
        if words := verdict_words(analysis):
            _line(console, words)
        if words := conditional_words(dataset):
            _line(console, words)
    elif "confirmation" in dataset.design and not left:
        console.print("so there is nothing to confirm")
    if analysis.confirmed:
        console.print(confirmed_table(analysis))
    if text := models_text(dataset):
        _line(console, text)
    if left:
        console.print(f"{left}: give the same command again to go on", soft_wrap=True)
    if dataset.kind == "sweep" and is_kept:
        _where(dataset, console, tracking_uri, storage)


def show_next(steps: Sequence[NextStep], console: Console) -> None:
    """Print what to do next: the same words and commands as the report has."""
    for step in steps:
        _line(console, f"next: {step.words}")
        for line in step.lines:
            _line(console, f"  {line}")


def best_table(analysis: Analysis) -> Table:
    """Make the table of best conditions, best first: mean, interval and n.

    With several objectives the Pareto set is first.
    """
    dataset, shown = analysis.dataset, analysis.ranking[:MOST_SHOWN]
    conditions = {one.number: one for one in dataset.conditions}
    names = list(dict.fromkeys(name for number in shown for name in conditions[number].values))
    which = "Conditions on the Pareto set first, by" if dataset.others else "Best conditions by"
    picked = "those on the set are" if dataset.others else "the first is"
    what = analysis.over_words
    table = Table(
        title=escape(f"{which} {what} {dataset.objective.metric} ({dataset.objective.direction})"),
        caption=f"the search's own estimates: {picked} chosen for looking best, so the {what} is optimistic",
    )
    of_further = [header for other in dataset.others for header in (f"mean {other.metric}", "interval", "n")]
    last = [
        *["verdict"] * (analysis.best is not None),
        *["Pareto set"] * (analysis.pareto is not None),
        *["race"] * is_raced(dataset),
    ]
    for header in ("trial", *names, what, _interval_header(analysis), "n", *of_further, *last):
        table.add_column(escape(header), justify="right")
    summaries = [{one.condition: one for one in of_one} for of_one in (analysis.objective, *analysis.others)]
    if any(of_one[number].n_missing for of_one in summaries for number in shown):
        table.caption = f"{table.caption}; seeds missing: the {what} adjusted for them, and that of its own values"
    for number in shown:
        row = [str(number), *(escape(short(conditions[number].values.get(name, ""))) for name in names)]
        row += [cell for of_one in summaries for cell in _cells(of_one[number])]
        row += [verdict_of(analysis, number)] if analysis.best is not None else []
        row += ["yes" if number in analysis.pareto.members else "no"] if analysis.pareto is not None else []
        table.add_row(*row, *[conditions[number].race] * is_raced(dataset))
    return table


def confirmed_table(analysis: Analysis) -> Table:
    """Make the table of confirmed conditions: what the search thought, what fresh seeds say, what luck was worth."""
    labels = {one.number: one.label for one in analysis.dataset.conditions}
    table = Table(
        title=escape(f"Confirmed {over_text(analysis)}{analysis.dataset.objective.metric}: the estimate to report"),
        caption=f"on seeds that the search did not use; luck: how much better the search's {analysis.over_words} was, "
        "with the interval of the difference",
    )
    table.add_column("trial", justify="right")
    table.add_column("condition")
    for header in ("search", "n", "confirmed", _interval_header(analysis), "n", "luck"):
        table.add_column(escape(header), justify="right")
    for one in analysis.confirmed[:MOST_SHOWN]:
        searched = _cells(one.searched) if one.searched is not None else ("", "", "")
        table.add_row(
            str(one.condition),
            escape(labels[one.condition]),
            searched[0],
            searched[2],
            *_confirmed_cells(one),
            luck_text(one.luck),
        )
    return table


def models_text(dataset: Dataset) -> str:
    """Say how many models were logged, and why others were not; empty if there is nothing to say."""
    n_logged = sum(bool(one.model) for one in dataset.replicates)
    problems = Counter(one.model_problem for one in dataset.replicates if one.model_problem)
    parts = [f"{n_logged} logged"] if n_logged else []
    parts += [f"{n} not: {problem}" for problem, n in problems.most_common()]
    return f"models: {'; '.join(parts)}" if parts else ""


def _contest_table(analysis: Analysis) -> Table:
    """The contestants' estimates: nobody was picked."""
    metric = analysis.dataset.objective.metric
    table = Table(title=escape(f"Contest {analysis.dataset.name}: {metric} on common seeds"))
    for header in ("contestant", "condition", metric, "replicates"):
        table.add_column(escape(header))
    for row in contest_rows(analysis):
        table.add_row(*map(escape, row))
    return table


def _confirmed_cells(one: Confirmed) -> tuple[str, str, str]:
    if one.mean is None or one.summary is None:
        return confirmed_text(one), "", ""
    return _cells(one.summary)


def _cells(summary: ConditionSummary) -> tuple[str, str, str]:
    written, _ = mean_estimate(summary)
    bounds = f"none (n = {summary.n})" if written.interval == MISSING else written.interval
    if not summary.n_missing:
        return written.value, bounds, str(summary.n)
    return (
        f"{written_number(summary.adjusted)} (own {written.value})",
        bounds,
        f"{summary.n}, lacks {summary.n_missing}",
    )


def _interval_header(analysis: Analysis) -> str:
    kinds = {one.interval.method for one in analysis.objective if one.interval} or {analysis.interval}
    return f"{level_percent(analysis.level)} interval ({' or '.join(sorted(SCALES.get(one, one) for one in kinds))})"


def say_where(tracking_uri: str, experiment_id: str, run_id: str, console: Console) -> None:
    """Print the link to the trials of a sweep, which works from its start on."""
    _line(console, f"    its trials, best first: {tracking.sweep_link(tracking_uri, experiment_id, run_id)}")


def _where(dataset: Dataset, console: Console, tracking_uri: str, storage: str) -> None:
    _line(console, "see this sweep in MLflow and in optuna-dashboard:")
    _line(console, f"  {tracking.ui_command(tracking_uri)}    # then one of these two")
    say_where(tracking_uri, dataset.experiment_id, dataset.run_id, console)
    _line(console, f"    its result: {tracking.run_link(tracking_uri, dataset.experiment_id, dataset.run_id)}")
    _line(console, f"  {dashboard_command(storage)}    # study {dataset.name}")


def show_report(steps: Sequence[NextStep], name: str, console: Console) -> None:
    """Say what to do next, and where the report of a sweep of this name is."""
    if not console.is_jupyter:
        show_next(steps, console)
        as_file = f"as a file: rothamsted report {name} folder=reports"
        _line(console, f"report: artifact {REPORT} of the sweep's run; {as_file}")


def sayer(console: Console) -> Callable[[str], None]:
    """Return a function that prints a line as it is; an empty line is left out."""
    return lambda line: _line(console, line) if line else None


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)

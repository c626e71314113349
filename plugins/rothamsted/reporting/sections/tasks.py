"""Show conditions over tasks: what a number means, the aggregates, each task, the ranks."""

from __future__ import annotations

import math

from rothamsted.analysis.task_values import TaskCell, Tasks
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.parts import Cell, DataTable, Part, Row, columns, numeric, paragraphs, text
from rothamsted.statistics.tasks import OverTasks
from rothamsted.wording import MISSING, count, estimate, joined, level_percent, number, p_value

MOST_TASKS = 12  # columns of the table of tasks; the CSV file has all


def tasks_section(analysis: Analysis) -> tuple[Part, ...]:
    """Return the tables of tasks; nothing if nothing is compared over tasks."""
    found = analysis.tasks
    if found is None:
        return ()
    parts: list[Part] = list(paragraphs(*task_words(analysis)))
    if found.aggregates:
        parts.append(_aggregates(analysis, found))
    parts.append(_each_task(analysis, found))
    return tuple(parts)


def task_words(analysis: Analysis) -> tuple[str, ...]:
    """Say in sentences what represents each task, and what the ranks show; nothing without tasks."""
    found = analysis.tasks
    if found is None:
        return ()
    labels = {one.number: one.label for one in analysis.dataset.conditions}
    winners: dict[int, list[str]] = {}
    for task, best in found.best_of_each.items():
        winners.setdefault(best, []).append(task)
    each = joined(f"{labels[n]} (condition {n}) on {joined(tasks)}" for n, tasks in winners.items())
    return tuple(one for one in (f"The best mean of each task: {each}." if each else "", rank_words(found)) if one)


def rank_words(found: Tasks) -> str:
    """Say the result of Friedman's test, and how far mean ranks must differ; empty without ranks."""
    ranks = found.ranks
    if ranks is None or not math.isfinite(ranks.p_value):
        return ""
    differ = "differ" if ranks.p_value <= 1 - ranks.level else "are not shown to differ"
    k = len(found.compared)
    words = (
        f"By their ranks on {count(ranks.n, 'task')} the conditions {differ} (Friedman's test, {p_value(ranks.p_value)}"
        f"{'; ' + ranks.note if ranks.note else ''}); two of them differ if their mean ranks are "
        f"{number(ranks.critical_difference, 3)} or more apart (Nemenyi's test of all pairs, "
        f"{level_percent(ranks.level)})"
    )
    return (
        f"{words}; mean ranks of {k} conditions are never so far apart."
        if ranks.critical_difference > k - 1
        else f"{words}."
    )


def _aggregates(analysis: Analysis, found: Tasks) -> DataTable:
    labels = {one.number: one.label for one in analysis.dataset.conditions}
    against = {one.second: one.probability for one in found.improvements}
    first = found.aggregates[0].condition
    rows = [
        Row(
            cells=(
                numeric(str(one.condition), one.condition),
                text(labels[one.condition]),
                numeric(_over(one.mean).text.partition(" [")[0], one.mean.estimate),
                _over(one.iqm),
                numeric(number(one.mean_rank, 3), one.mean_rank),
                _over(against[one.condition]) if one.condition in against else text(""),
            ),
            mark="best" if one.condition == first else "",
        )
        for one in found.aggregates
    ]
    titles = ("", "Condition", "Mean", "Interquartile mean", "Mean rank", f"P({first} beats it)")
    return DataTable(
        caption=f"Scores over {count(len(found.scored), 'task')}, best mean first, with "
        f"{level_percent(analysis.level)} intervals: replicates drawn again within each task.",
        columns=columns(*titles, numeric_from=2),
        rows=tuple(rows),
        notes=(
            "These intervals are for other replicates on the same tasks, not for other tasks. The verdicts and the "
            "intervals of means are those of the table of results, by the mean of each seed over tasks.",
            "The interquartile mean is that of the middle half of all replicates: bad replicates and easy tasks "
            "weigh less.",
        ),
    )


def _each_task(analysis: Analysis, found: Tasks) -> DataTable:
    labels = {one.number: one.label for one in analysis.dataset.conditions}
    place = {number: i for i, number in enumerate(analysis.ranking)}
    shown = found.tasks[:MOST_TASKS]
    by_condition: dict[int, dict[str, TaskCell]] = {}
    for one in found.cells:
        by_condition.setdefault(one.condition, {})[one.task] = one
    order = sorted(by_condition, key=lambda n: (place.get(n, len(place)), n))
    rows = [
        Row(
            cells=(
                numeric(str(n), n),
                text(labels[n]),
                *(_cell(by_condition[n][task], is_best=found.best_of_each.get(task) == n) for task in shown),
            )
        )
        for n in order
    ]
    metric = analysis.dataset.cells.objective.metric if analysis.dataset.cells else ""
    more = f" The first {len(shown)} of {len(found.tasks)} tasks." if len(shown) < len(found.tasks) else ""
    return DataTable(
        caption=f"Mean {metric} on each task; a task's best mean is marked *.{more}",
        columns=columns("", "Condition", *shown, numeric_from=2),
        rows=tuple(rows),
    )


def _cell(one: TaskCell, *, is_best: bool) -> Cell:
    if not one.n:
        ended = joined(f"{n} {name}" for name, n in one.outcomes.items())
        return Cell(text=f"{MISSING} ({ended})" if ended else MISSING)
    diverged = one.outcomes.get("diverged", 0)
    odd = f", {diverged} diverged" if diverged else ""
    written = estimate(one.mean, one.low, one.high)
    hint = f"{written.interval}, n = {one.n}"
    return numeric(f"{written.value}{odd}{' *' if is_best else ''}", one.mean, hint)


def _over(one: OverTasks) -> Cell:
    return numeric(str(estimate(one.estimate, one.low, one.high)), one.estimate)

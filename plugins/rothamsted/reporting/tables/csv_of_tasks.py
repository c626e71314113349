"""Make the CSV tables of conditions that are compared over tasks: every digit, and no formatting."""

from __future__ import annotations

from itertools import combinations

from rothamsted.analysis.task_values import Tasks
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.tables.csv_tables import Table, labels_by_number


def task_tables(analysis: Analysis) -> list[Table]:
    """Return the tables of tasks; none if nothing is compared over tasks."""
    found = analysis.tasks
    if found is None:
        return []
    labels = labels_by_number(analysis)
    return [
        _cells(found, labels),
        _aggregates(found, labels),
        _improvements(found, labels),
        _ranks(found, labels),
        _profiles(found, labels),
    ]


def _cells(found: Tasks, labels: dict[int, str]) -> Table:
    """One row for each condition on each task, in units of the objective and on the task's scale."""
    outcomes = list(dict.fromkeys(["finished", *(name for one in found.cells for name in sorted(one.outcomes))]))
    columns = (
        "condition",
        "label",
        "task",
        *(f"n_{name}" for name in outcomes),
        "n",
        "mean",
        "sd",
        "ci_low",
        "ci_high",
    )
    rows = [
        (
            *(one.condition, labels.get(one.condition), one.task),
            *(one.outcomes.get(name, 0) for name in outcomes),
            *(one.n, one.mean, one.sd, one.low, one.high, one.score, one.rank),
            found.best_of_each.get(one.task) == one.condition,
            *found.ends.get(one.task, (None, None)),
        )
        for one in found.cells
    ]
    last = ("score", "rank", "is_best_of_task", "scale_low", "scale_high")
    return Table(name="tasks", columns=(*columns, *last), rows=tuple(rows))


def _aggregates(found: Tasks, labels: dict[int, str]) -> Table:
    """One row a condition: mean and interquartile mean of its scores over tasks, and its mean rank."""
    rows = tuple(
        (
            *(one.condition, labels.get(one.condition), len(found.scored)),
            *(one.mean.estimate, one.mean.low, one.mean.high),
            *(one.iqm.estimate, one.iqm.low, one.iqm.high),
            *(one.mean.level, one.mean_rank),
        )
        for one in found.aggregates
    )
    of_each = (f"{name}{end}" for name in ("mean", "iqm") for end in ("", "_ci_low", "_ci_high"))
    columns = ("condition", "label", "n_tasks", *of_each, "level", "mean_rank")
    return Table(name="task_aggregates", columns=columns, rows=rows)


def _improvements(found: Tasks, labels: dict[int, str]) -> Table:
    """One row for each condition that the best one is compared with."""
    rows = tuple(
        (
            *(one.first, labels.get(one.first), one.second, labels.get(one.second)),
            *(one.probability.estimate, one.probability.low, one.probability.high, one.probability.level),
        )
        for one in found.improvements
    )
    columns = ("condition", "label", "other", "other_label", "probability", "ci_low", "ci_high", "level")
    return Table(name="task_improvement", columns=columns, rows=rows)


def _ranks(found: Tasks, labels: dict[int, str]) -> Table:
    """One row for each pair of conditions: Nemenyi's test, beside Friedman's of all together."""
    columns = (
        *("condition", "label", "other", "other_label", "mean_rank", "other_mean_rank", "p_value"),
        *("critical_difference", "level", "n_tasks", "friedman", "friedman_f", "friedman_p_value", "note"),
    )
    ranks = found.ranks
    if ranks is None:
        return Table(name="task_ranks", columns=columns, rows=())
    rows = tuple(
        (
            *(found.compared[i], labels.get(found.compared[i]), found.compared[j], labels.get(found.compared[j])),
            *(ranks.mean_ranks[i], ranks.mean_ranks[j], float(ranks.pair_p_values[i, j])),
            *(ranks.critical_difference, ranks.level, ranks.n),
            *(ranks.statistic, ranks.f_statistic, ranks.p_value, ranks.note),
        )
        for i, j in combinations(range(len(found.compared)), 2)
    )
    return Table(name="task_ranks", columns=columns, rows=rows)


def _profiles(found: Tasks, labels: dict[int, str]) -> Table:
    """One row for each condition and threshold: the share of its runs that are better."""
    rows = tuple(
        (number, labels.get(number), float(at), float(share), float(low), float(high))
        for number, one in found.profiles.items()
        for at, share, low, high in zip(one.thresholds, one.share, one.low, one.high, strict=True)
    )
    columns = ("condition", "label", "threshold", "share_better", "ci_low", "ci_high")
    return Table(name="task_profiles", columns=columns, rows=rows)

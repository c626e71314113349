"""What a duel leaves on its run and on the terminal: each contestant's estimate, and nothing of who is better.

Apart from the duel, which the coordinator does not know, and from what a search leaves, whose best condition was
picked: here nobody was, so an estimate is what it seems.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rothamsted import tags
from rothamsted.sweep import results as res
from rothamsted.sweep.finish import Found
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.trial_summary import describe_estimate


def write_duel(found: Found, context: SweepContext) -> None:
    """Tables and description of the duel's run, and the note that optuna-dashboard shows."""
    recorder, run_id, names = context.recorder, context.sweep_run_id, list(context.sweep.search_space.domains)
    conditions = res.conditions_csv(found.results, names, direction=context.sweep.objective.direction)
    recorder.log_text(run_id, conditions, "statistics/conditions.csv")
    recorder.log_text(run_id, res.replicates_csv(found.results, names), "statistics/replicates.csv")
    objective = context.sweep.objective
    text = "\n".join(
        [
            f"## Duel {context.sweep.name}",
            "",
            f"Given conditions on common seeds; {objective.metric}, to {objective.direction}.",
            "",
            f"| contestant | condition | {objective.metric} | replicates |",
            "|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in _rows(found, context)),
            "",
        ]
    )
    recorder.set_description(run_id, text)
    context.queue.describe(metric=[one.metric for one in context.sweep.objectives], note=text)


def print_duel(found: Found, context: SweepContext, *, console: Console, left: str) -> None:
    """The contestants' estimates, what became of their models, and what is left to do."""
    objective = context.sweep.objective
    table = Table(title=escape(f"Duel {context.sweep.name}: {objective.metric} on common seeds"))
    for header in ("contestant", "condition", objective.metric, "replicates"):
        table.add_column(escape(header))
    for row in _rows(found, context):
        table.add_row(*map(escape, row))
    console.print(table)
    if found.models:
        console.print(found.models, highlight=False, soft_wrap=True, markup=False)
    if left:
        console.print(f"{left}: give the same command again to go on", soft_wrap=True)


def _rows(found: Found, context: SweepContext) -> list[tuple[str, str, str, str]]:
    labels = context.queue.attribute(tags.DUEL)["labels"]
    return [
        (
            labels[result.number],
            ", ".join(f"{key}={res.short(value)}" for key, value in result.condition.items()),
            describe_estimate(result.summary, context.sweep.statistics.level),
            ", ".join(f"{n} {outcome}" for outcome, n in sorted(result.outcomes.items())),
        )
        for result in found.results
    ]

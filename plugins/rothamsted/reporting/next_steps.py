"""Say what to do after a sweep, as commands that can be pasted: one place for the report and the terminal.

What is said follows from the verdicts alone: a sweep that has not ended is ended, a best condition is confirmed on
fresh seeds, what is open gets the seeds that decide it, and what is decided is promoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from rothamsted.analysis.commands import fetch_line, is_entry_point, name_beside, resolved_path, run_line
from rothamsted.analysis.values import Analysis, Best
from rothamsted.statistics.best_power import MOST_SEEDS
from rothamsted.wording import count, duration, number

MOST_CONFIRMED = 5  # conditions that are proposed for a confirmation
FRESH_SEEDS = 10
MOST_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """One thing to do: why, and the lines to paste; without lines where no command does it."""

    words: str
    lines: tuple[str, ...] = ()


def next_steps(analysis: Analysis) -> tuple[NextStep, ...]:
    """What to do next, the most useful first, two at most; nothing where nothing is left to do."""
    dataset = analysis.dataset
    if dataset.kind == "contest":
        return ()
    if not dataset.is_complete and dataset.kind == "sweep":
        return (_go_on(analysis),) if dataset.run_id else ()
    if not analysis.ranking:
        return (NextStep(words="Read below why no condition has a score, repair that, and run the sweep again."),)
    steps = (_confirm(analysis), _more_seeds(analysis), _promote(analysis))
    return tuple(step for step in steps if step is not None)[:MOST_STEPS]


def _go_on(analysis: Analysis) -> NextStep:
    dataset = analysis.dataset
    same = {"config": resolved_path(dataset.name)}
    return NextStep(
        words="The sweep has not ended. Go on with it:",
        lines=(
            fetch_line(dataset.name, dataset.run_id),
            run_line("sweep", same, is_in_project=_is_in_project(analysis)),
        ),
    )


def _confirm(analysis: Analysis) -> NextStep | None:
    """The same sweep with a confirmation, where it has none."""
    dataset = analysis.dataset
    if not _can_go_on(analysis) or analysis.confirmed or "confirmation" in dataset.design or _is_staged(analysis):
        return None
    if dataset.task is not None:  # no one run is the best over tasks
        return None
    n_kept = min(len(analysis.best.members) if analysis.best else 1, MOST_CONFIRMED)
    which = "the best condition" if n_kept == 1 else f"the {n_kept} best conditions"
    changes = {"confirm.keep": str(n_kept), "confirm.replicates": str(FRESH_SEEDS)}
    cost = _cost(analysis, n_kept * FRESH_SEEDS)
    return NextStep(
        words=f"Confirm {which}: train again on {FRESH_SEEDS} fresh seeds, for an estimate that the choice has no part "
        f"in ({cost}).",
        lines=_changed(analysis, changes),
    )


def _more_seeds(analysis: Analysis) -> NextStep | None:
    """What decides the open verdicts: a sweep with more seeds, or the plan for a difference that matters."""
    best = analysis.best
    if best is None or not best.more_seeds or any(one.race for one in analysis.dataset.conditions):
        return None
    known = [n for n in best.more_seeds.values() if n is not None]
    if not known:
        return _too_many(analysis, best)
    n_seeds, n_conditions = max(known), len(analysis.dataset.conditions)
    n_open = len(best.having("open"))
    which = "what is open" if len(known) == n_open else f"{len(known)} of the {n_open} open conditions"
    now = max(one.n for one in best.verdicts.values())
    words = f"About {count(n_seeds, 'seed')} a condition would decide {which} (now {now})"
    if not _can_go_on(analysis) or _is_staged(analysis):
        return NextStep(words=f"{words}.")
    seeds = {"name": name_beside(analysis.dataset.name, f"{n_seeds}-seeds"), "replicates.count": str(n_seeds)}
    if crossed := analysis.dataset.crossed:  # all combinations of so many would be many trainings for as few values
        seeds["replicates.vary"] = f"[{', '.join(crossed)}]"
    free = {"replicates.seeds": "null"} | ({"confirm.seeds": "null"} if _has_confirmation(analysis) else {})
    cost = _cost(analysis, n_seeds * n_conditions)
    return NextStep(words=f"{words}: {cost}.", lines=_changed(analysis, {**seeds, **free}))


def _too_many(analysis: Analysis, best: Best) -> NextStep:
    """No number of seeds that can be tried decides what is open: ask how large a loss matters."""
    words = f"To tell the open conditions from the best would take more than {MOST_SEEDS} seeds. Use any of them"
    seen = analysis.detectable
    if seen is None or analysis.dataset.kind != "sweep" or analysis.dataset.crossed:  # of crossed there is no plan
        return NextStep(words=f"{words}.")
    loss = number(seen.difference / 2, 2)
    asked = {"sweep": analysis.dataset.name, "difference": loss}
    return NextStep(
        words=f"{words}, or ask how many seeds show a loss of half of what this sweep could show ({loss}):",
        lines=(run_line("power", asked, is_in_project=_is_in_project(analysis)),),
    )


def _promote(analysis: Analysis) -> NextStep | None:
    """Judge the confirmed winner for the registry, where it has a model and was not judged."""
    dataset, winner = analysis.dataset, analysis.ranking[0]
    if dataset.objective.over != "mean" or not _is_in_project(analysis):  # policies compare means, and lie in a project
        return None
    if dataset.promotions or not any(one.condition == winner and one.mean is not None for one in analysis.confirmed):
        return None
    if not any(one.model and one.phase == "confirm" and one.condition == winner for one in dataset.replicates):
        return None
    return NextStep(
        words="Judge the confirmed condition against the model in use, and register it if it is better:",
        lines=(run_line("promote", {"sweep": dataset.name}),),
    )


def _changed(analysis: Analysis, changes: dict[str, str]) -> tuple[str, ...]:
    """The sweep's own file with changes."""
    dataset = analysis.dataset
    given = {"config": resolved_path(dataset.name), **changes}
    return fetch_line(dataset.name, dataset.run_id), run_line("sweep", given, is_in_project=_is_in_project(analysis))


def _cost(analysis: Analysis, n: int) -> str:
    """How many replicates that is, of each task where there are several, and how long they take one after another."""
    dataset = analysis.dataset
    if dataset.task is not None and dataset.cells is not None:
        n *= len({one.values[dataset.task.factor] for one in dataset.cells.conditions})
        dataset = dataset.cells
    known = [one.seconds for one in dataset.replicates if one.seconds == one.seconds]
    time = f", {duration(n * median(known))} of training" if known else ""
    return f"{count(n, 'replicate')}{time}"


def _can_go_on(analysis: Analysis) -> bool:
    return analysis.dataset.kind == "sweep" and bool(analysis.dataset.run_id)


def _has_confirmation(analysis: Analysis) -> bool:
    return "confirmation" in analysis.dataset.design or bool(analysis.confirmed)


def _is_staged(analysis: Analysis) -> bool:
    """A stage is not started alone: its seeds and conditions come from the stage before."""
    return "stages" in analysis.dataset.design or "stages" in analysis.dataset.looked_by


def _is_in_project(analysis: Analysis) -> bool:
    design = analysis.dataset.design
    return not {"project", "command"} & design.keys() and is_entry_point(str(design.get("study", "")))

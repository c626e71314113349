"""Say what to do after a sweep, as commands or calls that can be pasted, for the report and the terminal.

It follows from the verdicts: finish a sweep that has not ended, confirm the best condition on fresh seeds, add the
seeds that decide what is open, promote what is decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from rothamsted.analysis.commands import (
    call_line,
    fetch_line,
    is_entry_point,
    name_beside,
    project_of,
    resolved_path,
    run_line,
)
from rothamsted.analysis.values import Analysis
from rothamsted.statistics.best_power import MOST_SEEDS
from rothamsted.tags import BY_CALL
from rothamsted.wording import count, duration, number

MOST_CONFIRMED = 5  # conditions that are proposed for a confirmation
FRESH_SEEDS = 10
MOST_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """Holds one thing to do: why, and the lines to paste, if there is a command for it."""

    words: str
    lines: tuple[str, ...] = ()


def next_steps(analysis: Analysis) -> tuple[NextStep, ...]:
    """Return what to do next, the most useful first, two at most; nothing if nothing is left to do."""
    dataset = analysis.dataset
    if dataset.kind == "contest":
        return ()
    if not dataset.is_complete and dataset.kind == "sweep":
        return (_go_on(analysis),) if dataset.run_id else ()
    if not analysis.ranking:
        return (NextStep(words="Read below why no condition has a score, repair that, and run the sweep again."),)
    steps = (_confirm(analysis), _more_seeds(analysis), _promote(analysis))
    useful = sorted((step for step in steps if step is not None), key=lambda step: not step.lines)  # what can be pasted
    return tuple(useful[:MOST_STEPS])


def _go_on(analysis: Analysis) -> NextStep:
    return NextStep(words="The sweep has not ended. Go on with it:", lines=_changed(analysis, {}))


def _confirm(analysis: Analysis) -> NextStep | None:
    """The same sweep with a confirmation, where it has none."""
    dataset = analysis.dataset
    if not _can_go_on(analysis) or analysis.confirmed or "confirmation" in dataset.design or _is_staged(analysis):
        return None
    if dataset.task is not None:  # no one run is the best over tasks
        return None
    n_kept = min(len(analysis.best.members) if analysis.best else 1, MOST_CONFIRMED)
    which = "the best condition" if n_kept == 1 else f"the {n_kept} best conditions"
    changes = {"confirm.keep": n_kept, "confirm.replicates": FRESH_SEEDS}
    cost = _cost(analysis, n_kept * FRESH_SEEDS)
    return NextStep(
        words=f"Confirm {which}: train again on {FRESH_SEEDS} fresh seeds ({cost}). The winner was not chosen by these "
        "seeds, so the new mean is not optimistic.",
        lines=_changed(analysis, changes),
    )


def _more_seeds(analysis: Analysis) -> NextStep | None:
    """What decides the open verdicts: a sweep with more seeds, or the plan for a difference that matters."""
    best = analysis.best
    if best is None or not best.more_seeds or any(one.race for one in analysis.dataset.conditions):
        return None
    known = [n for n in best.more_seeds.values() if n is not None]
    if not known:
        return _too_many(analysis)
    n_seeds, n_conditions = max(known), len(analysis.dataset.conditions)
    n_open = len(best.having("open"))
    which = "what is open" if len(known) == n_open else f"{len(known)} of the {n_open} open conditions"
    now = max(one.n for one in best.verdicts.values())
    words = f"About {count(n_seeds, 'seed')} a condition would decide {which} (now {now})"
    if not _can_go_on(analysis) or _is_staged(analysis):
        return NextStep(words=f"{words}.")
    if crossed := analysis.dataset.crossed:  # all combinations of so many would be many trainings for as few values
        name = name_beside(analysis.dataset.name, f"{n_seeds}-seeds")
        seeds = {"name": name, "replicates.count": n_seeds, "replicates.vary": list(crossed), "replicates.seeds": None}
        seeds |= {"confirm.seeds": None} if _has_confirmation(analysis) else {}
        return NextStep(words=f"{words}: {_cost(analysis, n_seeds * n_conditions)}.", lines=_changed(analysis, seeds))
    more = f"{words}: {_cost(analysis, (n_seeds - now) * n_conditions)} more, in the same sweep."
    return NextStep(words=more, lines=_changed(analysis, _grown(analysis, n_seeds)))


def _grown(analysis: Analysis, n_seeds: int) -> dict[str, Any]:
    """The keys by which a sweep grows to so many seeds: its own first, then others than those of its confirmation."""
    of_phase = {
        phase: sorted({int(one.seed) for one in analysis.dataset.replicates if one.phase == phase})
        for phase in ("search", "confirm")
    }
    own, fresh = of_phase["search"], of_phase["confirm"]
    first = max([*own, *fresh]) + 1
    seeds = [*own, *range(first, first + n_seeds - len(own))]
    if not fresh and seeds == list(range(n_seeds)):
        return {"replicates.count": n_seeds, "replicates.seeds": None}
    kept = {"confirm.seeds": fresh} if fresh else {}
    return {"replicates.count": n_seeds, "replicates.seeds": seeds, **kept}


def _too_many(analysis: Analysis) -> NextStep:
    """No number of seeds that can be tried decides what is open: ask how large a loss matters."""
    words = f"To tell the open conditions from the best would take more than {MOST_SEEDS} seeds. Use any of them"
    seen = analysis.detectable
    if seen is None or analysis.dataset.kind != "sweep" or analysis.dataset.crossed:  # of crossed there is no plan
        return NextStep(words=f"{words}.")
    loss = number(seen.difference / 2, 2)
    asked = {"sweep": analysis.dataset.name, "difference": loss}
    return NextStep(
        words=f"{words}, or ask how many seeds show a loss of half of what this sweep could show ({loss}):",
        lines=(run_line("power", asked, is_in_project=_is_in_project(analysis), project=_project(analysis)),),
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
        lines=(run_line("promote", {"sweep": dataset.name}, project=_project(analysis)),),
    )


def _changed(analysis: Analysis, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """The sweep's own file with changes; the call with them where a call started it."""
    dataset = analysis.dataset
    if dataset.started == BY_CALL:
        return (call_line(dataset.name, dataset.design.get("study", ""), changes),)
    given = {"config": resolved_path(dataset.name)}
    given |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}
    where = {"is_in_project": _is_in_project(analysis), "project": _project(analysis)}
    return fetch_line(dataset.name, dataset.run_id), run_line("sweep", given, **where)


def _project(analysis: Analysis) -> str:
    """What `mlflow run` is given."""
    return project_of(analysis.dataset.started, analysis.dataset.provenance.get("git commit", ""))


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

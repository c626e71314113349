"""Compare the number of each replicate in its curve, its run and the search, and a trial's means with its replicates.

If two of the three agree, they are right. Metrics other than the objectives are recorded once: only training again can
check them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import number_of, objective_key
from rothamsted.errors import StudyError
from rothamsted.inventory.care.checks import AGAIN, told_replicates
from rothamsted.inventory.care.damage import Change, Damage, MetricChange, SearchChange
from rothamsted.inventory.care.units import Unit
from rothamsted.records import Outcome
from rothamsted.search.sql.care import is_equal
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.spec import Sweep
from rothamsted.tracking import Curve
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.sql.care import RunFacts

Curves = Mapping[str, Mapping[str, Curve]]  # run -> metric -> curve
_HUGE = 1e300  # MLflow stores the largest float in the place of infinity


def curves_wanted(unit: Unit, record: RecordFacts) -> tuple[list[str], list[str]]:
    """Return ids of runs and names of metrics of which the curves are compared."""
    if unit.sweep is None:
        return [], []
    runs = [str(one["run_id"]) for _, _, one in told_replicates(unit) if one["outcome"] == Outcome.FINISHED]
    runs += [str(trial.attributes.get(tags.RUN_ID, "")) for trial in unit.trials]
    runs += [str(one["run_id"]) for one in unit.confirmed.values()]
    metrics = [one.metric for one in unit.sweep.objectives]
    names = [name for metric in metrics for name in (metric, f"{metric}/mean", f"{metric}/n")]
    return [one for one in dict.fromkeys(runs) if record.is_active(one)], names


def check_curves(unit: Unit, record: RecordFacts, curves: Curves) -> Iterator[Damage]:
    """Compare the numbers of replicates, and the means over them.

    Args:
        unit: a sweep that nobody works on.
        record: of the tracking store.
        curves: of `curves_wanted`; empty where they were not read.
    """
    sweep = unit.sweep
    if sweep is None:
        return
    for phase, trial, told in told_replicates(unit):
        run = record.runs.get(str(told["run_id"]))
        has_score = told["outcome"] == Outcome.FINISHED and told["objective"] is not None
        if has_score and run is not None and not run.is_deleted:
            yield from _scores(unit, sweep, phase, trial, told, run, curves.get(run.run_id, {}))
    for what, run_id, replicates in () if sweep.replicates.crossed else _trial_runs(unit):  # theirs are other means
        if run_id in curves and all(map(record.is_active, (run_id, *replicates))):
            yield from _means(unit, sweep, what, run_id, replicates, curves)


def _scores(
    unit: Unit,
    sweep: Sweep,
    phase: str,
    trial: int,
    told: Mapping[str, Any],
    run: RunFacts,
    curves: Mapping[str, Curve],
) -> Iterator[Damage]:
    """A replicate's number of each objective, by three witnesses."""
    values = (told["objective"], *told.get("others", ()))
    for index, (objective, of_search) in enumerate(zip(sweep.objectives, values)):
        key = objective_key(index, objective.metric)
        of_run, curve = run.metrics.get(key), curves.get(objective.metric)
        of_curve = None if curve is None or objective.artifact is not None else _number(curve, sweep, index)
        if of_run is not None and is_equal(of_run, of_search) and (of_curve is None or is_equal(of_curve, of_search)):
            continue
        is_search_right = of_curve is not None and is_equal(of_curve, of_search)
        is_search_wrong = of_curve is not None and of_run is not None and is_equal(of_curve, of_run)
        changes: list[Change] = []
        if is_search_right and curve is not None:
            step, at_ms = int(curve.steps[-1]), int(curve.times_ms[-1])
            changes = [MetricChange(run_id=run.run_id, key=key, value=of_search, step=step, timestamp_ms=at_ms)]
        elif is_search_wrong:
            changes = _again(unit, phase, trial, told)
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=f"trial {trial}, replicate {told['replicate']}, run {run.run_id}",
            why=f"{key}: {_shown(of_search)} in the search, {_shown(of_run)} on the run, "
            f"{_shown(of_curve)} by its curve",
            repair=""
            if not changes
            else "the run gets what the search and its curve say"
            if is_search_right
            else AGAIN,
            way_out="" if changes else f"rothamsted reproduce {run.run_id} says which is right",
            changes=changes,
        )


def _means(
    unit: Unit,
    sweep: Sweep,
    what: str,
    run_id: str,
    replicates: Sequence[str],
    curves: Curves,
) -> Iterator[Damage]:
    """The mean and the number of replicates at each step of an objective's metric."""
    for metric in dict.fromkeys(one.metric for one in sweep.objectives):
        means, counts = (curves[run_id].get(f"{metric}/{name}") for name in ("mean", "n"))
        of_each = [_points(curves[one][metric]) for one in replicates if metric in curves.get(one, {})]
        if means is None or counts is None or not of_each:
            continue
        recorded = {step: (value, n) for (step, value), n in zip(_points(means).items(), counts.values.tolist())}
        steps = sorted({step for one in of_each for step in one})
        wrong = []
        for step in steps:
            there = [one[step] for one in of_each if step in one and abs(one[step]) < _HUGE]
            mean, n = recorded.pop(step, (math.nan, 0.0))
            if there and not (n == len(there) and is_equal(mean, math.fsum(there) / len(there))):
                wrong.append(step)
        wrong += list(recorded)
        if wrong:
            yield Damage(
                kind="different result",
                sweep=unit.name,
                what=f"{what}, run {run_id}",
                why=f"{metric}/mean at {len(wrong)} of {len(steps)} steps, first at {min(wrong)}, is not that of its "
                "replicates",
                way_out=f"rothamsted reproduce {run_id} says which replicate is not as it was",
            )


def _trial_runs(unit: Unit) -> Iterator[tuple[str, str, list[str]]]:
    """Each run with means over replicates: what it is, its id, the runs of its finished replicates."""
    for trial in unit.trials:
        own = str(trial.attributes.get(tags.RUN_ID, ""))
        runs = [str(one["run_id"]) for one in trial.replicates if one["outcome"] == Outcome.FINISHED]
        is_pruned = bool(trial.attributes.get(tags.RESULT, {}).get("pruned"))
        if trial.is_over and own and own not in runs and not is_pruned and REPEAT_OF not in trial.attributes:
            yield f"trial {trial.number}", own, runs
    for number, result in unit.confirmed.items():
        runs = [str(one["run_id"]) for one in result.get("replicates", ()) if one["outcome"] == Outcome.FINISHED]
        yield f"confirmation of trial {number}", str(result["run_id"]), runs


def _again(unit: Unit, phase: str, trial: int, told: Mapping[str, Any]) -> list[Change]:
    """The replicate is trained again in its run, as the search has kept another number than it measured."""
    search = unit.confirmation if phase == "confirm" else unit.search
    if search is None or unit.search is None or unit.is_passed:
        return []
    number = trial
    if phase == "confirm":
        own = [one for one in unit.fresh if any(one_told["run_id"] == told["run_id"] for one_told in one.replicates)]
        number = own[0].number
    runs = ((str(told["replicate"]), str(told["run_id"])),)
    changes: list[Change] = [SearchChange(how="wait again", study_id=search.study_id, number=number, runs=runs)]
    if phase == "confirm":
        changes.append(SearchChange(how="drop confirmed", study_id=search.study_id, trials=(str(trial),)))
    return [*changes, SearchChange(how="leave", study_id=unit.search.study_id)]


def _number(curve: Curve, sweep: Sweep, index: int) -> float | None:
    try:
        found = number_of(curve.steps, curve.values, sweep.objectives[index], counts_step_0=sweep.is_foreign)
    except StudyError:
        return None
    return found if math.isfinite(found) else None


def _points(curve: Curve) -> dict[int, float]:
    return dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def _shown(value: float | None) -> str:
    return "nothing" if value is None else repr(float(value))

"""Find results on which search and record disagree: state, seed, numbers of replicates, and summaries.

A repair is offered only if it is known which is right. A trial is written to the search after the record, so the search
knows how a replicate ended. Summaries are made again from the replicates.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rothamsted import tags
from rothamsted.inventory.care.checks import told_replicates
from rothamsted.inventory.care.damage import Change, Damage, MetricChange, RecordChange, SearchChange
from rothamsted.inventory.care.units import Unit
from rothamsted.records import Outcome, RunStatus
from rothamsted.search.sql.care import TrialFacts, is_equal
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.sql.care import RunFacts

_BY_HAND = (
    "it is not known which is right: rothamsted analyze computes the result from the record; keep what you can confirm"
)


def ended_runs(unit: Unit) -> frozenset[str]:
    """Runs whose end the search knows: of replicates that were told, of trials that are over, of what is confirmed."""
    found = {str(one["run_id"]) for _, _, one in told_replicates(unit)}
    found |= {
        str(one.attributes[tags.RUN_ID]) for one in unit.trials if one.is_over and one.attributes.get(tags.RUN_ID)
    }
    return frozenset(found | {str(one["run_id"]) for one in unit.confirmed.values()})


def check_results(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    """Find everything on which the search and the record disagree."""
    for _, trial, told in told_replicates(unit):
        run = record.runs.get(str(told["run_id"]))
        if run is not None and not run.is_deleted:
            yield from _replicate(unit, trial, told, run)
    for trial in unit.trials:
        if trial.is_over and trial.replicates and REPEAT_OF not in trial.attributes:
            yield from _trial(unit, trial, record)
    if unit.confirmation is not None:
        for number, result in unit.confirmed.items():
            run = record.runs.get(str(result["run_id"]))
            if run is not None and not run.is_deleted:
                yield from _confirmed(unit, number, result, run)
        for fresh in unit.fresh:
            if fresh.is_over and fresh.replicates:
                yield from _values(unit, unit.confirmation.study_id, fresh, f"confirmation, trial {fresh.number}")
    yield from _sweep_run(unit)


def _replicate(unit: Unit, trial: int, told: Mapping[str, Any], run: RunFacts) -> Iterator[Damage]:
    outcome = Outcome(told["outcome"])
    what = f"trial {trial}, replicate {told['replicate']}, run {run.run_id}"
    wanted = {tags.OUTCOME: outcome.value, tags.SEED: str(told["seed"]), tags.REPLICATE: str(told["replicate"])}
    wrong = {key: text for key, text in wanted.items() if run.tags.get(key) != text}
    is_ended_so = run.status == outcome.run_status
    if wrong or not is_ended_so:
        said = [f"{key.rpartition('.')[2]} {run.tags.get(key)}, not {text}" for key, text in wrong.items()]
        said += [] if is_ended_so else [f"{run.status}, not {outcome.run_status}"]
        status = None if is_ended_so else outcome.run_status
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=what,
            why=f"the record says {'; '.join(said)}",
            repair="the run says what the search was told when it ended",
            changes=[RecordChange(run_id=run.run_id, status=status, end_ms=run.end_ms, tags=wrong)],
        )


def written_anew(unit: Unit, run_id: str) -> list[SearchChange]:
    """Return the changes after which the sweep's command writes the run of a trial or confirmed condition again."""
    for trial in unit.trials:
        if unit.search is not None and trial.attributes.get(tags.RUN_ID) == run_id:
            return told_anew(unit, unit.search.study_id, trial)
    for number, result in unit.confirmed.items():
        if result["run_id"] == run_id:
            return _closed_anew(unit, number)
    return []


def _closed_anew(unit: Unit, number: str) -> list[SearchChange]:
    if unit.confirmation is None or unit.search is None:
        return []
    return [
        SearchChange(how="drop confirmed", study_id=unit.confirmation.study_id, trials=(number,)),
        SearchChange(how="leave", study_id=unit.search.study_id),
    ]


def _trial(unit: Unit, trial: TrialFacts, record: RecordFacts) -> Iterator[Damage]:
    """What is made of a trial's replicates: its values, its summary, its run."""
    search = unit.search
    if search is None:
        return
    what = f"trial {trial.number}"
    yield from _values(unit, search.study_id, trial, what)
    run = record.runs.get(str(trial.attributes.get(tags.RUN_ID, "")))
    result = trial.attributes[tags.RESULT]
    if run is None or run.is_deleted or run.run_id in {str(one["run_id"]) for one in trial.replicates}:
        return
    status = _closing_status([Outcome(one["outcome"]) for one in trial.replicates], bool(result.get("pruned")))
    if run.status != status:
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=f"{what}, run {run.run_id}",
            why=f"the record says {run.status}, not {status}",
            repair="the run says how its replicates ended",
            changes=[RecordChange(run_id=run.run_id, status=status, end_ms=run.end_ms)],
        )
    if not result.get("pruned"):
        again = told_anew(unit, search.study_id, trial)
        yield from _summary(unit, f"{what}, run {run.run_id}", result.get("summary", {}), run, again)


def told_anew(unit: Unit, study_id: int, trial: TrialFacts) -> list[SearchChange]:
    """Return the changes after which a worker summarises a trial again without training; nothing if no worker will."""
    if (
        unit.search is None
        or unit.is_passed
        or trial.state not in ("complete", "fail")
        or tags.CONFIRMS in trial.attributes
    ):
        return []
    return [
        SearchChange(how="wait again", study_id=study_id, number=trial.number),
        SearchChange(how="leave", study_id=unit.search.study_id),
    ]


def _values(unit: Unit, study_id: int, trial: TrialFacts, what: str) -> Iterator[Damage]:
    """The values that Optuna has of a trial, and the mean that it was told, against its replicates."""
    result, replicates = trial.attributes[tags.RESULT], trial.replicates
    scores = [
        one["objective"] for one in replicates if one["outcome"] == Outcome.FINISHED and one["objective"] is not None
    ]
    summary = result.get("summary", {})
    again = told_anew(unit, study_id, trial)
    is_crossed = unit.sweep is not None and bool(unit.sweep.replicates.crossed)  # theirs are other means
    is_told = (
        not scores
        or is_crossed
        or (
            summary.get("n") == len(scores)
            and is_equal(float(summary.get("mean") or 0.0), math.fsum(scores) / len(scores))
        )
    )
    if not is_told and not result.get("pruned"):
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=what,
            why=f"its summary says n {summary.get('n')}, mean {summary.get('mean')}; its replicates {len(scores)}, "
            f"{math.fsum(scores) / len(scores)}",
            repair="its replicates are kept, and the sweep's command computes it again" if again else "",
            way_out="" if again else _BY_HAND,
            changes=again,
        )
        return
    if result.get("pruned") or trial.state == "pruned":
        return
    wanted = _wanted_values(unit, result)
    if wanted is None:
        return
    is_same = len(wanted) == len(trial.values) and all(map(is_equal, wanted, trial.values))
    if is_same and trial.state == ("complete" if wanted else "fail"):
        return
    yield Damage(
        kind="different result",
        sweep=unit.name,
        what=what,
        why=f"{trial.state.upper()} with {list(trial.values)} in Optuna; its replicates give {list(wanted)}",
        repair="its state and value are those of its replicates",
        changes=[SearchChange(how="values", study_id=study_id, number=trial.number, values=wanted)],
    )


def _wanted_values(unit: Unit, result: Mapping[str, Any]) -> tuple[float, ...] | None:
    """What Optuna is told of a trial; None: this version cannot say."""
    sweep = unit.sweep
    if sweep is None:
        return None
    if result.get("outcomes", {}).get(Outcome.DIVERGED):
        return tuple(math.inf if one.direction == "minimize" else -math.inf for one in sweep.objectives)
    summaries = [result.get("summary", {}), *(one["summary"] for one in result.get("others", ()))]
    values = [one["value"] if "value" in one else one.get("mean") for one in summaries]
    return tuple(float(one) for one in values if one is not None) if None not in values else ()


def _confirmed(unit: Unit, number: str, result: Mapping[str, Any], run: RunFacts) -> Iterator[Damage]:
    """The run of a confirmed condition."""
    again = _closed_anew(unit, number)
    what = f"confirmation of trial {number}, run {run.run_id}"
    status = _closing_status([Outcome(one["outcome"]) for one in result.get("replicates", ())], False)
    if run.status != status:
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=what,
            why=f"the record says {run.status}, not {status}",
            repair="the run says how its replicates ended",
            changes=[RecordChange(run_id=run.run_id, status=status, end_ms=run.end_ms)],
        )
    yield from _summary(unit, what, result.get("summary", {}), run, again)


def _summary(
    unit: Unit, what: str, summary: Mapping[str, Any], run: RunFacts, again: Sequence[Change]
) -> Iterator[Damage]:
    """Mean, interval and n on a run, against what the search was told."""
    for name in ("mean", "ci_low", "ci_high", "n"):
        value, there = summary.get(name), run.metrics.get(f"objective/{name}")
        if value is None or (there is not None and is_equal(float(value), there)):
            continue
        if name != "mean" and "over" in summary:
            continue
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=what,
            why=f"objective/{name} is {there} in the record, {value} in the search",
            repair="the sweep's command writes it again" if again else "",
            way_out="" if again else _BY_HAND,
            changes=again,
        )


def _sweep_run(unit: Unit) -> Iterator[Damage]:
    """What the run of a sweep that is over says of its best condition and its confirmation.

    Not its intervals: an analysis at another level may have written them, or one of another metric all of it.
    """
    run, sweep = unit.run, unit.sweep
    if run is None or run.is_deleted or sweep is None or unit.search is None or unit.search.lease.get("how") != "over":
        return
    own, said = sweep.objective, run.tags.get("rothamsted.analysis", "")
    best = next((one for one in unit.trials if str(one.number) == run.tags.get("rothamsted.best_trial")), None)
    if best is None or sweep.replicates.crossed or f", {own.direction} {own.metric} ({own.reduce})" not in said:
        return
    step = sum(tags.RESULT in one.attributes and REPEAT_OF not in one.attributes for one in unit.trials)
    for key, value in _of_best(unit, best, own.direction).items():
        there = run.metrics.get(key)
        if there is None or is_equal(value, there):
            continue
        at_ms = run.end_ms or time.time_ns() // 1_000_000
        yield Damage(
            kind="different result",
            sweep=unit.name,
            what=f"run {run.run_id} (sweep)",
            why=f"{key} is {there}, by the search {value}",
            repair="the run gets what the search says",
            changes=[MetricChange(run_id=run.run_id, key=key, value=value, step=step, timestamp_ms=at_ms)],
        )


def _of_best(unit: Unit, best: TrialFacts, direction: str) -> dict[str, float]:
    """What a sweep's run says of its best condition, from the search."""
    confirmed = unit.confirmed.get(str(best.number), {})
    results = {"best_in_search": best.attributes.get(tags.RESULT, {}), "confirmed": confirmed}
    found = {
        f"{prefix}/{name}": float(result["summary"][name])
        for prefix, result in results.items()
        for name in ("mean", "n")
        if result.get("summary", {}).get(name) is not None
    }
    if "confirmed/mean" in found and "best_in_search/mean" in found:
        luck = found["confirmed/mean"] - found["best_in_search/mean"]
        found["luck"] = luck if direction == "minimize" else -luck
    return found


def _closing_status(outcomes: Sequence[Outcome], is_pruned: bool) -> RunStatus:
    """The status of a run whose replicates have all ended so."""
    counts = Counter(outcomes)
    if is_pruned:
        return RunStatus.KILLED
    return RunStatus.FINISHED if counts[Outcome.FINISHED] or counts[Outcome.DIVERGED] else RunStatus.FAILED

"""The confirmation: the search's winners on fresh seeds, as a queue of single replicates below runs of their own.

Apart from the search, whose sampler must never see it. All that is done here can be done again: a process that
dies half-way leaves runs and trials that the next one finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rothamsted import tags
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.values import Condition
from rothamsted.records import Outcome, RunStatus
from rothamsted.sweep import trial_summary as aggregate
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.trial_summary import as_params, last_ms, now_ms, outcome_tags
from rothamsted.sweep.worker.earlier import result_of_told, with_histories
from rothamsted.tracking import find_runs

Item = Mapping[str, Any]  # {"trial", "replicate", "seed", "run_id"}: one replicate of the confirmation


def winners(search: SweepContext) -> list[Condition]:
    """The conditions to confirm: the best of the search by mean, a diverged or scoreless one never among them."""
    confirm = search.sweep.confirm
    if confirm is None:
        return []
    found = read_search(search.queue, search.sweep)
    conditions = {condition.number: condition for condition in found.conditions}
    return [conditions[number] for number in ranked(found)[: confirm.keep]]


def enqueue(search: SweepContext, confirmation: SweepContext) -> int:
    """Open the runs of the winners and enqueue their replicates, as far as they are missing; returns how many."""
    items = items_of(confirmation)
    there = {(item["trial"], item["replicate"]) for item in items}
    new: list[tuple[Mapping[str, Any], Item]] = []
    for winner in winners(search):
        missing = [r for r in range(len(confirmation.seeds)) if (winner.number, r) not in there]
        run_id = _trial_run(confirmation, winner) if missing else ""
        new += [(winner.values, _item(confirmation, winner.number, r, run_id)) for r in missing]
    if not new:
        return 0
    confirmation.recorder.flush()
    attributes = [{tags.CONFIRMS: item} for _, item in new]
    confirmation.queue.add([condition for condition, _ in new], attributes, n_before=len(items))
    return len(new)


def items_of(confirmation: SweepContext) -> list[Item]:
    """What has been enqueued, in order."""
    found = confirmation.queue.rounds.attributes([tags.CONFIRMS])
    return [attributes[tags.CONFIRMS] for attributes in found.values()]


def close(confirmation: SweepContext) -> None:
    """Write means and intervals of every condition whose replicates have all ended, and remember its result."""
    closed: dict[str, Any] = dict(confirmation.queue.attribute(tags.CONFIRMED, {}))
    for trial, of_condition in _by_condition(confirmation).items():
        result = _result_of(confirmation, of_condition)
        if result is None or closed.get(trial) == result:
            continue
        _write_summary(confirmation, result)
        closed[trial] = result
    confirmation.recorder.flush()
    confirmation.queue.set_attribute(tags.CONFIRMED, closed)


def is_closed(confirmation: SweepContext) -> bool:
    """Whether every condition that has been enqueued is closed with the results that it has now."""
    closed = confirmation.queue.attribute(tags.CONFIRMED, {})
    return all(
        closed.get(trial) == _result_of(confirmation, of_condition)
        for trial, of_condition in _by_condition(confirmation).items()
    )


def end_runs(confirmation: SweepContext, status: RunStatus | None) -> None:
    """Set the status of the runs of conditions that are not closed; None: they are running again."""
    closed = confirmation.queue.attribute(tags.CONFIRMED, {})
    for run_id in {item["run_id"] for item in items_of(confirmation) if str(item["trial"]) not in closed}:
        if status is None:
            confirmation.recorder.resume_run(run_id)
        else:
            confirmation.recorder.end_run(run_id, status, now_ms())
    confirmation.recorder.flush()


# ---- within ----


def _item(confirmation: SweepContext, trial: int, replicate: int, run_id: str) -> Item:
    return {"trial": trial, "replicate": replicate, "seed": confirmation.seeds[replicate], "run_id": run_id}


def _trial_run(confirmation: SweepContext, winner: Condition) -> str:
    """The run of a winner: the one that a process opened before it died, or a new one."""
    wanted = {tags.SWEEP: confirmation.sweep.name, tags.PHASE: "confirm", tags.TRIAL: str(winner.number)}
    found = find_runs([confirmation.experiment_id], {**wanted, tags.ROLE: "trial"}, uri=confirmation.tracking_uri)
    for run in found:
        if run.tags.get("mlflow.parentRunId") == confirmation.sweep_run_id:
            confirmation.recorder.resume_run(run.run_id)
            return run.run_id
    return confirmation.recorder.open_run(
        experiment_id=confirmation.experiment_id,
        name=f"confirm of trial {winner.number}",
        parent_id=confirmation.sweep_run_id,
        tags={**wanted, tags.ROLE: "trial", tags.STUDY: confirmation.study.name},
        params=as_params(winner.values),
        start_ms=now_ms(),
    )


def _by_condition(confirmation: SweepContext) -> dict[str, list[Mapping[str, Any]]]:
    """Trial of the search -> attributes of its replicates' trials here."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for attributes in confirmation.queue.rounds.attributes([tags.CONFIRMS, tags.RESULT]).values():
        found.setdefault(str(attributes[tags.CONFIRMS]["trial"]), []).append(attributes)
    return found


def _result_of(confirmation: SweepContext, of_condition: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The result of a condition over its replicates, as the search keeps one; None while some have not ended."""
    if not all(tags.RESULT in attributes for attributes in of_condition):
        return None
    sweep = confirmation.sweep
    results = [result_of_told(one) for attributes in of_condition for one in attributes[tags.RESULT]["replicates"]]
    told = aggregate.told(
        sorted(results, key=lambda r: r.replicate),
        sweep,
        run_id="",
        link="",
    )
    return {**told.attributes[tags.RESULT], "run_id": of_condition[0][tags.CONFIRMS]["run_id"]}


def _write_summary(confirmation: SweepContext, result: Mapping[str, Any]) -> None:
    recorder, level = confirmation.recorder, confirmation.sweep.statistics.level
    told = [result_of_told(one) for one in result["replicates"]]
    results = with_histories(told, tracking_uri=confirmation.tracking_uri)
    stamp = last_ms(results)
    points = aggregate.curve_points(results, level=level, timestamp_ms=stamp)
    points += aggregate.objective_points(results, confirmation.sweep, timestamp_ms=stamp)
    recorder.replace_metrics(result["run_id"], points)
    has_score = any(r.objective is not None or r.outcome is Outcome.DIVERGED for r in results)
    recorder.log(result["run_id"], tags=outcome_tags(results))
    recorder.end_run(result["run_id"], RunStatus.FINISHED if has_score else RunStatus.FAILED, now_ms())

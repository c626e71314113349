"""Open the runs of confirmed conditions when their replicates are added, and close them when all have ended.

Everything here can be repeated: it follows from the search. The runs are held by the number of the sweep's lease, so
writes of a process that no longer decides are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rothamsted import tags
from rothamsted.analysis.told_replicates import replicates_of, told_replicates
from rothamsted.records import RunStatus
from rothamsted.search import ToldTrial, take_step
from rothamsted.sweeping.histories import histories_of
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.phases.phase import Confirming
from rothamsted.sweeping.run_names import confirmation_name
from rothamsted.sweeping.run_points import curve_points
from rothamsted.sweeping.trial_summary import (
    as_params,
    closing_status,
    condition_tag,
    last_ms,
    now_ms,
    outcome_tags,
    points_at_looks,
    told,
)
from rothamsted.tracking import find_runs

Item = Mapping[str, Any]  # {"trial", "replicate", "seed", "run_id"}: one replicate of the confirmation


class ConfirmedRuns:
    """Opens and closes the runs of the conditions that a sweep confirms."""

    def __init__(self, opened: Opened) -> None:
        if opened.confirm_queue is None:
            raise ValueError(f"sweep {opened.sweep.name}: confirms nothing")
        self._opened = opened
        self._queue = opened.confirm_queue

    def items(self, added: Sequence[Confirming]) -> list[Item]:
        """Return the attributes of each new trial of the confirmation: its replicate, and the run of its condition."""
        runs = {item["trial"]: item["run_id"] for item in self._items()}
        for one in added:
            if one.trial not in runs:
                runs[one.trial] = self._opened.recorder.new_run_id() or self._open_on_server(one)
        return [
            {"trial": one.trial, "replicate": one.replicate, "seed": one.seed, "run_id": runs[one.trial]}
            for one in added
        ]

    def open(self) -> None:
        """Open the runs of conditions that are not closed, or set them back to running."""
        closed = self._queue.attribute(tags.CONFIRMED, {})
        conditions = self._conditions()
        for trial, run_id in {item["trial"]: item["run_id"] for item in self._items()}.items():
            if str(trial) not in closed:
                self._open(trial, conditions[trial], run_id)
        self._opened.recorder.flush()

    def close(self) -> None:
        """Write means and intervals of every condition with only ended replicates, and record its result."""
        closed: dict[str, Any] = dict(self._queue.attribute(tags.CONFIRMED, {}))
        results = {trial: self._result_of(of_condition) for trial, of_condition in self._by_condition().items()}
        ended = {trial: result for trial, result in results.items() if result and closed.get(trial) != result}
        if not ended:
            return
        conditions = self._conditions()
        for trial, result in ended.items():
            # whoever gave the run its id may have stopped before the run was there
            self._open(int(trial), conditions[int(trial)], result["run_id"])
            self._write_summary(int(trial), result)
        self._opened.recorder.flush()
        take_step(self._opened.lease, self._queue, note={tags.CONFIRMED: {**closed, **ended}})

    def interrupt(self) -> None:
        """End the runs of conditions that are not closed as KILLED, because the sweep stops."""
        closed = self._queue.attribute(tags.CONFIRMED, {})
        for run_id in {item["run_id"] for item in self._items() if str(item["trial"]) not in closed}:
            self._opened.recorder.hold(run_id, self._opened.lease.token)
            self._opened.recorder.end_run(run_id, RunStatus.KILLED, now_ms())
        self._opened.recorder.flush()

    # ---- within ----

    def _conditions(self) -> dict[int, Mapping[str, Any]]:
        return {condition.number: condition.values for condition in self._opened.data().conditions}

    def _items(self) -> list[Item]:
        """What has been added, in order."""
        return [one.attributes[tags.CONFIRMS] for one in self._queue.trials([tags.CONFIRMS])]

    def _open_on_server(self, one: Confirming) -> str:
        """A server gives ids itself: the run that a process opened before it died, or a new one."""
        opened = self._opened
        ours = {key: text for key, text in self._tags(one.trial).items() if key != tags.ROLE}  # which has changed
        wanted = {**ours, "mlflow.parentRunId": opened.sweep_run_id}
        found = find_runs([opened.experiment_id], wanted, uri=opened.tracking_uri)
        return found[0].run_id if found else self._open(one.trial, one.condition, "")

    def _open(self, trial: int, condition: Mapping[str, Any], run_id: str) -> str:
        opened = self._opened
        return opened.recorder.open_run(
            run_id=run_id,
            holder=opened.lease.token,
            experiment_id=opened.experiment_id,
            name=confirmation_name(opened.sweep, condition, trial),
            parent_id=opened.sweep_run_id,
            tags={
                **self._tags(trial),
                **condition_tag(opened.sweep, condition),
                "mlflow.source.name": opened.study.name,
                "mlflow.source.type": "LOCAL",
            },
            params=as_params({**opened.sweep.parameters, **condition}),
            dataset=opened.dataset,
            start_ms=now_ms(),
        )

    def _tags(self, trial: int) -> dict[str, str]:
        name = self._opened.sweep.name
        return {tags.SWEEP: name, tags.PHASE: "confirm", tags.TRIAL: str(trial), tags.ROLE: "confirmation"}

    def _by_condition(self) -> dict[str, list[ToldTrial]]:
        """Trial of the search -> its replicates' trials here."""
        found: dict[str, list[ToldTrial]] = {}
        for trial in self._queue.trials([tags.CONFIRMS, tags.RESULT]):
            found.setdefault(str(trial.attributes[tags.CONFIRMS]["trial"]), []).append(trial)
        return found

    def _result_of(self, of_condition: Sequence[ToldTrial]) -> dict[str, Any] | None:
        """The result of a condition over its replicates, as the search keeps one; None while some have not ended."""
        if not all(tags.RESULT in trial.attributes for trial in of_condition):
            return None
        sweep, metrics = self._opened.sweep, self._opened.study.known_metrics
        results = [one for trial in of_condition for one in replicates_of(trial, sweep)]
        said = told(sorted(results, key=lambda r: r.number), sweep, metrics, run_id="", link="")
        return {**said.attributes[tags.RESULT], "run_id": of_condition[0].attributes[tags.CONFIRMS]["run_id"]}

    def _write_summary(self, trial: int, result: Mapping[str, Any]) -> None:
        opened = self._opened
        recorder = opened.recorder
        results = told_replicates({tags.RESULT: result}, opened.sweep, trial=trial)
        histories = histories_of(results, {}, tracking_uri=opened.tracking_uri)
        stamp = last_ms(results, histories)
        metrics = opened.study.known_metrics
        points = curve_points(results, histories, opened.sweep, metrics, timestamp_ms=stamp)
        points += points_at_looks(results, opened.sweep, metrics, timestamp_ms=stamp, is_fresh=True)
        recorder.replace_metrics(result["run_id"], points)
        recorder.log(result["run_id"], tags=outcome_tags(results))
        recorder.end_run(result["run_id"], closing_status(results), now_ms())

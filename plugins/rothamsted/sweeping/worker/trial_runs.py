"""Make the runs of one claimed trial: their ids are in the search before they are made, and they are held by its claim.

The next holder of the trial finds every run by its id. Later writes of an older claim are dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted import tags
from rothamsted.executors.devices import NAME as DEVICE_NAME
from rothamsted.records import Ending
from rothamsted.search import Lease, LostError
from rothamsted.search.lease import DEATHS, RUNS
from rothamsted.studies import CONFIG_FILE, config_text, machine_facts
from rothamsted.studies.final_state import final_state
from rothamsted.sweeping.assignment import Assignment, assignment_of
from rothamsted.sweeping.attempts import Attempts
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.run_names import replicate_name
from rothamsted.sweeping.trial_summary import as_params, condition_tag, now_ms
from rothamsted.sweeping.worker.earlier import TRIAL_RUN, told_before
from rothamsted.tracking import read_history


def name_runs(context: Opened, lease: Lease) -> dict[str, str]:
    """Return ids for the runs that a claim will make, to write with the claim; none if the store gives ids itself."""
    assignment = assignment_of(context, lease)
    if tags.PRUNED in lease.attributes or (lease.is_taken_over and not lease.runs):
        return {}  # of a trial that has runs, but no ids of them, they are looked for first
    earlier = told_before(context, lease, assignment)
    wanted = [TRIAL_RUN] if assignment.has_run and not earlier.run_id else []
    wanted += [str(replicate) for replicate in assignment.seeds if replicate not in earlier.results]
    return {key: run_id for key in wanted if key not in lease.runs and (run_id := context.recorder.new_run_id())}


@dataclass(frozen=True, kw_only=True)
class ReplicateRun:
    """Describes one replicate that is about to run."""

    replicate: int
    seed: int
    config: Any  # of the study; of a foreign project the parameters of its entry point
    run_id: str
    attempt: int
    logged: frozenset[tuple[str, int]]  # (metric, step) that an earlier session has logged already


@dataclass(frozen=True, kw_only=True)
class TrialRuns:
    """Makes the runs of a trial that one worker holds. Each write to the search raises LostError if the trial is lost.

    Attributes:
        context: the stage that the trial belongs to.
        lease: lease of the trial.
        assignment: the work of the claim.
    """

    context: Opened
    lease: Lease
    assignment: Assignment

    @property
    def attempts(self) -> Attempts:
        """Return how often each replicate has failed and crashed."""
        return Attempts.of(self.lease.attributes, retries=self.context.sweep.execution.retries)

    def open_trial(self, run_id: str) -> str:
        """Open the trial's own run, or go on with an existing one, and return its id."""
        if run_id:
            self.context.recorder.hold(run_id, self.lease.token)
            self.context.recorder.resume_run(run_id)
            return run_id
        return self._open(
            TRIAL_RUN,
            name=self.assignment.run_name,
            parent_id=self.assignment.parent_run_id,
            tags={**self.tags("trial"), **self._source()},
            params=as_params({**self.context.sweep.parameters, **self.lease.condition}),
            dataset=self.context.dataset,
        )

    def put_below(self, trial_run_id: str, run_id: str) -> None:
        """Move the run of a trial's only replicate below the trial's run, as one of several."""
        self.context.recorder.hold(run_id, self.lease.token)
        place = {"mlflow.parentRunId": trial_run_id, "mlflow.runName": self._name_of(0)}
        of_replicate = {tags.ROLE: "replicate", **place}
        self.context.recorder.log(run_id, tags=of_replicate)

    def open_replicate(self, parent_id: str, replicate: int, attempt: int) -> tuple[str, frozenset[tuple[str, int]]]:
        """Open the run of a replicate, and return its id and (metric, step) of what it has logged already.

        An earlier holder may have made a run with a known id after its runs were read.
        """
        assignment, seed, key = self.assignment, self.assignment.seeds[replicate], str(replicate)
        role = assignment.tags[tags.ROLE]
        is_new = key in self.lease.named or key not in self.lease.runs
        own = {tags.REPLICATE: key, tags.SEED: str(seed), **self._varied_tag(seed)}
        own |= {tags.ATTEMPT: str(attempt)} if attempt > 1 else {}
        own |= {tags.DEVICE: name} if (name := os.environ.get(DEVICE_NAME)) else {}
        own |= self._source() if role == "trial" else {}
        run_id = self._open(
            key,
            name=self._name_of(replicate),
            parent_id=parent_id if assignment.has_run else assignment.parent_run_id,
            tags={**self.tags(role), **own},
            params=self._replicate_params(seed, is_trial=role == "trial"),
            is_part=role != "trial",
            dataset=self.context.dataset if role == "trial" else None,
        )
        if is_new:
            return run_id, frozenset()
        self.context.recorder.flush()
        return run_id, self.logged(run_id)

    def add_config(self, run_id: str, config: Any) -> None:
        """Keep the config of a replicate as a file that a training by hand takes as `--config`."""
        study = self.context.study
        text = study.project.config_text(config) if isinstance(study, ForeignStudy) else config_text(config)
        self.context.recorder.add_text(run_id, text, CONFIG_FILE)

    def add_origin(self, run_id: str, ending: Ending) -> None:
        """Keep where a replicate was trained, and what its training ended with."""
        facts = machine_facts()
        if device := os.environ.get(DEVICE_NAME):
            facts[tags.DEVICE] = device
        if state := final_state(ending.model):
            facts[tags.FINAL_STATE] = state
        self.context.recorder.add_text(run_id, json.dumps(facts, indent=2) + "\n", tags.ORIGIN_FILE)

    def logged(self, run_id: str) -> frozenset[tuple[str, int]]:
        """Return what a run has logged, by metric and step."""
        history = read_history([run_id], uri=self.context.tracking_uri)[run_id]
        return frozenset((point.key, point.step) for point in history)

    def rename(self, replicates: Iterable[int], attributes: Mapping[str, Any] | None = None) -> None:
        """Give replicates that start anew new runs, in one write with further attributes of the trial."""
        keys = {str(replicate) for replicate in replicates}
        new = {key: run_id for key in sorted(keys) if (run_id := self.context.recorder.new_run_id())}
        kept = {key: run_id for key, run_id in self.lease.runs.items() if key not in keys}
        self.lease.set_attributes({**(attributes or {}), RUNS: {**kept, **new}})
        self.lease.named = self.lease.named | keys

    def fail(self, replicate: int) -> None:
        """Count a failure of a replicate's training; it is tried again, in a new run."""
        self.rename([replicate], {tags.ATTEMPTS: self._failures(replicate), DEATHS: []})

    def fail_for_good(self, replicate: int) -> None:
        """Count a replicate's last failure, which is written with the trial's end."""
        self.lease.attributes = {**self.lease.attributes, tags.ATTEMPTS: self._failures(replicate)}

    def let_go(self, trial_run_id: str) -> None:
        """Hold none of the trial's runs any more."""
        for run_id in {trial_run_id, *self.lease.runs.values()} - {""}:
            self.context.recorder.release(run_id)

    def tags(self, role: str) -> dict[str, str]:
        """Return the tags of one of the trial's runs."""
        condition = condition_tag(self.context.sweep, self.lease.condition) if role == "trial" else {}
        return {
            tags.SWEEP: self.context.sweep.name,
            tags.TRIAL: str(self.assignment.of),
            **self.assignment.tags,
            **condition,
            tags.ROLE: role,
        }

    # ---- within ----

    def _name_of(self, replicate: int) -> str:
        """What the run of a replicate is called; a lone one is its trial."""
        seed = self.assignment.seeds[replicate]
        is_lone = self.assignment.tags[tags.ROLE] == "trial"
        return self.assignment.run_name if is_lone else replicate_name(self.context.sweep.varied_by(seed), seed)

    def _open(self, key: str, **what: Any) -> str:
        """Open a run under the id that stands for it in the search; where a store gives ids, write it there after."""
        recorder, lease = self.context.recorder, self.lease
        run_id = lease.runs.get(key, "")
        if not run_id and (run_id := recorder.new_run_id()):
            lease.set_attributes({RUNS: {**lease.runs, key: run_id}})
        if not run_id and not lease.confirm():
            raise LostError(f"trial {self.assignment.of}: was taken over")
        experiment_id = self.context.experiment_id
        made_id = recorder.open_run(
            experiment_id=experiment_id, **what, start_ms=now_ms(), run_id=run_id, holder=lease.token
        )
        if not run_id:
            lease.set_attributes({RUNS: {**lease.runs, key: made_id}})
        return made_id

    def _failures(self, replicate: int) -> dict[str, int]:
        """Failures by replicate, with one more."""
        failures = self.attempts.failures
        return by_text({**failures, replicate: failures.get(replicate, 0) + 1})

    def _varied_tag(self, seed: int) -> dict[str, str]:
        """What the replicate sets, where the file says what varies."""
        sweep = self.context.sweep
        return {} if sweep.replicates.vary is None else {tags.VARIED: json.dumps(sweep.varied_by(seed))}

    def _source(self) -> dict[str, str]:
        """What MLflow's column "Source" shows: the study, script or project, not the worker's own file."""
        study = self.context.study
        name = study.source_name if isinstance(study, ForeignStudy) else study.name
        return {"mlflow.source.name": name, "mlflow.source.type": "LOCAL"}

    def _replicate_params(self, seed: int, *, is_trial: bool) -> dict[str, str]:
        """What a replicate's run says of its condition when it opens; the fixed parameters stand on the trial's run.

        Nothing of a foreign project's: that may log them itself, in its own spelling, which MLflow would refuse.
        """
        sweep = self.context.sweep
        fixed = sweep.parameters if is_trial else {}
        return {} if sweep.is_foreign else as_params({**fixed, **self.lease.condition, **sweep.varied_by(seed)})


def by_text(counts: Mapping[int, int]) -> dict[str, int]:
    """Return counts by replicate as JSON keeps them, without zeros."""
    return {str(replicate): n for replicate, n in sorted(counts.items()) if n}

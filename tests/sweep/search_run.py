"""One sweep of the toy from start to its written record, in the test's own process.

Apart, because the tests of pruning, objectives, constraints and samplers all look at the same record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from mlflow import MlflowClient
from mlflow.artifacts import load_text
from rich.console import Console

from rothamsted import tags
from rothamsted.sweep.finish import print_found, read_found, write_found
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.results import ConditionResult
from rothamsted.tracking import FoundRun, find_runs
from tests.sweep.conftest import Events, Project


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A sweep that has been run and written down."""

    project: Project
    context: SweepContext
    events: Events
    printed: str

    @property
    def results(self) -> list[ConditionResult]:
        return list(read_found(self.context, None).results)

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        return self.study.trials

    @property
    def study(self) -> optuna.Study:
        return optuna.load_study(study_name=self.context.sweep.name, storage=self.project.storage)

    def runs(self, role: str, trial: int | None = None) -> list[FoundRun]:
        """Runs of the search, in order of trial and replicate."""
        wanted = {tags.ROLE: role, tags.SWEEP: self.context.sweep.name}
        wanted |= {tags.TRIAL: str(trial)} if trial is not None else {}
        found = [
            run
            for run in find_runs(None, wanted, uri=self.project.tracking_uri)
            if run.tags.get(tags.PHASE) != "confirm"
        ]
        return sorted(found, key=lambda run: [int(run.tags.get(key, 0)) for key in (tags.TRIAL, tags.REPLICATE)])

    def steps(self, run: FoundRun, metric: str) -> list[int]:
        return [m.step for m in MlflowClient(self.project.tracking_uri).get_metric_history(run.run_id, metric)]

    def curve(self, run: FoundRun, metric: str) -> list[float]:
        return [m.value for m in MlflowClient(self.project.tracking_uri).get_metric_history(run.run_id, metric)]

    def table(self, name: str) -> list[dict[str, str]]:
        """A table that was written to the sweep's run."""
        [run] = self.runs("sweep")
        uri = MlflowClient(self.project.tracking_uri).get_run(run.run_id).info.artifact_uri
        return list(csv.DictReader(io.StringIO(load_text(f"{uri}/statistics/{name}.csv"))))

    @property
    def description(self) -> str:
        [run] = self.runs("sweep")
        return run.tags["mlflow.note.content"]


def write_down(project: Project, context: SweepContext, events: Events) -> Ran:
    """Write the record of what has been found, as the coordinator does at the end of a sitting."""
    confirmation = context.confirmation() if context.sweep.confirm is not None else None
    found = read_found(context, confirmation)
    write_found(found, context, confirmation, question="")
    context.recorder.flush()
    console = Console(file=io.StringIO(), record=True, width=200)
    print_found(found, context, console=console, left="")
    return Ran(project=project, context=context, events=events, printed=console.export_text())


def run(project: Project, changes: Mapping[str, Any]) -> Ran:
    """Start a sweep, work until nothing is left, and write it down."""
    context = project.start(changes)
    return write_down(project, context, project.work(context))

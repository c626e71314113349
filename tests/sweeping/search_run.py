"""One sweep of the toy from start to its written record, in the test's own process.

Apart, because the tests of pruning, objectives, constraints and samplers all look at the same record.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna
from mlflow import MlflowClient
from mlflow.artifacts import load_text
from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.analyze import settings_of
from rothamsted.analysis.values import Analysis, Condition, Dataset
from rothamsted.publish.console import show
from rothamsted.publish.finished import publish_ended
from rothamsted.sweeping.opened import Opened
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Events, Project


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A sweep that has been run and written down."""

    project: Project
    context: Opened
    events: Events
    printed: str
    analysis: Analysis

    @property
    def found(self) -> Dataset:
        return self.analysis.dataset

    @property
    def conditions(self) -> list[Condition]:
        return list(self.found.conditions)

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

    def all_runs(self, role: str) -> list[FoundRun]:
        """Runs of a role, of the search and on fresh seeds."""
        wanted = {tags.ROLE: role, tags.SWEEP: self.context.sweep.name}
        return find_runs(None, wanted, uri=self.project.tracking_uri)

    def steps(self, run: FoundRun, metric: str) -> list[int]:
        return [m.step for m in MlflowClient(self.project.tracking_uri).get_metric_history(run.run_id, metric)]

    def curve(self, run: FoundRun, metric: str) -> list[float]:
        return [m.value for m in MlflowClient(self.project.tracking_uri).get_metric_history(run.run_id, metric)]

    def table(self, name: str) -> list[dict[str, str]]:
        """A table that was written to the sweep's run, in the order of trials."""
        [run] = self.runs("sweep")
        uri = MlflowClient(self.project.tracking_uri).get_run(run.run_id).info.artifact_uri
        rows = csv.DictReader(io.StringIO(load_text(f"{uri}/statistics/{name}.csv")))
        return sorted(rows, key=lambda row: int(row["condition"]))

    @property
    def description(self) -> str:
        [run] = self.runs("sweep")
        return run.tags["mlflow.note.content"]


def found_of(context: Opened) -> Dataset:
    """What a sweep has found, as its search has it."""
    return context.data()


def searched(found: Dataset) -> Dataset:
    """The dataset without what was trained on fresh seeds."""
    return replace(found, replicates=tuple(one for one in found.replicates if one.phase == "search"))


def counts_of(found: Dataset, phase: str = "search") -> list[dict[str, int]]:
    """Of each condition, how its replicates ended."""
    return [
        dict(Counter(r.outcome for r in found.replicates if (r.condition, r.phase) == (one.number, phase)))
        for one in found.conditions
    ]


def write_down(project: Project, context: Opened, events: Events) -> Ran:
    """Write the record of what has been found, as `api.work` does at the end of a session."""
    analysis = publish_ended(
        context.recorder,
        found_of(context),
        settings_of(context.sweep.statistics),
        queue=context.queue,
        confirmation=context.confirm_queue,
    )
    context.recorder.flush()
    console = Console(file=io.StringIO(), record=True, width=200)
    show(analysis, console, tracking_uri=project.tracking_uri, storage=project.storage)
    return Ran(project=project, context=context, events=events, printed=console.export_text(), analysis=analysis)


def run(project: Project, changes: Mapping[str, Any]) -> Ran:
    """Start a sweep, work until nothing is left, and write it down."""
    context = project.start(changes)
    return write_down(project, context, project.work(context))

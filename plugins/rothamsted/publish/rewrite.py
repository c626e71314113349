"""Find all trial runs of a sweep, and write them again."""

from __future__ import annotations

from rothamsted import tags, tracking
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.values import Dataset
from rothamsted.publish.trials import rewrite_trials
from rothamsted.tracking import Recorder


def rewrite_sweep_trials(recorder: Recorder, dataset: Dataset, how: Settings, *, uri: str) -> int:
    """Write means and intervals of all trials of a sweep again; returns how many trials were written."""
    ours = {tags.SWEEP: dataset.name, "mlflow.parentRunId": dataset.run_id}
    below = tracking.find_runs([dataset.experiment_id], ours, uri=uri)
    trials = {run.run_id: run for run in below if run.tags.get(tags.ROLE) in tags.TRIAL_ROLES}
    return rewrite_trials(recorder, dataset, trials, how, uri=uri)

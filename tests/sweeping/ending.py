"""What a sweep leaves behind, and the few things that crash tests ask of the engine to get there.

Everything in which these tests touch the engine stands here: working until done, ending leases, the names under
which results are kept. What is left behind is read by SQL from MLflow's tables and by Optuna's own API.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import optuna
import pytest

from rothamsted import tags
from rothamsted.sweeping.open.from_file import find_target
from rothamsted.sweeping.opened import open_started
from rothamsted.sweeping.worker import work as worker_loop
from rothamsted.sweeping.worker.work import Worker
from tests.sweeping.conftest import Project
from tests.sweeping.in_this_process import deciding

Changes = Mapping[str, Any]  # top-level keys of the standard sweep that a test replaces
LEASES = {  # table -> the attribute that says until when something is held
    "trial_user_attributes": "rothamsted:lease",
    "study_user_attributes": "rothamsted:sweep_lease",
}
KEPT = (
    tags.ROLE,
    tags.PHASE,
    tags.TRIAL,
    tags.REPLICATE,
    tags.SEED,
    tags.OUTCOME,
    tags.REASON,
    tags.RACE,
    "rothamsted.n_finished",
)
TIMES = ("seconds", "samples_per_second")  # no two runs of one training take the same


def finish(project: Project, changes: Changes) -> None:
    """Start or resume the sweep, and do all that is left of it, in this process."""
    project.work(project.start(changes))


def begin(project: Project, changes: Changes) -> None:
    """Make the sweep, so that workers find it; nobody decides for it then."""
    project.start(changes).close()


def open_worker(project: Project, name: str) -> Worker:
    """A worker of a sweep that has begun, opened by name as those in processes of their own are."""
    context = open_started(
        name,
        project.storage,
        root=project.root,
        find_target=lambda sweep: find_target(sweep, project.root),
        tracking_uri=project.tracking_uri,
    )
    return Worker(context=context, emit=lambda event: None, should_stop=lambda: False, on_idle=deciding(context))


def write_at_every_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each measurement at once, and not what a second brings: how many writes there are is no luck then."""
    monkeypatch.setattr(worker_loop, "FLUSH_SECONDS", -1.0)


def end_all_leases(project: Project) -> None:
    """Let everything that anybody holds have run out long ago."""
    with closing(sqlite3.connect(project.root / "optuna.db", timeout=60)) as connection, connection:
        for table, key in LEASES.items():
            held = connection.execute(f"SELECT rowid, value_json FROM {table} WHERE key = ?", (key,)).fetchall()
            for row, text in held:
                ended = json.dumps({**json.loads(text), "expires": 0.0})
                connection.execute(f"UPDATE {table} SET value_json = ? WHERE rowid = ?", (ended, row))


def ending(project: Project, name: str) -> dict[str, Any]:
    """Everything that a sweep leaves behind in both databases, but for ids and times."""
    return {**_record(project, name), **_search(project, name)}


# ---- MLflow ----


def _record(project: Project, name: str) -> dict[str, Any]:
    of_sweep = "SELECT run_uuid FROM tags WHERE key = ? AND value = ?"
    with closing(sqlite3.connect(project.root / "mlflow.db", timeout=60)) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.format(runs=of_sweep), (tags.SWEEP, name)).fetchall()

        names = dict(rows("SELECT run_uuid, name FROM runs WHERE run_uuid IN ({runs})"))
        status = dict(rows("SELECT run_uuid, status FROM runs WHERE run_uuid IN ({runs})"))
        said: dict[str, dict[str, str]] = {run_id: {} for run_id in names}
        for run_id, key, value in rows("SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({runs})"):
            said[run_id][key] = value
        columns = "SELECT run_uuid, key, step, CASE WHEN is_nan THEN 'nan' ELSE value END FROM"
        points = rows(columns + " metrics WHERE run_uuid IN ({runs})")
        latest = rows(columns + " latest_metrics WHERE run_uuid IN ({runs})")
    names = {run_id: "/".join(_path(run_id, names, said)) for run_id in names}
    runs = {run_id for run_id in names if said[run_id][tags.ROLE] != "sweep"}
    return {
        "n_sweep_runs": len(names) - len(runs),
        "runs": sorted((names[r], status[r], [said[r].get(key, "") for key in KEPT]) for r in runs),
        "points": _counted(points, runs, names),
        "latest": _counted(latest, runs, names),
    }


def _path(run_id: str, names: Mapping[str, str], said: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The names of a run and of those above it, below the sweep's: each trial has a "seed 0"."""
    parent = said[run_id].get("mlflow.parentRunId", "")
    above = _path(parent, names, said) if said.get(parent, {}).get(tags.ROLE, "sweep") != "sweep" else []
    return [*above, names[run_id]]


def _counted(points: list[tuple[Any, ...]], runs: set[str], names: Mapping[str, str]) -> Counter[tuple[Any, ...]]:
    """How often each point stands there, (run's name, metric, step, value)."""
    return Counter(
        (names[run], key, *point) for run, key, *point in points if run in runs and not key.startswith(TIMES)
    )


# ---- Optuna ----


def _search(project: Project, name: str) -> dict[str, Any]:
    """Of the sweep's own study and of its confirmation's, whose name begins with it."""
    storage = optuna.storages.RDBStorage(project.storage)
    found: dict[str, Any] = {}
    for study in optuna.study.get_all_study_summaries(storage):
        if study.study_name == name or study.study_name.startswith(f"{name}."):
            own = study.study_name.removeprefix(name)
            trials = storage.get_all_trials(study._study_id)
            found[f"search{own}"] = [_trial(trial) for trial in sorted(trials, key=lambda trial: trial.number)]
            closed = study.user_attrs.get(tags.CONFIRMED, {})
            found[f"closed{own}"] = {trial: (one["summary"], one["outcomes"]) for trial, one in closed.items()}
    storage.engine.dispose()
    return found


def _trial(trial: optuna.trial.FrozenTrial) -> tuple[Any, ...]:
    result = trial.user_attrs.get(tags.RESULT, {"summary": {}, "outcomes": {}, "replicates": []})
    keys = ("replicate", "seed", "outcome", "objective")
    replicates = [[one[key] for key in keys] for one in result["replicates"]]
    race = trial.user_attrs.get(tags.VERDICT, {}).get("verdict", "")
    return (trial.state.name, trial.params, trial.values, result["summary"], result["outcomes"], replicates, race)

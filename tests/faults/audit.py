"""Read what a sweep has left behind, with SQL alone, and compare it with what must be there.

Nothing of the engine is asked: a mistake that its writers and its readers share would not be seen.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import sqlalchemy as sa

from tests.faults.arithmetic import Expected, Place, expected, t_interval, welch_interval
from tests.faults.world import World

TIMES = ("seconds", "setup_seconds", "samples_per_second")  # no two runs of one training take the same
ORPHANS_SECONDS = 30.0  # what was started has ended by then
Points = dict[str, list[tuple[str, int, float]]]  # run -> metric, step, value


@dataclass(kw_only=True)
class Audit:
    """What is wrong with one sweep; all counts are 0 and no line is there where nothing is."""

    lost: int = 0
    doubled: int = 0
    left_running: int = 0
    unequal: int = 0  # points that are missing, doubled, or differ in a bit from the study's own arithmetic
    others: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing at all is wrong."""
        return not (self.lost or self.doubled or self.left_running or self.unequal or self.others)

    def lines(self) -> list[str]:
        """What is wrong, for people."""
        names = ("lost", "doubled", "left_running", "unequal")
        return [f"{name}: {getattr(self, name)}" for name in names if getattr(self, name)] + self.others


@dataclass(frozen=True, kw_only=True)
class Record:
    """The rows of one sweep in MLflow's tables."""

    status: Mapping[str, str]
    tags: Mapping[str, Mapping[str, str]]
    params: Mapping[tuple[str, str], str]  # by run and name
    points: Points
    latest: Points

    def runs(self, *roles: str) -> list[str]:
        """The runs with one of these roles."""
        return [run for run, said in self.tags.items() if said.get("rothamsted.role") in roles]

    def place(self, run: str) -> Place:
        """Which replicate a run is of."""
        said = self.tags[run]
        return said["rothamsted.phase"], int(said["rothamsted.trial"]), int(said["rothamsted.seed"])


def audit(world: World, name: str) -> Audit:
    """Look at everything that the finished sweep `name` of a world has left behind."""
    found, want, record = Audit(), expected(world.shape), read_record(world.record, name)
    runs = _check_replicates(found, want, record)
    if len(record.runs("sweep")) != 1:
        found.others.append(f"{len(record.runs('sweep'))} runs of the sweep")
        return found
    _check_curves(found, want, record, runs)
    _check_trials(found, want, record)
    _check_sweep_run(found, want, record)
    _check_search(found, want, record, world, name)
    _check_files(found, world, name, record.runs("sweep")[0])
    check_strays(found, world)
    return found


# ---- MLflow ----


def read_record(url: str, name: str) -> Record:
    """All rows of a sweep's runs."""
    of_sweep = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'rothamsted.sweep' AND value = :name)"
    queries = {
        "runs": f"SELECT run_uuid, status FROM runs WHERE {of_sweep}",
        "tags": f"SELECT run_uuid, key, value FROM tags WHERE {of_sweep}",
        "params": f"SELECT run_uuid, key, value FROM params WHERE {of_sweep}",
        "metrics": f"SELECT run_uuid, key, step, value, is_nan FROM metrics WHERE {of_sweep}",
        "latest": f"SELECT run_uuid, key, step, value, is_nan FROM latest_metrics WHERE {of_sweep}",
    }
    rows = _read(url, queries, name=name)
    tags: dict[str, dict[str, str]] = {run: {} for run, _ in rows["runs"]}
    for run, key, value in rows["tags"]:
        tags[run][key] = value
    return Record(
        status=dict(rows["runs"]),
        tags=tags,
        params={(run, key): value for run, key, value in rows["params"]},
        points=_points(rows["metrics"]),
        latest=_points(rows["latest"]),
    )


def _points(rows: Iterable[Any]) -> Points:
    found: Points = {}
    for run, key, step, value, is_nan in rows:
        found.setdefault(run, []).append((key, step, math.nan if is_nan else value))
    return found


def _read(url: str, queries: Mapping[str, str], **values: Any) -> dict[str, list[Any]]:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return {key: list(connection.execute(sa.text(query), values).all()) for key, query in queries.items()}
    finally:
        engine.dispose()


def _check_replicates(found: Audit, want: Expected, record: Record) -> dict[Place, str]:
    """Each replicate has one run, which is finished, and so has each trial."""
    runs = record.runs("replicate")
    places = Counter(record.place(run) for run in runs)
    found.lost += len(want.curves.keys() - places.keys())
    found.doubled += sum(n - 1 for n in places.values())
    found.left_running += sum(status == "RUNNING" for status in record.status.values())
    if strange := sorted(places.keys() - want.curves.keys()):
        found.others.append(f"replicates that nobody asked for: {strange}")
    others = Counter(status for status in record.status.values() if status not in ("RUNNING", "FINISHED"))
    found.others += [f"{n} runs ended as {status}" for status, n in others.items()]
    return {record.place(run): run for run in runs}


def _check_curves(found: Audit, want: Expected, record: Record, runs: Mapping[Place, str]) -> None:
    """Every point once, with the bits of the study's own arithmetic; the latest values are the last."""
    for place, curve in want.curves.items():
        run = runs.get(place, "")
        points = Counter((key, step) for key, step, _ in record.points.get(run, ()) if not key.startswith(TIMES))
        values = {(key, step): value for key, step, value in record.points.get(run, ())}
        found.unequal += sum(values.get(point) != value for point, value in curve.items())
        found.unequal += sum(n - 1 for n in points.values()) + len(points.keys() - curve.keys())
    for run, points in record.points.items():
        doubled = sum(n - 1 for n in Counter((key, step) for key, step, _ in points).values())
        if doubled and "rothamsted.seed" not in record.tags[run]:
            found.others.append(f"{doubled} points doubled in run {run} ({record.tags[run].get('rothamsted.role')})")
        last = {key: (step, value) for key, step, value in sorted(points, key=lambda point: point[1])}
        if last != {key: (step, value) for key, step, value in record.latest.get(run, ())}:
            found.others.append(f"run {run}: the latest metrics are not the last points")


def _check_trials(found: Audit, want: Expected, record: Record) -> None:
    """Means and intervals of each trial and of the confirmation, recomputed."""
    of_trial = {
        (record.tags[run]["rothamsted.role"], int(record.tags[run]["rothamsted.trial"])): run
        for run in record.runs("trial", "confirmation")
    }
    wanted = {("trial", number) for number in range(len(want.conditions))} | {("confirmation", want.winner)}
    if of_trial.keys() != wanted or len(record.runs("trial", "confirmation")) != len(wanted):
        found.others.append(f"runs of trials: {sorted(of_trial)}, wanted {sorted(wanted)}")
    for role, number in of_trial.keys() & wanted:
        run = of_trial[role, number]
        values = {(key, step): value for key, step, value in record.points.get(run, ())}
        phase = "search" if role == "trial" else "confirm"
        objectives = want.objectives(phase, number)
        for n in range(2, len(objectives) + 1):
            _close(found, values, f"{role} {number}: objective", "objective", n, t_interval(objectives[:n]))
        curves = [curve for place, curve in sorted(want.curves.items()) if place[:2] == (phase, number)]
        for step in sorted({step for key, step in curves[0] if key == "val_loss"}):
            interval = t_interval([curve["val_loss", step] for curve in curves])
            _close(found, values, f"{role} {number}: val_loss", "val_loss", step, interval)


def _check_sweep_run(found: Audit, want: Expected, record: Record) -> None:
    """The numbers that people read first."""
    [run] = record.runs("sweep")
    values = {(key, 0): value for key, _, value in record.latest.get(run, ())}
    search, confirmed = want.objectives("search", want.winner), want.objectives("confirm", want.winner)
    _close(found, values, "the sweep's run", "best_in_search", 0, t_interval(search))
    _close(found, values, "the sweep's run", "confirmed", 0, t_interval(confirmed))
    luck, low, high = welch_interval(confirmed, search)
    _close(found, values, "the sweep's run", "luck", 0, {"": luck, "ci_low": low, "ci_high": high})


def _close(
    found: Audit, values: Mapping[tuple[str, int], float], what: str, key: str, step: int, wanted: Mapping[str, float]
) -> None:
    for part, value in wanted.items():
        name = f"{key}/{part}" if part else key
        there = values.get((name, step))
        if there is None or not math.isclose(there, value, rel_tol=1e-9, abs_tol=1e-12):
            found.others.append(f"{what}: {name} at {step} is {there}, by scipy {value}")


# ---- Optuna ----


def _check_search(found: Audit, want: Expected, record: Record, world: World, name: str) -> None:
    """The search says the same as the record, and nobody holds anything."""
    studies = "SELECT study_id FROM studies WHERE study_name IN (:name, :confirm)"
    of_trials = f"trial_id IN (SELECT trial_id FROM trials WHERE study_id IN ({studies}))"
    queries = {
        "trials": "SELECT s.study_name, t.number, t.state, v.value FROM trials t JOIN studies s "
        "ON s.study_id = t.study_id LEFT JOIN trial_values v ON v.trial_id = t.trial_id "
        f"WHERE t.study_id IN ({studies})",
        "runs": "SELECT s.study_name, t.number, a.value_json FROM trials t JOIN studies s ON s.study_id = t.study_id "
        f"JOIN trial_user_attributes a ON a.trial_id = t.trial_id WHERE t.study_id IN ({studies}) "
        "AND a.key = 'rothamsted:run_id'",
        "leases": f"SELECT value_json FROM trial_user_attributes WHERE key = 'rothamsted:lease' AND {of_trials}",
        "deciding": "SELECT value_json FROM study_user_attributes WHERE key = 'rothamsted:sweep_lease' "
        f"AND study_id IN ({studies})",
    }
    rows = _read(world.storage, queries, name=name, confirm=f"{name}.confirm")
    there = {(study, number): (state, value) for study, number, state, value in rows["trials"]}
    numbers = range(len(want.conditions))
    wanted = {(name, number): float(sum(o := want.objectives("search", number)) / len(o)) for number in numbers}
    confirmed = want.objectives("confirm", want.winner)
    wanted |= {(f"{name}.confirm", number): value for number, value in enumerate(confirmed)}
    for trial in sorted(there.keys() | wanted.keys()):
        state, value = there.get(trial, ("missing", None))
        right = trial in wanted and value is not None and math.isclose(value, wanted[trial], rel_tol=1e-9)
        if state != "COMPLETE" or not right:
            found.others.append(f"Optuna: trial {trial} is {state} with {value}, wanted {wanted.get(trial)}")
    if len(rows["trials"]) != len(there):
        found.others.append("Optuna: a trial has several values")
    of_search = {number: json.loads(run) for study, number, run in rows["runs"] if study == name}
    of_record = {int(record.tags[run]["rothamsted.trial"]): run for run in record.runs("trial")}
    if of_search != of_record:
        found.others.append(f"Optuna knows other runs: {of_search}, MLflow has {of_record}")
    found.others += [f"a lease is left: {lease}" for (lease,) in rows["leases"]]
    found.others += [f"the sweep is not over: {one}" for (one,) in rows["deciding"] if json.loads(one)["how"] != "over"]


# ---- files and processes ----


def _check_files(found: Audit, world: World, name: str, run: str) -> None:
    """The report is there and whole; checkpoints are gone."""
    query = {"where": "SELECT artifact_uri FROM runs WHERE run_uuid = :run"}
    [(address,)] = _read(world.record, query, run=run)["where"]
    place = urlparse(address)
    folder = world.artifacts / place.path.lstrip("/") if place.scheme == "mlflow-artifacts" else Path(place.path)
    report = folder / "report" / "report.html"
    text = report.read_text() if report.is_file() else ""
    if name not in text or not text.rstrip().endswith("</html>"):
        found.others.append(f"no whole report at {report}")
    left = [path for path in (world.root / "checkpoints" / name).rglob("*") if path.is_file()]
    found.others += [f"a checkpoint is left: {path.relative_to(world.root)}" for path in left]


def check_strays(found: Audit, world: World) -> None:
    """No process is left, no run belongs to no sweep, and nobody saw a traceback."""
    deadline = time.monotonic() + ORPHANS_SECONDS
    while (left := world.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    found.others += [f"a process is left: {process}" for process in left]
    of_none = (
        "SELECT run_uuid FROM runs WHERE run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'rothamsted.sweep')"
    )
    found.others += [f"run {run} belongs to no sweep" for (run,) in _read(world.record, {"runs": of_none})["runs"]]
    for path in world.said:
        if "Traceback" in path.read_text(errors="replace"):
            found.others.append(f"a traceback on the terminal: {path}")

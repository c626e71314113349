"""The queue's rows are those that Optuna's own calls write: every table, every column, in a time zone far from UTC."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages._rdb import models
from optuna.trial import TrialState
from optuna_dashboard import save_note

from rothamsted.search import Told, open_queue
from rothamsted.search.ask import _suggest
from rothamsted.search.distributions import distributions_of, to_stored
from rothamsted.search.samplers import seed_of_trial
from rothamsted.search.sql.tables import milliseconds
from rothamsted.search.storage import Direction
from rothamsted.space import Choice, Range, Space

SPACE = Space(
    {
        "lr": Range(low=1.0e-4, high=1.0, log=True),
        "width": Range(low=1, high=64, log=True, is_integer=True),
        "depth": Range(low=2, high=10, step=2, is_integer=True),
        "decay": Range(low=0.0, high=0.9, step=0.3),
        "kind": Choice(values=("ä", 2, 0.5, None)),
        "widths": Choice(values=([1, 2], [3])),
        "momentum": Range(low=0.0, high=0.9, when={"kind": ("ä", 2)}),
    }
)
ENDINGS: Sequence[tuple[Mapping[int, float], Told]] = (
    ({1: 0.5, 3: math.nan, 2: math.inf, 4: -math.inf}, Told(value=0.1 + 0.2, attributes={"ü": [1, None, {"a": 2.5}]})),
    ({}, Told(value=math.inf, note="n" * 5000)),
    ({}, Told(value=-math.inf, attributes={"text": "x" * 3000, "none": None})),
    ({0: 1.0, 7: 1e-300}, Told(state="pruned", note="stopped")),
    ({0: 1.0, 7: math.nan}, Told(state="pruned")),
    ({0: 1.0, 7: math.inf}, Told(state="pruned")),
    ({}, Told(state="pruned")),
    ({2: 1.0}, Told(state="failed", attributes={"why": "it ended"})),
)
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
ZONE = "America/New_York"  # four or five hours from UTC


def conditions(n: int) -> list[dict[str, Any]]:
    import numpy as np

    return [SPACE.sample(np.random.default_rng([1, k])) for k in range(n)]


# ---- one study, written twice ----


def queue_writes_trials_of_every_kind(url: str) -> None:
    """Trials that were enqueued: one for each ending, one that runs and one that waits."""
    n_trials = len(ENDINGS) + 2
    queue = open_queue(url, "s", space=SPACE, sampler="tpe", seed=3, direction="maximize", create=True)
    queue.set_attribute("mine", {"a": [1, "ö"]})
    queue.describe(metric="val/loss", note="# What\n" * 400)
    queue.enqueue(n_trials, conditions(n_trials))
    for reports, told in ENDINGS:
        [trial] = queue.claim("w", n_trials=n_trials)
        for step, value in reports.items():
            trial.report(step, value)
        assert trial.tell(told)
    queue.claim("w", n_trials=n_trials)


def optuna_writes_trials_of_every_kind(url: str) -> None:
    study = optuna.create_study(storage=url, study_name="s", direction="maximize")
    study.set_user_attr("mine", {"a": [1, "ö"]})
    study.set_metric_names(["val/loss"])
    save_note(study, "# What\n" * 400)
    for condition in conditions(len(ENDINGS) + 2):
        study.add_trial(waiting(condition))
    for reports, told in ENDINGS:
        trial = study.ask()
        for step, value in reports.items():
            trial.report(value, step)
        for key, value in told.attributes.items():
            trial.set_user_attr(key, value)
        if told.note:
            save_note(trial, told.note)
        study.tell(trial, told.value, state=STATES[str(told.state)])
    study.ask()


def queue_writes_asked_trials(url: str) -> None:
    """Trials that the sampler was asked for, of two objectives, with constraints."""
    directions: list[Direction] = ["minimize", "maximize"]
    queue = open_queue(url, "s", space=SPACE, sampler="nsgaii", seed=3, directions=directions, create=True)
    while claimed := queue.claim("w", n_trials=4):
        claimed[0].tell(Told(values=scores(claimed[0].condition), constraints=(1.5, -math.inf, 0.0)))


def optuna_writes_asked_trials(url: str) -> None:
    study = optuna.create_study(storage=url, study_name="s", directions=["minimize", "maximize"])
    distributions = distributions_of(SPACE)
    for number in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constraints_func is experimental, later deprecated
            study.sampler = optuna.samplers.NSGAIISampler(
                seed=seed_of_trial(3, number), constraints_func=lambda trial: (1.5, -math.inf, 0.0)
            )
        trial = study.ask()
        condition: dict[str, Any] = {}
        for name in SPACE.order:
            if SPACE.is_active(name, condition):
                label = _suggest(trial, name, distributions[name])
                condition[name] = json.loads(label) if name == "widths" else label
        study.tell(trial, list(scores(condition)))


def scores(condition: Mapping[str, Any]) -> tuple[float, float]:
    return condition["lr"], float(condition["width"])


def waiting(condition: Mapping[str, Any]) -> optuna.trial.FrozenTrial:
    """As `Study.enqueue_trial` makes it, with parameters that stand already."""
    all_of = distributions_of(SPACE)
    of = {name: all_of[name] for name in condition}
    params = {
        name: of[name].to_external_repr(to_stored(value, SPACE.domains[name], of[name]))
        for name, value in condition.items()
    }
    return optuna.trial.create_trial(state=TrialState.WAITING, params=params, distributions=of)


WRITERS = {
    "every kind": (queue_writes_trials_of_every_kind, optuna_writes_trials_of_every_kind),
    "asked": (queue_writes_asked_trials, optuna_writes_asked_trials),
}


# ---- their rows ----


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without what the engine keeps for itself; ids and times by meaning."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        found = {
            name: [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    numbers = {row["trial_id"]: row["number"] for row in found["trials"]}
    plain = {name: [_meaning(row, numbers) for row in of_table] for name, of_table in found.items()}
    for name in (
        "trial_user_attributes",
        "study_user_attributes",
        "study_system_attributes",
        "trial_system_attributes",
    ):
        kept = [row for row in plain[name] if not row["key"].startswith("rothamsted:")]
        plain[name] = sorted(kept, key=lambda row: (row.get("trial_id", 0), row["key"]))
    return plain


def _meaning(row: Mapping[str, Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    out = {}
    for name, value in row.items():
        if name == "trial_id":
            out[name] = numbers[value]
        elif isinstance(value, datetime):
            out[name] = "now" if abs(milliseconds(value) / 1000 - time.time()) < 600 else value
        elif name.startswith("dashboard:") or not name.endswith("_id") or name == "study_id":
            out[name] = _trial_in(value, numbers) if name == "key" else value
    return out


def _trial_in(key: str, numbers: Mapping[int, int]) -> str:
    """The dashboard's keys of notes hold the id of their trial."""
    parts = key.split(":")
    if parts[0] == "dashboard" and parts[1].isdigit():
        parts[1] = f"number {numbers[int(parts[1])]}"
    return ":".join(parts)


@pytest.fixture(autouse=True)
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", ZONE)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_every_row_is_the_one_that_optuna_writes(storage_url: str, tmp_path: Path, kind: str) -> None:
    by_queue, by_optuna = WRITERS[kind]
    if storage_url.startswith("sqlite"):
        other_url = f"sqlite:///{tmp_path / 'other.db'}"
        by_queue(storage_url)
        by_optuna(other_url)
        ours, optunas = rows(storage_url), rows(other_url)
    else:  # one after the other in one database
        by_queue(storage_url)
        ours = rows(storage_url)
        drop_all(storage_url)
        by_optuna(storage_url)
        optunas = rows(storage_url)
    assert set(ours) == {*models.BaseModel.metadata.tables, "alembic_version"}
    for table in sorted(optunas):
        assert ours[table] == on_the_lattice(optunas[table]), table


def on_the_lattice(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they are, but for the rounding of floats, which Optuna leaves in values of a stepped range: 0.8999…9."""
    stepped = '"name": "FloatDistribution", "attributes": {"step": 0.'
    return [
        {**one, "param_value": round(one["param_value"], 12)} if stepped in one.get("distribution_json", "") else one
        for one in found
    ]


def drop_all(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        tx.execute(sa.text("DROP SCHEMA public CASCADE"))
        tx.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


def test_optuna_reads_local_time_as_of_its_own_trials(storage_url: str) -> None:
    queue_writes_trials_of_every_kind(storage_url)
    now = datetime.now()  # without a zone, as Optuna gives it
    trials = optuna.load_study(study_name="s", storage=storage_url).trials
    ended = [trial for trial in trials if trial.state.is_finished()]
    assert len(ended) == len(ENDINGS)
    for trial in ended:
        assert trial.datetime_start is not None
        assert trial.datetime_complete is not None
        assert 0 <= (trial.datetime_complete - trial.datetime_start).total_seconds() < 600
        assert abs((now - trial.datetime_complete).total_seconds()) < 600

"""A seeded part of the faults of `python -m tests.faults`, and the audit itself, which must see what is wrong."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rothamsted.inventory.care.doctor import look_over
from rothamsted.inventory.care.repair import repair_all
from tests.executors.cluster import cluster
from tests.faults import stores
from tests.faults.audit import Audit, audit
from tests.faults.breaking import has_points, until
from tests.faults.kills import finish, give_again, plan_kills, survive
from tests.faults.kinds import KINDS
from tests.faults.world import ROOT, Shape, World, world_in
from tests.sweeping.test_on_ray import workers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="knows its processes by /proc")
SHORT = Shape(n_seeds=2, n_confirm=2, sleep_seconds=0.02)
NAME = "toys"
OF_REPLICATE = "(SELECT run_uuid FROM tags WHERE key = 'rothamsted.seed' AND value = '1' LIMIT 1)"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path / "world", shape=SHORT) as made:
        yield made


@pytest.fixture
def postgres_world(tmp_path: Path, postgres_server: str) -> Iterator[World]:
    urls = stores.new_databases(postgres_server)
    server = SimpleNamespace(url=postgres_server)  # of the whole suite: it is not stopped
    with world_in(tmp_path / "world", **urls, shape=SHORT, server=server) as made:
        yield made
    stores.drop(list(urls.values()))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def check(world: World, found: Audit) -> None:
    assert found.is_good, "\n".join([*found.lines(), *(path.read_text(errors="replace") for path in world.said)])


def break_and_check(world: World, kind: str) -> None:
    faults, found = KINDS[kind](world, NAME, rng())
    assert faults > 0
    check(world, found)


# ---- the audit ----


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("finished") / "world", shape=SHORT) as made:
        give_again(made, made.write(NAME))
        yield made


def test_a_sweep_that_nobody_disturbs_passes(finished: World) -> None:
    check(finished, audit(finished, NAME))


def on_record(statement: str) -> Callable[[World], None]:
    return lambda world: _execute(world.root / "mlflow.db", statement)


def on_search(statement: str) -> Callable[[World], None]:
    return lambda world: _execute(world.root / "optuna.db", statement)


def leave_a_checkpoint(world: World) -> None:
    folder = world.root / "checkpoints" / NAME / "0-0"
    folder.mkdir(parents=True)
    (folder / "state.safetensors").write_text("x")


DAMAGES: dict[str, tuple[Callable[[World], None], str]] = {
    "a replicate is lost": (on_record(f"DELETE FROM tags WHERE run_uuid = {OF_REPLICATE}"), "lost: 1"),
    "a replicate is doubled": (
        on_record("UPDATE tags SET value = '0' WHERE key IN ('rothamsted.seed', 'rothamsted.replicate')"),
        "doubled: 5",
    ),
    "a run is left running": (
        on_record(f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid = {OF_REPLICATE}"),
        "left_running: 1",
    ),
    "a point is doubled": (
        on_record(
            "INSERT INTO metrics SELECT key, value, timestamp + 1, run_uuid, step, is_nan FROM metrics "
            f"WHERE run_uuid = {OF_REPLICATE} AND key = 'val_loss' AND step = 4"
        ),
        "unequal: 1",
    ),
    "a bit differs": (
        on_record(
            "UPDATE metrics SET value = value * (1 + 2.3e-16) WHERE key = 'val_loss' AND step = 4 "
            f"AND run_uuid = {OF_REPLICATE}"
        ),
        "unequal: 1",
    ),
    "an interval is off": (
        on_record("UPDATE metrics SET value = value + 1e-6 WHERE key = 'objective/ci_low'"),
        "objective/ci_low at 2",
    ),
    "the sweep's interval is off": (
        on_record("UPDATE latest_metrics SET value = value * 1.01 WHERE key = 'luck/ci_high'"),
        "luck/ci_high",
    ),
    "Optuna has another value": (
        on_search("UPDATE trial_values SET value = 2 WHERE trial_id = 1"),
        "is COMPLETE with 2",
    ),
    "Optuna has a trial that runs": (on_search("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 2"), "is RUNNING"),
    "a lease is left": (
        on_search("INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'rothamsted:lease', '{}')"),
        "a lease is left",
    ),
    "the sweep is not over": (
        on_search(
            "UPDATE study_user_attributes SET value_json = '{\"how\": \"left\"}' WHERE key = 'rothamsted:sweep_lease'"
        ),
        "the sweep is not over",
    ),
    "a checkpoint is left": (leave_a_checkpoint, "a checkpoint is left"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_audit_sees_that(finished: World, damage: str, tmp_path: Path) -> None:
    root = tmp_path / "world"
    shutil.copytree(finished.root, root)
    urls = {"storage": f"sqlite:///{root / 'optuna.db'}", "record": f"sqlite:///{root / 'mlflow.db'}"}
    world = replace(finished, root=root, **urls)
    do, said = DAMAGES[damage]
    do(world)
    assert any(said in line for line in audit(world, NAME).lines()), audit(world, NAME).lines()


UNSEEN = {
    "a bit differs",  # below the rounding of a mean: only training again can know it, `rothamsted reproduce`
    "the sweep is not over",  # that is no damage: its command goes on with it
    "a checkpoint is left",  # `rothamsted prune`
}


@pytest.mark.parametrize("damage", [one for one in DAMAGES if one not in UNSEEN])
def test_the_doctor_finds_what_the_audit_sees_and_the_command_makes_it_whole(
    finished: World, damage: str, tmp_path: Path
) -> None:
    root = tmp_path / "world"
    shutil.copytree(finished.root, root)
    urls = {"storage": f"sqlite:///{root / 'optuna.db'}", "record": f"sqlite:///{root / 'mlflow.db'}"}
    world = replace(finished, root=root, said=[], **urls)
    where = {"uri": world.record, "storage": world.storage, "home": root}
    assert look_over([], **where).damages == []
    DAMAGES[damage][0](world)
    found = look_over([], **where)
    assert found.damages
    done = repair_all(found, lambda: look_over([], **where), uri=world.record, storage=world.storage)
    assert (done.left, done.after.damages) == ([], [])
    if not audit(world, NAME).is_good:  # something waits for the sweep's command
        here = {"executor": "in_process", "workers": 1}  # no workers, each of which imports for seconds
        assert finish(world, world.start("sweep", str(world.write(NAME, **here)))) == 0, world.said[-1].read_text()
    check(world, audit(world, NAME))
    assert look_over([], **where).damages == []


def _execute(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


# ---- the faults ----


def test_eight_kills_of_workers_coordinators_and_trees_lose_and_double_nothing(world: World) -> None:
    assert survive(world, world.write(NAME), plan_kills(8, seed=1, most_seconds=3.0)) > 0
    check(world, audit(world, NAME))


def test_flipped_bytes_in_checkpoints_change_no_bit_of_the_result(world: World) -> None:
    break_and_check(world, "checkpoints")


@pytest.mark.slow
def test_a_sweep_survives_dropped_connections(postgres_world: World) -> None:
    break_and_check(postgres_world, "connections")


def test_a_command_that_behaves_badly_in_every_way_ends_as_it_must_and_leaves_nothing(world: World) -> None:
    break_and_check(world, "commands")


@pytest.mark.slow
def test_a_sweep_survives_that_its_tracking_server_is_killed_and_started_again(world: World) -> None:
    break_and_check(world, "server gone")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["world", "postgres_world"])
def test_two_promotions_at_once_that_are_killed_leave_one_champion_and_a_whole_ledger(
    where: str, request: pytest.FixtureRequest
) -> None:
    break_and_check(request.getfixturevalue(where), "promotions")


@pytest.mark.slow
def test_workers_whose_clocks_are_ten_minutes_apart_lose_and_double_nothing(postgres_world: World) -> None:
    pytest.importorskip("libfaketime", reason="libfaketime is not installed")
    break_and_check(postgres_world, "clocks apart")


@pytest.mark.slow
def test_a_killed_actor_of_a_sweep_on_two_nodes_of_ray_and_postgresql_loses_and_doubles_nothing(
    postgres_world: World,
) -> None:
    with cluster(PYTHONPATH=str(ROOT)) as nodes:
        ray = {"executor": "ray", "address": nodes.address, "workers": 2, "lease_seconds": 5.0}
        command = postgres_world.start("sweep", str(postgres_world.write(NAME, **ray)))
        until(lambda: has_points(postgres_world, NAME), command)
        time.sleep(rng().uniform(0, 2))
        worker = workers()[0]
        actor = next(one for one in worker.parents() if "ray::" in " ".join(one.cmdline()))
        actor.kill()
        assert finish(postgres_world, command) == 0
    check(postgres_world, audit(postgres_world, NAME))

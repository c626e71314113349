"""Two promotions of one model at the same time, killed at random: one champion, and a ledger without a gap.

Whole commands of a study with models. Two sweeps confirm one step size each; the larger one is better by far after
three steps of gradient descent. The audit reads MLflow's tables with SQL alone.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import sqlalchemy as sa
import yaml

from tests.faults.audit import Audit, check_strays
from tests.faults.kills import MOST_COMMANDS, UnfinishedError, finish, give_again, plan_kills
from tests.faults.world import ROOT, World

MODEL = "line"
RATES = {"worse": 0.05, "better": 0.2}
N_KILLS = 4
MOST_SECONDS = 20.0  # from the start of a promotion to a kill: two contestants on five fresh seeds
DONE = (0, 3)  # promoted; not promoted, which is a result
POLICY = {
    "model": MODEL,
    "study": "line",
    "objective": {"metric": "loss", "direction": "minimize"},
    "replicates": 5,
}


def at_once(world: World, name: str, rng: np.random.Generator) -> tuple[int, Audit]:
    """Promote both sweeps at once, killed again and again; returns the number of faults, and what is wrong."""
    _add_study(world)
    for which, rate in RATES.items():
        give_again(world, world.write(f"{name}-{which}", _document(f"{name}-{which}", rate)))
    made, commands = 0, {which: _promote(world, f"{name}-{which}") for which in RATES}
    for kill in plan_kills(N_KILLS, int(rng.integers(2**31)), MOST_SECONDS):
        time.sleep(kill.after_seconds)
        which = sorted(commands)[int(kill.luck * len(commands))]
        victims = [p for p in world.processes() if p.pid == commands[which].pid]
        made += len(victims)
        for victim in victims:
            victim.kill()
        if commands[which].poll() not in DONE:
            finish(world, commands[which])
            commands[which] = _promote(world, f"{name}-{which}")
    for which in RATES:
        _promote_to_the_end(world, f"{name}-{which}", commands[which])
    return made, _audit(world, name)


def _promote(world: World, sweep: str) -> Any:
    return world.start("promote", f"sweep={sweep}")


def _promote_to_the_end(world: World, sweep: str, command: Any) -> None:
    for _ in range(MOST_COMMANDS):
        if finish(world, command) in DONE:
            return
        command = _promote(world, sweep)
    raise UnfinishedError(f"the promotion of {sweep} does not end; see {world.said[-1]}")


def _add_study(world: World) -> None:
    folder = world.root / "projects" / "line"
    folder.mkdir()
    for source in sorted((ROOT / "tests" / "torch_toy").glob("*.py")):
        (folder / source.name).write_text(source.read_text().replace("tests.torch_toy", "projects.line"))
    with (world.root / "MLproject").open("a") as file:
        file.write('  line:\n    command: "python -m projects.line"\n')
    (world.root / "registry").mkdir()
    (world.root / "registry" / "line.yaml").write_text("# Question: is it better?\n" + yaml.safe_dump(POLICY))


def _document(name: str, rate: float) -> dict[str, Any]:
    return {
        "name": name,
        "study": "line",
        "parameters": {"steps": 3},
        "space": {"lr": [rate]},
        "objective": {"metric": "loss", "direction": "minimize"},
        "sampler": {"name": "grid"},
        "replicates": {"count": 2},
        "confirm": {"replicates": 5},
        "models": "confirmed",
    }


# ---- the audit ----


def _audit(world: World, name: str) -> Audit:
    """One champion, the better one; each change starts where the last one ended; nobody holds the lock."""
    found = Audit()
    engine = sa.create_engine(world.record)
    with engine.connect() as connection:

        def rows(query: str) -> list[Any]:
            return list(connection.execute(sa.text(query), {"model": MODEL}).all())

        aliases = rows("SELECT alias, version FROM registered_model_aliases WHERE name = :model")
        of_model = dict(rows("SELECT key, value FROM registered_model_tags WHERE name = :model"))
        of_versions = rows("SELECT version, key, value FROM model_version_tags WHERE name = :model")
        versions = [version for (version,) in rows("SELECT version FROM model_versions WHERE name = :model")]
        found.left_running = rows("SELECT count(*) FROM runs WHERE status = 'RUNNING'")[0][0]
    engine.dispose()
    sweeps = {version: value for version, key, value in of_versions if key == "rothamsted.sweep"}
    for which in RATES:
        n = list(sweeps.values()).count(f"{name}-{which}")
        found.lost += n == 0
        found.doubled += max(0, n - 1)
    if len(versions) != len(RATES):
        found.others.append(f"versions {versions}, wanted one a sweep")
    judged = {version for version, key, _ in of_versions if key.startswith("rothamsted.judged.")}
    if judged != set(versions):
        found.others.append(f"versions {sorted(set(versions) - judged)} have no verdict")
    champions = [version for alias, version in aliases if alias == "champion"]
    if [sweeps.get(version) for version in champions] != [f"{name}-better"]:
        found.others.append(f"champions {champions} of {sweeps}, wanted the better one alone")
    found.others += _wrong_changes(of_model, champions, dict(aliases).get("previous_champion"))
    if "rothamsted.lock" in of_model:
        found.others.append("somebody still holds the model's lock")
    check_strays(found, world)
    return found


def _wrong_changes(of_model: dict[str, str], champions: list[int], previous: int | None) -> list[str]:
    keys = sorted(key for key in of_model if key.startswith("rothamsted.change."))
    changes = [json.loads(of_model[key]) for key in keys]
    wrong = []
    if [int(key.rpartition(".")[2]) for key in keys] != list(range(1, len(keys) + 1)):
        wrong.append(f"changes are not numbered without a gap: {keys}")
    path = [changes[0]["old"] if changes else None, *(change["new"] for change in changes)]
    if path[0] is not None or [change["old"] for change in changes] != path[:-1]:
        wrong.append(f"a change does not start where the last one ended: {changes}")
    if path[-1:] != [str(version) for version in champions]:
        wrong.append(f"the last change made {path[-1:]} champion, the alias is at {champions}")
    if (None if previous is None else str(previous)) != (path[-2] if len(path) > 1 else None):
        wrong.append(f"the previous champion is {previous}, by the ledger {path[-2:-1]}")
    return wrong

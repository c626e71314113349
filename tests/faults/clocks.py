"""Clocks that are set while a sweep runs: that of the whole machine, or of single processes, as on several machines."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tests.faults.breaking import LEASE_SECONDS, ImpossibleError, give_again, has_points, until
from tests.faults.kills import finish
from tests.faults.world import World

OFFSET_SECONDS = 300


def clock(world: World, name: str, rng: np.random.Generator) -> int:
    """Five minutes ahead, behind, and jumping between both every second, for everyone on this machine."""
    now = world.root / "faketime"
    now.write_text("+0")
    settings = {**_faked(), "FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1"}
    file, made = world.write(name), 0
    until(lambda: has_points(world, name), command := world.start("sweep", str(file), **settings))
    while command.poll() is None:
        _put(now, (f"+{OFFSET_SECONDS}", f"-{OFFSET_SECONDS}", "+0")[rng.integers(3)])
        made += 1
        time.sleep(rng.uniform(0.5, 1.5))
    if command.returncode != 0:
        give_again(world, file)
    return made


def clocks_apart(world: World, name: str, rng: np.random.Generator) -> int:
    """Two workers by hand have a clock five minutes ahead and one five minutes behind; one of them is killed.

    On PostgreSQL, which has a clock of its own, each of them has the name of another host, too: nobody but the lease
    can tell that it is dead.
    """
    is_shared = world.server is not None
    file = world.write(name, lease_seconds=LEASE_SECONDS, workers=1)
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    offsets = (OFFSET_SECONDS, -OFFSET_SECONDS)
    helpers = [
        world.start(
            "worker",
            name,
            f"storage={world.storage}",
            host=f"host-{number}" if is_shared else "",
            **_faked(),
            FAKETIME=f"{offset:+d}s",
        )
        for number, offset in enumerate(offsets)
    ]
    said = world.said[-len(helpers) :]
    until(lambda: all(path.stat().st_size for path in said), command)  # each has begun a replicate
    time.sleep(rng.uniform(0, 2))
    helpers[rng.integers(len(helpers))].kill()
    for one in (command, *helpers):
        finish(world, one)
    give_again(world, file)
    return len(offsets) + 1


def find_libfaketime() -> Path:
    """The library of `pip install libfaketime`."""
    from importlib.util import find_spec

    spec = find_spec("libfaketime")
    found = sorted(Path(spec.origin).parent.rglob("libfaketime.so.1")) if spec and spec.origin else []
    if not found:
        raise ImpossibleError("libfaketime is not installed (pip install libfaketime)")
    return found[0]


def _faked() -> dict[str, str]:
    """A process whose clock can be set; the one that only counts seconds stays right."""
    return {"LD_PRELOAD": str(find_libfaketime()), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _put(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)  # nobody reads half of it

"""SIGKILLs at random moments, each of a worker, of the coordinator or of the whole tree, from one seed.

After each the same command is given again, until it says by its exit status that the sweep is finished.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from tests.faults.world import World

VICTIMS = ("worker", "coordinator", "tree")
FEWEST_SECONDS, MOST_SECONDS = 0.2, 8.0  # between two kills: from a command's start to the end of a short sweep
MOST_COMMANDS = 12  # more than a sweep may need when nobody kills any more
SECONDS = 400.0  # no command of these sweeps takes a tenth of it on a quiet machine


class UnfinishedError(Exception):
    """A sweep did not come to its end, whatever was done."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One SIGKILL to come.

    Attributes:
        luck: in [0, 1): which of several processes.
    """

    victim: Literal["worker", "coordinator", "tree"]
    after_seconds: float
    luck: float


def plan_kills(n: int, seed: int, most_seconds: float = MOST_SECONDS) -> list[Kill]:
    """The same for the same seed; the moments depend on the machine all the same."""
    rng = np.random.default_rng(seed)
    return [
        Kill(
            victim=VICTIMS[rng.integers(len(VICTIMS))],  # pyright: ignore[reportArgumentType]
            after_seconds=float(rng.uniform(FEWEST_SECONDS, most_seconds)),
            luck=float(rng.random()),
        )
        for _ in range(n)
    ]


def survive(world: World, file: Path, kills: Sequence[Kill]) -> int:
    """Give the sweep's command until it is finished, and kill meanwhile; returns how many kills met something.

    Raises:
        UnfinishedError: it does not end, or ends without success when nobody kills any more.
    """
    made, left = 0, list(kills)
    for _ in range(len(kills) + MOST_COMMANDS):
        command = world.start("sweep", str(file))
        while left and not _ends_within(command, left[0].after_seconds):
            made += strike(world, command, left.pop(0))
        if finish(world, command) == 0:
            return made
    raise UnfinishedError(f"{file.stem}: not finished; see {world.said[-1]}")


def strike(world: World, command: subprocess.Popen[bytes], kill: Kill) -> bool:
    """Kill what was planned; False: it was not there."""
    there = sorted(world.processes(), key=lambda process: process.pid)
    others = [process for process in there if process.pid != command.pid]
    if kill.victim == "tree":
        victims = there
    elif kill.victim == "coordinator":
        victims = [process for process in there if process.pid == command.pid]
    else:
        victims = others[int(kill.luck * len(others)) :][:1]
    for victim in victims:
        with suppress(psutil.Error):
            victim.kill()
    return bool(victims)


def finish(world: World, command: subprocess.Popen[bytes]) -> int:
    """Wait until a command ends; its exit status.

    Raises:
        UnfinishedError: it does not end.
    """
    try:
        return command.wait(SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UnfinishedError(f"{command.args} has not ended after {SECONDS:g} s; see {world.said[-1]}") from error


def give_again(world: World, file: Path) -> None:
    """Give the sweep's command until it says that it is finished."""
    survive(world, file, [])


def _ends_within(command: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while command.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return command.poll() is not None

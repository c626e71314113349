"""Trains the toy with a checkpoint after every measurement, to be killed on its way in a process of its own."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from typing import Literal

from rothamsted.studies import Checkpoint
from tests.studies.trainings import run
from tests.toy import Config, Optimizer

STEPS = 40


def config(*, kill_at_step: int = -1, kill_marker: Path | str = "") -> Config:
    """A training with momentum, so that its state is more than its parameter."""
    return Config(
        seed=7,
        lr=0.21,
        x=-0.4,
        optimizer=Optimizer(name="heavy_ball", momentum=0.83),
        steps=STEPS,
        n_points=13,
        kill_at_step=kill_at_step,
        kill_marker=str(kill_marker),
    )


def die_in_the_nth_write(n_write: int) -> None:
    """SIGKILL when the n-th file is on the disk but has not been moved into place."""
    fsync, n_begun = os.fsync, 0

    def dying(descriptor: int) -> None:
        nonlocal n_begun
        fsync(descriptor)
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)  # not the folder, which is brought to the disk too
        n_begun += is_file
        if is_file and n_begun == n_write:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = dying


def train_and_die(folder: Path, how: Literal["step", "write"], number: int) -> None:
    """Train, and be killed at the start of step `number`, or in the `number`-th write of a checkpoint."""
    if how == "step":
        own = config(kill_at_step=number, kill_marker=marker_beside(folder))
    else:
        own = config()
        die_in_the_nth_write(number)
    run(own, checkpoint=Checkpoint(folder=folder, every_seconds=0.0))


def marker_beside(folder: Path) -> Path:
    """The file that says that the kill has happened."""
    return folder.with_suffix(".killed")

"""Processes that are really killed (SIGKILL) and started again end with the numbers of one that never was.

Authority of every comparison: the same training, uninterrupted; equal to the last bit, measured times left out.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from rothamsted.records import Measured, Outcome
from rothamsted.studies import Checkpoint
from tests.forked import FORKED
from tests.studies.conftest import toy_environment
from tests.studies.session import STEPS, config, marker_beside, train_and_die
from tests.studies.trainings import bits, rows_without_times, run

RANDOM_STEPS = sorted(random.Random(20261121).sample(range(1, STEPS + 1), 4))


def kill_one(folder: Path, how: Literal["step", "write"], number: int) -> None:
    """Start a training that is killed on its way."""
    process = FORKED.Process(target=train_and_die, args=(folder, how, number))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("step", RANDOM_STEPS)
def test_a_training_killed_at_any_step_ends_with_the_same_bits(step: int, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    kill_one(folder, "step", step)
    own = config(kill_at_step=step, kill_marker=marker_beside(folder))
    assert marker_beside(folder).exists()  # else it would kill this process
    assert bits(run(own, checkpoint=Checkpoint(folder=folder))) == bits(run(config()))


@pytest.mark.parametrize("n_write", [1, 4])
def test_a_training_killed_while_it_writes_a_checkpoint_ends_with_the_same_bits(n_write: int, tmp_path: Path) -> None:
    kill_one(tmp_path / "checkpoints", "write", n_write)
    assert bits(run(config(), checkpoint=Checkpoint(folder=tmp_path / "checkpoints"))) == bits(run(config()))


def test_a_half_written_checkpoint_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    kill_one(folder, "write", 4)
    assert len(list(folder.glob("*.unfinished"))) == 1
    restored: list[Measured] = []
    run(config(), checkpoint=Checkpoint(folder=folder), on_restored=lambda member, measured: restored.append(measured))
    assert len(restored) == 3  # the fourth was on its way


def test_what_a_killed_write_left_is_removed_when_training_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    kill_one(folder, "write", 4)
    run(config(), checkpoint=Checkpoint(folder=folder))
    assert not folder.exists()


def test_a_batch_size_run_killed_and_started_again_ends_with_the_same_bits(home: Path) -> None:
    fields = ["--steps=12", "--evals=6", "--width=8", "--batch_size=8", "--optimizer.name=adam", "--optimizer.lr=0.01"]
    arguments = [*fields, "--checkpoint-dir=kept", "--checkpoint-every=0", "--output=files"]
    for module, status in (
        (["tests.studies.dying_batch_size", "5"], -signal.SIGKILL),
        (["projects.batch_size"], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *module, *arguments],
            cwd=home,
            env=toy_environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stderr
    from projects.batch_size.__main__ import STUDY, Config
    from projects.batch_size.config import OptimizerConfig

    own = Config(steps=12, evals=6, width=8, batch_size=8, optimizer=OptimizerConfig(name="adam", lr=0.01))
    assert STUDY.keeps is not None
    [reference] = run(own, study=STUDY, keep=STUDY.keeps(own))  # a run by hand keeps its best weights, too
    assert reference.outcome is Outcome.FINISHED
    assert rows_without_times((home / "files" / "metrics.csv").read_text()) == bits([reference])[0]

"""Processes killed with SIGKILL at every single step, and at random moments, then started until they are done.

Apart from test_killed, which picks the moments: here the clock does.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from rothamsted.studies import Checkpoint, drive, set_fields
from tests.forked import FORKED
from tests.toy import STUDY, Config

STEPS = 12
FIELDS = {"seed": 5, "steps": STEPS, "n_points": 8, "optimizer.momentum": 0.9}


def train_all(folder: Path, fields: Mapping[str, object]) -> None:
    """Train one toy to its end with a checkpoint after every measurement, and write down all that it measured.

    But not the times, which are measured anew in each process. JSON keeps every bit of a float.
    """
    [ending] = drive(
        STUDY,
        [set_fields(Config, fields)],
        on_measurement=lambda member, measured: None,
        checkpoint=Checkpoint(folder=folder / "ck", every_seconds=0),
    )
    rows = [{"step": m.step, **m.metrics} for m in ending.history]
    for row in rows:
        del row["seconds"], row["samples_per_second"]
    (folder / "rows.json").write_text(json.dumps([rows, ending.model.w]))


def start(folder: Path, fields: Mapping[str, object]) -> BaseProcess:
    process = FORKED.Process(target=train_all, args=(folder, fields))
    process.start()
    return process


def status_of(process: BaseProcess) -> int | None:
    """How it ended; None where it has not ended in a minute."""
    process.join(60)
    return process.exitcode


def rows_of(folder: Path) -> object:
    return json.loads((folder / "rows.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What a process measures that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    assert status_of(start(folder, FIELDS)) == 0
    return rows_of(folder)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_process_killed_at_every_step_goes_on_to_the_same_bits(tmp_path: Path, whole: object, step: int) -> None:
    fields = FIELDS | {"kill_at_step": step, "kill_marker": str(tmp_path / "marker")}
    assert status_of(start(tmp_path, fields)) == -signal.SIGKILL
    assert status_of(start(tmp_path, fields)) == 0
    assert rows_of(tmp_path) == whole


def newest(folder: Path) -> str | None:
    return max((path.name for path in folder.glob("ck/*.safetensors")), default=None)


def test_a_process_killed_at_random_moments_goes_on_to_the_same_bits(tmp_path: Path, whole: object) -> None:
    # A measurement every 60 ms: each process makes at least one more checkpoint, then is killed wherever it is.
    fields = FIELDS | {"sleep_seconds": 0.04}
    rng, n_killed = np.random.default_rng(7), 0
    for _ in range(8):
        process, before, deadline = start(tmp_path, fields), newest(tmp_path), time.monotonic() + 60
        while newest(tmp_path) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.1))
        process.kill()
        n_killed += status_of(process) == -signal.SIGKILL
    assert n_killed >= 3
    assert status_of(start(tmp_path, fields)) == 0
    assert rows_of(tmp_path) == whole

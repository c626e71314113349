"""Which GPUs workers see, with a made `nvidia-smi` that lists them: a worker each, or several, or none."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import UserError
from rothamsted.executors import Job, LocalExecutor
from rothamsted.executors.devices import Device, find_devices
from tests.conftest import ROOT

TWO = "0, GPU-aaaa, NVIDIA H200\n1, GPU-bbbb, NVIDIA H200\n"
SEEN = ["CUDA_VISIBLE_DEVICES", "ROTHAMSTED_DEVICE", "XLA_PYTHON_CLIENT_PREALLOCATE", "JAX_PLATFORMS"]
SECONDS = 60.0


def machine(folder: Path, listed: str | None, **more: str) -> dict[str, str]:
    """The environment of a machine whose nvidia-smi says this; None: it fails."""
    programs = folder / "bin"
    programs.mkdir()
    text = "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18"
    text = text if listed is None else f"cat <<'E'\n{listed}E"
    (programs / "nvidia-smi").write_text(f"#!/bin/bash\n{text}\n")
    (programs / "nvidia-smi").chmod(0o755)
    own = {key: value for key, value in os.environ.items() if key not in SEEN}
    return {**own, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), **more}


def seen(
    environment: dict[str, str], n_workers: int, *, most: int | None = None, **options: Any
) -> list[tuple[Any, ...]]:
    """What the workers see of the variables, in the order of the first."""
    job = Job(entry="tests.executors.workers:say_variables", arguments={"names": SEEN}, options=options, most=most)
    with LocalExecutor(environment=environment).start(job, n_workers) as crew:
        found, deadline = [], time.monotonic() + SECONDS
        while crew.n_alive:
            assert time.monotonic() < deadline
            found += [tuple(event.said["found"].values()) for event in crew.events(0.2) if event.said]
    return sorted(found, key=str)


def test_each_worker_sees_one_gpu_and_auto_starts_no_more_than_there_are(tmp_path: Path) -> None:
    found = seen(machine(tmp_path, TWO), 64, most=64)
    assert found == [
        ("GPU-aaaa", "NVIDIA H200 (GPU 0)", None, None),
        ("GPU-bbbb", "NVIDIA H200 (GPU 1)", None, None),
    ]


def test_workers_that_share_a_gpu_do_not_take_its_memory_at_once(tmp_path: Path) -> None:
    found = seen(machine(tmp_path, TWO), 64, most=64, workers_per_device=2)
    assert [one[0] for one in found] == ["GPU-aaaa", "GPU-aaaa", "GPU-bbbb", "GPU-bbbb"]
    assert {one[2] for one in found} == {"false"}


def test_more_workers_than_gpus_are_shared_out_evenly_where_the_file_says_how_many(tmp_path: Path) -> None:
    found = seen(machine(tmp_path, TWO), 4)
    assert [one[0] for one in found] == ["GPU-aaaa", "GPU-aaaa", "GPU-bbbb", "GPU-bbbb"]
    assert {one[2] for one in found} == {"false"}


def test_some_of_the_gpus_by_number_and_by_what_this_process_sees(tmp_path: Path) -> None:
    environment = machine(tmp_path, TWO)
    assert [one[0] for one in seen(environment, 1, devices=[1])] == ["GPU-bbbb"]
    left = {**environment, "CUDA_VISIBLE_DEVICES": "1"}
    assert find_devices(left) == (Device(index=1, uuid="GPU-bbbb", name="NVIDIA H200"),)
    assert find_devices({**environment, "CUDA_VISIBLE_DEVICES": "GPU-aa"}) == find_devices(environment)[:1]
    assert find_devices({**environment, "CUDA_VISIBLE_DEVICES": ""}) == ()


def test_none_hides_the_gpus_and_what_cannot_use_one_gets_none(tmp_path: Path) -> None:
    environment = machine(tmp_path, TWO)
    assert seen(environment, 2, devices="none") == [("", None, None, "cpu")] * 2
    assert seen(environment, 2, uses_gpu=False) == [(None, None, None, None)] * 2


def test_a_machine_without_gpus_is_left_as_it_is(tmp_path: Path) -> None:
    assert seen(machine(tmp_path, ""), 2, most=2) == [(None, None, None, None)] * 2


def test_what_is_used_is_said_and_what_is_not_there_refused(tmp_path: Path) -> None:
    executor = LocalExecutor(environment=machine(tmp_path, TWO))
    [line] = executor.check(Job(entry="a:b"), 2)
    assert line == "devices: NVIDIA H200 (GPU 0), NVIDIA H200 (GPU 1); 1 worker each"
    with pytest.raises(UserError, match=r"execution.devices: 7 is not there; nvidia-smi finds: 0 \(NVIDIA H200\), 1"):
        executor.check(Job(entry="a:b", options={"devices": [0, 7]}), 2)


def test_a_driver_that_fails_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    executor = LocalExecutor(environment=machine(tmp_path, None))
    why = r"nvidia-smi fails .*version mismatch.*; repair the driver, or give execution.devices=none"
    with pytest.raises(UserError, match=why):
        executor.check(Job(entry="a:b"), 2)

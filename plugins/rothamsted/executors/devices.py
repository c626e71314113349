"""Find the GPUs of this machine, and give each worker one, unless several share one.

A worker sees its GPU as number 0, because CUDA_VISIBLE_DEVICES is set before it imports anything.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted.errors import UserError

PROGRAM = "nvidia-smi"
SECONDS = 20.0  # a driver that wakes up takes some
VISIBLE = "CUDA_VISIBLE_DEVICES"
NAME = "ROTHAMSTED_DEVICE"  # of a worker: what its device is called
_QUERY = ("--query-gpu=index,uuid,name", "--format=csv,noheader")
_NO_GPU = {VISIBLE: "", "JAX_PLATFORMS": "cpu"}
_SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else JAX takes three quarters of its memory at once


@dataclass(frozen=True, kw_only=True)
class Device:
    """Describes a GPU.

    Attributes:
        index: its number, as nvidia-smi has it.
        uuid: its unique name.
        name: its model, such as NVIDIA H200.
    """

    index: int
    uuid: str
    name: str


def find_devices(environment: Mapping[str, str] | None = None) -> tuple[Device, ...]:
    """Return the GPUs that this process may use: those of nvidia-smi that CUDA_VISIBLE_DEVICES allows.

    Args:
        environment: the variables of this process; None: its own.

    Raises:
        UserError: nvidia-smi exists and fails.
    """
    own = os.environ if environment is None else environment
    program = shutil.which(PROGRAM, path=own.get("PATH"))
    if program is None:
        return ()
    try:
        done = subprocess.run(
            [program, *_QUERY], capture_output=True, text=True, timeout=SECONDS, check=True, env=dict(own)
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)
        raise UserError(
            f"execution.devices: {PROGRAM} fails ({' '.join(str(said).split())[:200]}); repair the driver, or give "
            "execution.devices=none"
        ) from error
    rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    devices = tuple(Device(index=int(row[0]), uuid=row[1], name=row[2]) for row in rows if len(row) == 3)
    visible = own.get(VISIBLE)
    if visible is None:
        return devices
    return tuple(one for word in visible.split(",") for one in _named(word.strip(), devices))


def slots_of(
    options: Mapping[str, Any], environment: Mapping[str, str] | None = None, n_workers: int = 0
) -> tuple[Mapping[str, str], ...]:
    """Return the environment variables of each worker that the GPUs have room for; empty if workers get no GPUs.

    Args:
        options: options of the job: `devices` (auto, none, or numbers), `workers_per_device`, and `uses_gpu`, whether
            the training can use one.
        environment: the variables of this process; None: its own.
        n_workers: number of workers, if the file says it. If it is more than there is room for, workers share GPUs.

    Raises:
        UserError: there is no GPU of a number.
    """
    wanted, per_device = options.get("devices", "auto"), options.get("workers_per_device", 1)
    if wanted == "none" or (wanted == "auto" and not options.get("uses_gpu", True)):
        return ()
    found = find_devices(environment)
    devices = found if wanted == "auto" else [_numbered(number, found) for number in wanted]
    more = _SHARED if per_device > 1 or n_workers > len(devices) else {}
    return tuple(
        {VISIBLE: one.uuid or str(one.index), NAME: f"{one.name} (GPU {one.index})", **more}
        for _ in range(per_device)
        for one in devices
    )


def without_gpu(options: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the variables that hide all GPUs from a worker; empty unless the file says so."""
    return _NO_GPU if options.get("devices") == "none" else {}


def said_of(slots: Sequence[Mapping[str, str]]) -> str:
    """Return a line on the GPUs used: `devices: NVIDIA H200 (GPU 0), NVIDIA H200 (GPU 1); 2 workers each`."""
    names = list(dict.fromkeys(slot[NAME] for slot in slots))
    per_device = len(slots) // len(names)
    return f"devices: {', '.join(names)}; {per_device} worker{'s' if per_device > 1 else ''} each"


def name_here(environment: Mapping[str, str]) -> str:
    """Return the name of the GPU that another program, such as Ray, has given to this process; empty: none."""
    if not environment.get(VISIBLE):
        return ""
    return ", ".join(f"{one.name} (GPU {one.index})" for one in find_devices(environment))


def _named(word: str, devices: Sequence[Device]) -> list[Device]:
    return [one for one in devices if word and (word == str(one.index) or one.uuid.startswith(word))]


def _numbered(number: int, devices: Sequence[Device]) -> Device:
    for one in devices:
        if one.index == number:
            return one
    there = ", ".join(f"{one.index} ({one.name})" for one in devices) or "none"
    raise UserError(f"execution.devices: {number} is not there; {PROGRAM} finds: {there}")

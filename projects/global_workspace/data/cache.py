"""Keep arrays that are made once in files, named by the digest of their parameters.

Beside each file is a .json with its parameters and single numbers, for people. If processes need the same arrays at the
same time, one makes them and the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from projects.files.arrays import read_npz
from projects.files.download import write_atomically
from projects.files.problem import DataProblem
from projects.files.reading import is_there
from projects.files.values import finite_numbers

FOLDER = Path("data") / "global_workspace"  # under the working directory
_WAY_OUT = "remove it; it will be made again"
_VERSION = 1  # of what lies in the files: raise it when equal parameters give other arrays


def cache_path(kind: str, parameters: Mapping[str, Any]) -> Path:
    """Say where the arrays of these parameters lie: <kind>-<16 digits of the sha256 of the parameters>.npz."""
    text = json.dumps({"version": _VERSION, **parameters}, sort_keys=True)
    return FOLDER / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def cached(
    kind: str, parameters: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Read arrays from the cache, or make them and keep them.

    Args:
        kind: what they are; begins the file's name.
        parameters: all that the arrays depend on; JSON values.
        make: makes them.

    Returns:
        Name -> array.

    Raises:
        DataProblem: a cached file is damaged, or the folder cannot be written.
    """
    path = cache_path(kind, parameters)
    if not is_there(path, way_out=_WAY_OUT):
        with _alone(path):
            if not is_there(path, way_out=_WAY_OUT):
                arrays = make()
                _describe(path, parameters, arrays)
                _write(path, arrays)
    return _read(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a cache file; the system lets go of it when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.stem}.lock").open("w")
    except OSError as error:
        raise _unwritable(path, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _describe(path: Path, parameters: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    numbers = {name: array.item() for name, array in arrays.items() if array.shape == () and array.dtype.kind == "f"}
    text = json.dumps({"made_from": parameters, "numbers": numbers}, indent=2) + "\n"
    write_atomically(path.with_suffix(".json"), text.encode())


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub takes them for allow_pickle
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = read_npz(path, way_out=_WAY_OUT)
    return {name: finite_numbers(array, place=f"{path}: {name}", way_out=_WAY_OUT) for name, array in arrays.items()}


def _unwritable(path: Path, error: OSError) -> DataProblem:
    return DataProblem(f"{path}: cannot be written ({error.strerror or error}); free space or run elsewhere")

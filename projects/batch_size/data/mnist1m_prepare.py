"""Prepare MNIST-1M: turn its ten archives or chunks into one shuffled file, once, in bounded memory.

Rows are written to their final place in two memory-mapped files, which are then packed into one .npz.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from projects.batch_size.data.mnist import SIDE
from projects.batch_size.data.mnist1m_sources import Source, open_source
from projects.batch_size.data.split import stratified_order
from projects.files.arrays import BLOCK_BYTES
from projects.files.problem import DataProblem

SPLIT_SEED = 42
N_TEST = 50_000  # of a million
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of the format: equal arrays give equal files
_LARGEST_TEST_SHARE = 10  # one part in ten: what a smaller source gives for testing


def write_mnist1m(source: Path, path: Path) -> None:
    """Read the parts in the folder `source` and write the file `path`; see `mnist1m.prepare_mnist1m`.

    Raises:
        DataProblem: a part is missing or damaged, or the file cannot be written.
    """
    images = open_source(source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(path.parent, len(images.labels))
        with tempfile.TemporaryDirectory(prefix=".mnist1m-", dir=path.parent) as scratch:
            pack_npz(path, _write_parts(images, Path(scratch)))
    except OSError as error:
        raise DataProblem(
            f"{path}: cannot be written ({error.strerror or error}); free space or choose another target"
        ) from error


def n_test_rows(n_rows: int) -> int:
    """Return the number of rows of the test part: 50,000, and at most a tenth of all, and at least one."""
    return min(N_TEST, max(1, n_rows // _LARGEST_TEST_SHARE))


def pack_npz(target: Path, arrays: Mapping[str, Path]) -> None:
    """Pack .npy files into one uncompressed .npz, which gets its name when it is complete.

    Args:
        target: the file to write.
        arrays: name of each array and the .npy file that holds it.
    """
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for key, path in arrays.items():
                member = zipfile.ZipInfo(f"{key}.npy", _EPOCH)
                with path.open("rb") as read, archive.open(member, "w", force_zip64=True) as write:
                    shutil.copyfileobj(read, write, BLOCK_BYTES)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _check_space(folder: Path, n_rows: int) -> None:
    needed = 2 * n_rows * SIDE * SIDE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataProblem(
            f"{folder}: {needed / 1e6:.0f} MB are needed for {n_rows} rows, twice the result, "
            f"{free / 1e6:.0f} MB are free; free space or choose another target"
        )


def _write_parts(images: Source, scratch: Path) -> Mapping[str, Path]:
    """Sort every image into its part and place; returns the .npy files by their names in the .npz."""
    labels = images.labels
    rng = np.random.default_rng(SPLIT_SEED)
    order = stratified_order(labels, rng)
    n_test = n_test_rows(len(labels))
    rows = {"test": rng.permutation(order[:n_test]), "train": rng.permutation(order[n_test:])}
    place = np.empty(len(labels), np.int64)  # of each image in its part
    is_test = np.zeros(len(labels), bool)
    is_test[rows["test"]] = True
    for part_rows in rows.values():
        place[part_rows] = np.arange(len(part_rows))

    paths = {key: scratch / f"{key}.npy" for key in ("X_train", "y_train", "X_test", "y_test")}
    maps = {
        part: np.lib.format.open_memmap(
            paths[f"X_{part}"], mode="w+", dtype=np.uint8, shape=(len(rows[part]), SIDE, SIDE)
        )
        for part in ("train", "test")
    }
    _scatter(images, maps["train"], maps["test"], is_test, place)
    for part in ("train", "test"):
        maps[part].flush()
        np.save(paths[f"y_{part}"], labels[rows[part]])
    return paths


def _scatter(images: Source, train: np.ndarray, test: np.ndarray, is_test: np.ndarray, place: np.ndarray) -> None:
    """Write each image to its place in its part, block by block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("MNIST-1M", total=len(place))
        start = 0
        for block in images.blocks():
            stop = start + len(block)
            to_test, to_place = is_test[start:stop], place[start:stop]
            test[to_place[to_test]] = block[to_test]
            train[to_place[~to_test]] = block[~to_test]
            progress.advance(task, len(block))
            start = stop

"""Read a folder of exclusive-or targets: targets, what each view gives to them, attributes without size, latents.

    <part>_xor_targets.npy (or .csv)   a row an item: size_normalized, size_bin, random_bin, xor_target_normalized
    <part>_labels_nosize.npy           here or one folder up: class, x, y, rotation, red, green, blue, random
    <part>_visual_features.npy         here; or saved_latents/<part>/NAME.npy here or one folder up

The target is (size_bin + random_bin) mod n_bins where the folder was made by its usual program. It is taken as it
stands there, never made again.
"""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

import numpy as np

from projects.files.arrays import read_npy
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_there, listed, read_text, reading
from projects.files.values import class_numbers, single_precision
from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.dataset import Split
from projects.global_workspace.data.labels import N_CLASSES

COLUMNS = ("size_normalized", "size_bin", "random_bin", "xor_target_normalized")
N_LABELS = 8  # of an item, without its size
_LEAST, _MOST, _BYTE = 7, 24, 255  # of x and y, in pixels; of a colour
_MOST_BINS = 1 << 15  # bins are kept as int16
_WAY_OUT = "give the folder of the targets as data.path, or data.name=simple_shapes to draw a set"


def read_part(config: DataConfig, part: str) -> Split:
    """Read one part of the folder, its first `n_rows` items.

    The vector of the visual domain is the latent and the size, that of the attribute domain class (one-hot), place,
    cos and sin of rotation, colour and the random number, each in the original's units (0 to 1). Target j is bit j
    of the folder's target.

    Raises:
        DataProblem: a file is missing, damaged or of another form, or has too few rows.
    """
    folder = given_path(str(config.path))
    table = read_table(folder, part)
    n = _n_rows(config, folder, part, len(table[COLUMNS[0]]))
    labels = _read_labels(folder, part, len(table[COLUMNS[0]]))[:n]
    latents = _read_latents(folder, part, n)
    target = _classes(folder, part, table["xor_target_normalized"][:n], config.n_bins)
    n_bits = config.count("synergy")
    bits = (target[:, None] >> np.arange(n_bits) & 1).astype(np.int8)
    if (constant := np.flatnonzero(bits.min(axis=0) == bits.max(axis=0))).size:
        raise DataProblem(
            f"{folder}: bit {constant[0]} of the target is the same in all {n} {part} rows, and no probe can learn it; "
            "take more rows"
        )
    size = table["size_normalized"][:n, None]
    nothing = np.zeros((n, 0), np.int8)
    sources = {"visual": table["size_bin"][:n], "attributes": table["random_bin"][:n]}
    return Split(
        domains={
            "visual": np.hstack([latents, size]).astype(np.float32),
            "attributes": attribute_vectors(labels),
        },
        synergy=bits,
        unique={"visual": nothing, "attributes": nothing},
        redundant=nothing,
        sources={name: np.repeat(own.astype(np.int16)[:, None], n_bits, axis=1) for name, own in sources.items()},
    )


def columns_of(split: Split) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the columns of the vectors, as `config.columns`; all bits of the target have one source."""
    n_bits = split.synergy.shape[1]
    last = {domain: x.shape[1] - 1 for domain, x in split.domains.items()}
    none: dict[str, tuple[int, ...]] = dict.fromkeys(last, ())
    return {
        "latent": {domain: tuple(range(n)) for domain, n in last.items()},
        "synergy": {domain: (n,) * n_bits for domain, n in last.items()},
        "unique": none,
        "redundant": none,
    }


def read_table(folder: Path, part: str) -> dict[str, np.ndarray]:
    """Read the columns of `COLUMNS`, each (n,), from the .npy file, or from the .csv file if that has no names.

    Raises:
        DataProblem: neither is there, or a column is missing or holds what is no number.
    """
    path = folder / f"{part}_xor_targets.npy"
    has_csv = _is_there(path.with_suffix(".csv"))
    found = _named(read_npy(path, way_out=_WAY_OUT)) if _is_there(path) or not has_csv else {}
    if not found and has_csv:
        path = path.with_suffix(".csv")
        found = _read_csv(path)
    if missing := [name for name in COLUMNS if name not in found]:
        there = ", ".join(found) or "no names"
        raise DataProblem(f"{path}: has no column {', '.join(missing)}, but {there}; {_WAY_OUT}")
    table = {name: _numbers(found[name], f"{path}: {name}").ravel() for name in COLUMNS}
    for name in ("size_bin", "random_bin"):
        class_numbers(table[name], _MOST_BINS, place=f"{path}: {name}", way_out=_WAY_OUT)
    if len({len(column) for column in table.values()}) > 1:
        raise DataProblem(f"{path}: its columns have different lengths; make the file again")
    return table


def attribute_vectors(labels: np.ndarray) -> np.ndarray:
    """Turn items without size into vectors: float32 (n, 11).

    Args:
        labels: class, x, y, rotation, red, green, blue, random: (n, 8).
    """
    classes = np.eye(N_CLASSES)[labels[:, 0].astype(int)]
    place = (labels[:, 1:3] - _LEAST) / (_MOST - _LEAST)
    angle, color = labels[:, 3], labels[:, 4:7] / _BYTE
    return np.column_stack([classes, place, np.cos(angle), np.sin(angle), color, labels[:, 7]]).astype(np.float32)


def _n_rows(config: DataConfig, folder: Path, part: str, n_there: int) -> int:
    asked = config.n_rows(part)
    if n_there == 0 or (asked or 0) > n_there:
        raise DataProblem(
            f"{folder}: has {n_there} {part} rows, but {asked or 1} are needed; ask for fewer by data.n_{part}"
        )
    return asked or n_there


def _read_labels(folder: Path, part: str, n: int) -> np.ndarray:
    name = f"{part}_labels_nosize.npy"
    path = next((place / name for place in (folder, folder.parent) if _is_there(place / name)), folder / name)
    labels = _numbers(read_npy(path, way_out=_WAY_OUT), str(path))
    if labels.shape != (n, N_LABELS):
        raise DataProblem(
            f"{path}: labels have the shape ({n}, {N_LABELS}) for {n} targets, got {labels.shape}; {_WAY_OUT}"
        )
    class_numbers(labels[:, 0], N_CLASSES, place=f"{path}: column 0", way_out=_WAY_OUT)
    return labels


def _read_latents(folder: Path, part: str, n: int) -> np.ndarray:
    """The latents of the first n items, (n, d): of (n, 2, d) the means."""
    path = _latent_path(folder, part)
    found = _numbers(read_npy(path, way_out=_WAY_OUT), str(path))
    if found.ndim == 3 and found.shape[1] == 2:  # mean and log variance
        found = found[:, 0]
    if found.ndim != 2 or len(found) < n:
        raise DataProblem(
            f"{path}: latents are ({n} or more, d), or means and log variances (…, 2, d), got {found.shape}; {_WAY_OUT}"
        )
    return found[:n]


def _latent_path(folder: Path, part: str) -> Path:
    own = folder / f"{part}_visual_features.npy"
    if _is_there(own):
        return own
    places = [place / "saved_latents" / part for place in (folder, folder.parent)]
    for place in places:
        found = listed(place, "*.npy", way_out=_WAY_OUT)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise DataProblem(f"{place}: holds several latents ({names}); keep one, or copy it to {own}")
        if found:
            return found[0]
    raise DataProblem(f"{own}: there are no visual latents, nor in {' or '.join(map(str, places))}; put them there")


def _classes(folder: Path, part: str, normalized: np.ndarray, n_bins: int) -> np.ndarray:
    """Targets between 0 and 1 as whole numbers below `n_bins`."""
    scaled = normalized * (n_bins - 1)
    nearest = np.rint(scaled)
    is_one = (np.abs(scaled - nearest) <= 1e-3) & (nearest >= 0) & (nearest < n_bins)
    if not is_one.all():
        raise DataProblem(
            f"{folder}: {part} targets are not multiples of 1/{n_bins - 1} between 0 and 1; set data.n_bins to the "
            "number of bins that they were made with"
        )
    return nearest.astype(np.int64)


def _named(table: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a table with names; empty for one without."""
    return {name: table[name] for name in table.dtype.names or ()}


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    file = io.StringIO(read_text(path, way_out=_WAY_OUT), newline="")
    with reading(path, way_out=_WAY_OUT):
        names = next(csv.reader(file), [])
        with warnings.catch_warnings(action="ignore"):  # NumPy's warning of no rows, which is an error below
            numbers = np.loadtxt(file, delimiter=",", ndmin=2)
    if not len(numbers) or numbers.shape[1] != len(names):
        raise DataProblem(
            f"{path}: the number of names is {len(names)}, and that of columns {numbers.shape[1]}; {_WAY_OUT}"
        )
    return dict(zip(names, numbers.T, strict=True))


def _is_there(path: Path) -> bool:
    return is_there(path, way_out=_WAY_OUT)


def _numbers(values: np.ndarray, place: str) -> np.ndarray:
    """Finite numbers, also in the single precision that vectors have."""
    single_precision(values, place=place, way_out=_WAY_OUT)
    return values.astype(np.float64)

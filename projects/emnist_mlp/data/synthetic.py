"""Expand data by distorted copies of training images, made once, with the parent of each copy.

Every copy keeps the number of its parent row, so that a run leaves out the copies of its validation rows.
"""

from __future__ import annotations

import hashlib
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from projects.emnist_mlp.data.config import FOLDER, DataConfig
from projects.emnist_mlp.data.dataset import Rows, Source, digest_of
from projects.emnist_mlp.data.emnist import read_folder
from projects.emnist_mlp.data.fonts import DISTORTION, distorted, read_fonts
from projects.emnist_mlp.data.idx_rows import checked_rows
from projects.files.arrays import read_npz
from projects.files.download import write_atomically
from projects.files.problem import DataProblem
from projects.files.reading import given_path, open_file, read_json, reading
from projects.files.values import class_numbers

IMAGES, TENSORS, METADATA = "images.npz", "images.pt", "metadata.json"
WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=synthetic_emnist"


def prepare_synthetic(
    *,
    source: str | None = None,
    target: Path | None = None,
    seed: int = 0,
    augmentations: str = "affine,elastic,noise",
    per_class: int = 200,
    pt: bool = False,
) -> Path:
    """Write distorted copies of a data set's training images, and metadata.json about them. Equal calls, equal bytes.

    Args:
        source: fonts (the drawn characters), emnist (data/emnist), or a folder of EMNIST Balanced; None: fonts.
        target: the folder to fill; None: data/synthetic_emnist.
        seed: of parents and distortions.
        augmentations: any of affine, elastic and noise, with commas.
        per_class: copies of each class.
        pt: write images.pt, too: tensors `images` (uint8), `labels` and `parents` (int64) for `torch.load`.

    Returns:
        The folder.

    Raises:
        DataProblem: a setting or the source cannot be used.
    """
    strength = _strength(augmentations)
    if per_class < 1 or seed < 0:
        raise DataProblem(f"per_class must be 1 or more and seed 0 or more, got {per_class} and {seed}; change them")
    found, read_from = _read_source(source)
    parents = _parents(found.train.y, per_class, np.random.default_rng(seed))
    copies = Rows(distorted(found.train.x[parents], strength, seed=seed, part=2), found.train.y[parents])
    folder = target or FOLDER / "synthetic_emnist"
    packed = io.BytesIO()
    np.savez_compressed(packed, x=copies.x, y=copies.y, parent=parents)
    data = packed.getvalue()
    write_atomically(folder / IMAGES, data)
    if pt:
        write_atomically(folder / TENSORS, _tensors(copies, parents))
    else:
        (folder / TENSORS).unlink(missing_ok=True)  # of an earlier call, with other images
    metadata = {
        "source": {"name": found.name, "folder": read_from, "train_digest": train_digest(found)},
        "seed": seed,
        "augmentations": strength,
        "per_class": per_class,
        "n_images": len(copies.y),
        "classes": "".join(found.classes),
        "images_sha256": hashlib.sha256(data).hexdigest(),
        "versions": {name: version(name) for name in ("numpy", "torch")},
    }
    write_atomically(folder / METADATA, json.dumps(metadata, indent=2).encode() + b"\n")
    return folder


def _read_source(source: str | None) -> tuple[Source, str | None]:
    """The data set to copy, and the folder of its files; None: it was drawn."""
    if source in (None, "fonts"):
        return read_fonts(DataConfig()), None
    folder = str(FOLDER / "emnist") if source == "emnist" else source
    return read_folder(given_path(folder)), folder


def _tensors(copies: Rows, parents: np.ndarray) -> bytes:
    import torch

    packed = io.BytesIO()
    arrays = {"images": copies.x, "labels": copies.y, "parents": parents}
    torch.save({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, packed)
    return packed.getvalue()


def read_expansion(folder: Path, source: Source, allowed: np.ndarray) -> Rows:
    """Return the copies of the rows that a run trains on.

    Args:
        folder: made by `prepare_synthetic`.
        source: the data set to which they are added.
        allowed: numbers of the training rows, in the source's training part.

    Raises:
        DataProblem: the folder is missing or damaged, or was made from another data set.
    """
    metadata = _metadata(folder)
    if metadata["source"]["train_digest"] != train_digest(source):
        raise DataProblem(
            f"data.synthetic: {folder} was made from {metadata['source']['name']} with other training images than "
            f"those of data.name={source.name!r}; {WAY_OUT} -P source=FOLDER"
        )
    path = folder / IMAGES
    with open_file(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != metadata["images_sha256"]:
        raise DataProblem(f"{path}: has another sha256 than {METADATA} says; {WAY_OUT}")
    kept = read_npz(path, names=("x", "y", "parent"), way_out=WAY_OUT)
    copies = checked_rows(
        kept["x"],
        kept["y"],
        classes=source.classes,
        is_transposed=False,
        places=(f"{path}: x", f"{path}: y"),
        way_out=WAY_OUT,
    )
    parent = kept["parent"]
    if parent.shape != copies.y.shape:
        raise DataProblem(
            f"{path}: parent must name a row for each of {len(copies.y)} copies, got {parent.shape}; {WAY_OUT}"
        )
    rows = class_numbers(parent, len(source.train.y), place=f"{path}: parent", way_out=WAY_OUT)
    is_allowed = np.isin(rows, allowed)
    return Rows(copies.x[is_allowed], copies.y[is_allowed])


def train_digest(source: Source) -> str:
    """Return the digest of a data set's training part, before it is split."""
    return digest_of((source.train,), source.classes)


def _strength(augmentations: str) -> dict[str, float]:
    names = [name.strip() for name in augmentations.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(DISTORTION)):
        raise DataProblem(f"augmentations: {', '.join(unknown)} is not known; give any of {', '.join(DISTORTION)}")
    if not names:
        raise DataProblem(
            f"augmentations: copies without any would be the same images; give any of {', '.join(DISTORTION)}"
        )
    return {name: DISTORTION[name] for name in DISTORTION if name in names}


def _parents(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Rows to copy, `per_class` of each class: every row of it once before any is taken again, int64."""
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rounds = [rng.permutation(rows) for _ in range(-(-per_class // len(rows)))]
        chosen.append(np.concatenate(rounds)[:per_class])
    return np.concatenate(chosen)


def _metadata(folder: Path) -> dict[str, Any]:
    path = folder / METADATA
    metadata = read_json(path, way_out=WAY_OUT)
    with reading(path, way_out=WAY_OUT):
        texts = metadata["source"]["train_digest"], metadata["source"]["name"], metadata["images_sha256"]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("its digests are not text")
    return metadata

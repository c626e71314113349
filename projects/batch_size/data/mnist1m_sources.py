"""Read the two published forms of MNIST-1M, image by image in a fixed order.

They are ten archives class_<k>_images.zip of PNG or JPEG files, or ten chunks MNIST_images_<k>.npz with their labels.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from projects.batch_size.data.mnist import N_CLASSES, SIDE
from projects.files.archive import open_zip, read_member
from projects.files.arrays import StoredArray, is_npz, open_array, read_npy
from projects.files.picture import open_picture
from projects.files.problem import DataProblem
from projects.files.reading import is_folder, is_there, reading
from projects.files.values import class_numbers

_WAY_OUT = "get the file again and repeat the preparation"
_SUFFIXES = (".png", ".jpg", ".jpeg")
_BLOCK_IMAGES = 2048
# A diffusion model is not held to [0, 1]; images scaled to [-1, 1] or [0, 255] go beyond this.
_OVERSHOOT = 0.5
_CHANNEL_TOLERANCE = 8  # grey levels by which JPEG's colour conversion may part the channels of a grey image
_MOST_IMAGE_BYTES = 1 << 20  # of one file; a 28x28 picture without packing has 2,400


class Source(Protocol):
    """Gives labelled images in a fixed order."""

    @property
    def labels(self) -> np.ndarray:
        """Return the class of each image, uint8 (n,)."""
        ...

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the images in the order of the labels, uint8 (rows, 28, 28)."""
        ...


def open_source(folder: Path) -> Source:
    """Find which form a folder holds, and check that it has all ten parts.

    Args:
        folder: holds class_<k>_images.zip or MNIST_images_<k>.npz with MNIST_labels_<k>, k = 0 to 9.

    Returns:
        The images; none has been read yet.

    Raises:
        DataProblem: there is no such folder, or a part is missing or damaged.
    """
    if not is_folder(folder, way_out=_WAY_OUT):
        raise DataProblem(f"{folder}: there is no such folder; give the one that holds the ten parts as source")
    archives = [folder / f"class_{k}_images.zip" for k in range(N_CLASSES)]
    chunks = [folder / f"MNIST_images_{k}.npz" for k in range(N_CLASSES)]
    if any(is_there(path, way_out=_WAY_OUT) for path in archives):
        _require(archives)
        return _open_archives(archives)
    if any(is_there(path, way_out=_WAY_OUT) for path in chunks):
        _require(chunks)
        return _open_chunks(chunks)
    raise DataProblem(
        f"{folder}: holds neither class_0_images.zip to class_9_images.zip nor MNIST_images_0.npz to "
        f"MNIST_images_9.npz; give the folder that does as source"
    )


def _require(paths: list[Path]) -> None:
    missing = [path.name for path in paths if not is_there(path, way_out=_WAY_OUT)]
    if missing:
        raise DataProblem(
            f"{paths[0].parent}: {len(missing)} of ten parts missing: {', '.join(missing)}; put them there"
        )


@dataclass(frozen=True, kw_only=True)
class _Archives:
    """One archive of image files for each class."""

    members: tuple[tuple[Path, tuple[str, ...]], ...]  # archive and its images by name; the index is the class

    @property
    def labels(self) -> np.ndarray:
        counts = [len(names) for _, names in self.members]
        return np.repeat(np.arange(N_CLASSES, dtype=np.uint8), counts)

    def blocks(self) -> Iterator[np.ndarray]:
        for path, names in self.members:
            with open_zip(path, way_out=_WAY_OUT) as archive:
                for start in range(0, len(names), _BLOCK_IMAGES):
                    chosen = names[start : start + _BLOCK_IMAGES]
                    yield np.stack([_read_image(archive, path, name) for name in chosen])


def _open_archives(paths: list[Path]) -> _Archives:
    members = []
    for path in paths:
        with open_zip(path, way_out=_WAY_OUT) as archive:
            names = sorted(name for name in archive.namelist() if _is_image(name))
        if not names:
            raise DataProblem(f"{path}: holds no {', '.join(_SUFFIXES)} file; {_WAY_OUT}")
        members.append((path, tuple(names)))
    return _Archives(members=tuple(members))


def _is_image(name: str) -> bool:
    """Whether a member is an image: macOS puts a shadow `__MACOSX/._x.png` beside each file it packs."""
    is_shadow = name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")
    return name.lower().endswith(_SUFFIXES) and not is_shadow


def _read_image(archive: zipfile.ZipFile, path: Path, name: str) -> np.ndarray:
    place = f"{path}: {name}"
    with reading(place, way_out=_WAY_OUT):
        content = read_member(archive, name, most=_MOST_IMAGE_BYTES)
    with open_picture(content, place, way_out=_WAY_OUT) as image:
        if image.size != (SIDE, SIDE) or image.mode not in ("L", "RGB"):
            raise DataProblem(
                f"{place}: expected 28x28 grey pixels, "
                f"got {image.width}x{image.height} in mode {image.mode}; {_WAY_OUT}"
            )
        pixels, grey = np.asarray(image), np.asarray(image.convert("L"))
    if pixels.ndim == 2:
        return pixels
    spread = int(np.ptp(pixels.astype(np.int16), axis=2).max())  # (28, 28, 3) -> largest over all pixels
    if spread > _CHANNEL_TOLERANCE:
        raise DataProblem(f"{place}: is coloured: channels differ by {spread} levels, not grey; {_WAY_OUT}")
    return grey


@dataclass(frozen=True, kw_only=True)
class _Chunks:
    """Ten pairs of images and labels, classes mixed."""

    images: tuple[StoredArray, ...]
    labels: np.ndarray

    def blocks(self) -> Iterator[np.ndarray]:
        for stored in self.images:
            for block in stored.blocks():
                yield _to_bytes(block, stored.path).reshape(-1, SIDE, SIDE)


def _open_chunks(paths: list[Path]) -> _Chunks:
    images, labels = [], []
    for k, path in enumerate(paths):
        stored = open_array(path, "arr_0", way_out=_WAY_OUT)
        is_known = stored.dtype == np.uint8 or stored.dtype.kind == "f"
        if stored.shape[1:] not in ((1, SIDE, SIDE), (SIDE, SIDE)) or not is_known:
            raise DataProblem(
                f"{path}: expected floats or bytes of shape (n, 1, 28, 28), "
                f"got {stored.dtype} {stored.shape}; {_WAY_OUT}"
            )
        label_path = _find_labels(path.parent, k)
        chunk_labels = _read_labels(label_path)
        if chunk_labels.shape != stored.shape[:1]:
            raise DataProblem(
                f"{label_path}: expected {stored.shape[0]} labels, as {path.name} holds that many images, "
                f"got shape {chunk_labels.shape}; {_WAY_OUT}"
            )
        images.append(stored)
        labels.append(chunk_labels.astype(np.uint8))
    return _Chunks(images=tuple(images), labels=np.concatenate(labels))


def _find_labels(folder: Path, k: int) -> Path:
    """The labels of a chunk: the published script writes `.npz` by `numpy.save`, which adds `.npy`."""
    names = [f"MNIST_labels_{k}{suffix}" for suffix in (".npz", ".npy", ".npz.npy")]
    for name in names:
        if is_there(folder / name, way_out=_WAY_OUT):
            return folder / name
    raise DataProblem(f"{folder}: the labels of MNIST_images_{k}.npz are missing: {', '.join(names)}; put one there")


def _read_labels(path: Path) -> np.ndarray:
    if is_npz(path, way_out=_WAY_OUT):
        labels = open_array(path, "arr_0", way_out=_WAY_OUT).read()
    else:
        labels = read_npy(path, way_out=_WAY_OUT)
    return class_numbers(labels, N_CLASSES, place=str(path), way_out=_WAY_OUT)


def _to_bytes(block: np.ndarray, path: Path) -> np.ndarray:
    """Bytes as they are; floats as grey in [0, 1], clipped, times 255, rounded."""
    if block.dtype == np.uint8:
        return block
    low, high = float(block.min()), float(block.max())
    if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):  # also refuses NaN
        raise DataProblem(
            f"{path}: expected grey values from 0 to 1 (an overshoot of {_OVERSHOOT} is clipped), "
            f"got {low:g} to {high:g}; scale them, or store bytes from 0 to 255"
        )
    return np.rint(np.clip(block, 0, 1) * 255).astype(np.uint8)

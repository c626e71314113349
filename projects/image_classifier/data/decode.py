"""Decode image files to one array by several threads, in the order of the files, and cache it.

Pillow decodes and scales outside the interpreter's lock, so threads use all cores. The result depends only on the files
and the side.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from projects.files.arrays import read_npz
from projects.files.download import write_atomically
from projects.files.picture import open_picture
from projects.files.problem import DataProblem
from projects.files.reading import is_there, read_bytes, reading

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # of 8 bits
MOST_THREADS = 16
_WAY_OUT = "repair or remove it, or leave such files out by data.damaged=skip"
VERSION = 2  # of what `decode_image` does; part of the name of kept arrays


class Decoded(NamedTuple):
    """Holds the images of a list of files, and which could not be read."""

    images: np.ndarray  # uint8 (readable file, 3, side, side)
    is_readable: np.ndarray  # bool (file,)
    reasons: list[str]  # why a file is not readable, with its name, in their order


def decode_files(files: Sequence[Path], side: int, cache: Path) -> Decoded:
    """Decode image files to squares, or take them from a cache that holds these very files.

    The cache's name has a digest of paths, sizes and times of change of all files, so that changed files are decoded
    again.

    Args:
        files: in the order of the images.
        side: pixels.
        cache: folder for the arrays; made where it is missing.

    Raises:
        DataProblem: the cache cannot be written.
    """
    kept = cache / f"{_key(files, side)}.npz"
    if (found := _kept(kept, len(files), side)) is not None:
        return found
    decoded = _decode(files, side)
    data = io.BytesIO()
    reasons = np.array(decoded.reasons, dtype=np.str_)
    np.savez(data, images=decoded.images, is_readable=decoded.is_readable, reasons=reasons)
    write_atomically(kept, data.getvalue())
    return decoded


def _kept(path: Path, n_files: int, side: int) -> Decoded | None:
    """What a cache holds; None where it is not there, or is not whole and is to be written anew."""
    way_out = "remove it; it will be made again"
    try:
        if not is_there(path, way_out=way_out):
            return None
        arrays = read_npz(path, names=("images", "is_readable", "reasons"), way_out=way_out)
    except DataProblem:
        return None
    images, is_readable, reasons = arrays["images"], arrays["is_readable"], arrays["reasons"]
    if is_readable.dtype != bool or is_readable.shape != (n_files,) or images.dtype != np.uint8:
        return None
    n_readable = int(is_readable.sum())
    if images.shape != (n_readable, 3, side, side) or reasons.shape != (n_files - n_readable,):
        return None
    return Decoded(images, is_readable, [str(reason) for reason in reasons])


def decode_image(path: Path, side: int) -> np.ndarray | DataProblem:
    """Decode one file to uint8 (3, side, side), or say why it cannot be read.

    Turned as its EXIF tag says, brought to RGB (grey is repeated, transparency dropped), scaled so that the shorter
    side fits, cut to the middle square.
    """
    try:
        with open_picture(read_bytes(path, way_out=_WAY_OUT), path, way_out=_WAY_OUT) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode not in MODES:
                mode = f"has pixels of mode {image.mode!r}, not 8-bit grey or colours"
                raise DataProblem(f"{path}: {mode}; convert it, {_WAY_OUT}")
            image = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR)
            return np.asarray(image).transpose(2, 0, 1)
    except DataProblem as problem:
        return problem


def _decode(files: Sequence[Path], side: int) -> Decoded:
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        results = list(threads.map(lambda path: decode_image(path, side), files))
    images = [result for result in results if isinstance(result, np.ndarray)]
    return Decoded(
        np.stack(images) if images else np.empty((0, 3, side, side), np.uint8),
        np.array([isinstance(result, np.ndarray) for result in results], dtype=bool),
        [str(result) for result in results if isinstance(result, DataProblem)],
    )


def _key(files: Sequence[Path], side: int) -> str:
    sha = hashlib.sha256(f"{VERSION}|{side}".encode())
    for path in files:
        with reading(path, way_out=_WAY_OUT):
            status = path.stat()
            sha.update(os.fsencode(f"|{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"))  # any name
    return sha.hexdigest()[:32]

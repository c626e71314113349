"""Image files to one array: decoded by several threads, in the order of the files, kept for the next time.

Pillow decodes and scales outside the interpreter's lock, so threads use all cores. The result is a pure function of
the files and the side, whichever thread was first.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from projects.files.download import write_atomically

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # of 8 bits
MOST_THREADS = 16
VERSION = 1  # of what `decode_image` does; part of the name of kept arrays


class Decoded(NamedTuple):
    """What became of a list of files."""

    images: np.ndarray  # uint8 (readable file, 3, side, side)
    is_readable: np.ndarray  # bool (file,)
    reasons: list[str]  # why a file is not readable, in their order


def decode_files(files: Sequence[Path], side: int, cache: Path) -> Decoded:
    """Decode image files to squares, or take them from a cache that holds these very files.

    A cache is named by paths, sizes and times of change of all files, so that a changed file is decoded anew.

    Args:
        files: in the order that the images shall have.
        side: pixels.
        cache: folder for the arrays; made where it is missing.

    Raises:
        DataProblem: the cache cannot be written.
    """
    kept = cache / f"{_key(files, side)}.npz"
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            return Decoded(arrays["images"], arrays["is_readable"], arrays["reasons"].tolist())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or not whole: it is written anew
    decoded = _decode(files, side)
    data = io.BytesIO()
    reasons = np.array(decoded.reasons, dtype=np.str_)
    np.savez(data, images=decoded.images, is_readable=decoded.is_readable, reasons=reasons)
    write_atomically(kept, data.getvalue())
    return decoded


def decode_image(path: Path, side: int) -> np.ndarray | str:
    """One file as uint8 (3, side, side), or why it cannot be read.

    Turned as its EXIF tag says, brought to RGB (grey is repeated, transparency dropped), scaled so that the shorter
    side fits, cut to the middle square.
    """
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode not in MODES:
                return f"has pixels of mode {image.mode!r}, not 8-bit grey or colours; convert it"
            image = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR)
            return np.asarray(image).transpose(2, 0, 1)
    except Image.DecompressionBombError as error:
        return f"is too large ({error})"
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # what Pillow raises for damaged files
        reason = "no image that Pillow knows" if isinstance(error, Image.UnidentifiedImageError) else error
        return f"cannot be read ({reason})"


def _decode(files: Sequence[Path], side: int) -> Decoded:
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        results = list(threads.map(lambda path: decode_image(path, side), files))
    images = [result for result in results if isinstance(result, np.ndarray)]
    return Decoded(
        np.stack(images) if images else np.empty((0, 3, side, side), np.uint8),
        np.array([isinstance(result, np.ndarray) for result in results], dtype=bool),
        [result for result in results if isinstance(result, str)],
    )


def _key(files: Sequence[Path], side: int) -> str:
    sha = hashlib.sha256(f"{VERSION}|{side}".encode())
    for path in files:
        status = path.stat()
        sha.update(f"|{path.resolve()}|{status.st_size}|{status.st_mtime_ns}".encode())
    return sha.hexdigest()[:32]

"""Open pictures of a file or of bytes: only in the formats of data sets, with sizes checked before decoding."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from projects.files.reading import reading

MOST_PIXELS = 100_000_000  # of a picture: 400 MB once it is decoded
# Pillow knows more, among them EPS, for which it starts another program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


@contextmanager
def open_picture(content: bytes, place: Path | str, *, way_out: str) -> Iterator[Image.Image]:
    """Open a picture; decoding it inside the block raises DataProblem only, as `reading` does.

    Args:
        content: its bytes. For a file, Pillow would use memory for any length that the file states.
        place: where they are from; opens the message.
        way_out: ends the message.

    Raises:
        DataProblem: it has no format of FORMATS, is damaged, or has more than MOST_PIXELS.
    """
    with reading(place, way_out=way_out), warnings.catch_warnings(action="ignore"):  # Pillow's, of damaged files
        try:
            opened = Image.open(io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError:
            raise ValueError(f"it is not a picture in one of the formats {', '.join(FORMATS)}") from None
        with opened as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width}x{image.height} pixels, and at most {MOST_PIXELS} are allowed")
            yield image

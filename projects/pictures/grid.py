"""Draw a grid of images as one PNG, each with a line of text below it.

Drawn with Pillow rather than matplotlib: a pixel of an image becomes a whole number of pixels, and a page of 64
images takes milliseconds.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SHORTEST_SIDE = 64  # pixels that an image is at least enlarged to, so that a title fits below
TITLE_HEIGHT, MARGIN = 14, 4  # pixels
FONT_SIZE = 10
PAPER, INK = (255, 255, 255), (0, 0, 0)


def picture_grid(images: np.ndarray, titles: Sequence[str] | None = None, columns: int = 8) -> bytes:
    """Lay images out in rows, in their order, and encode the sheet as PNG; equal input gives equal bytes.

    Args:
        images: uint8 (image, height, width) in grey or (image, height, width, 3) in RGB; at least one.
        titles: one a image, cut to the width of its image; None for none.
        columns: images in a row.

    Raises:
        ValueError: the array is not of that shape and type, or there are fewer or more titles than images.
    """
    _check(images, titles, columns)
    n_images, height, width = images.shape[:3]
    scale = max(1, math.ceil(SHORTEST_SIDE / min(height, width)))
    cell_width, cell_height = width * scale + MARGIN, height * scale + MARGIN + (TITLE_HEIGHT if titles else 0)
    columns = min(columns, n_images)
    n_rows = math.ceil(n_images / columns)
    sheet = Image.new("RGB", (columns * cell_width + MARGIN, n_rows * cell_height + MARGIN), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * cell_width, MARGIN + row * cell_height
        enlarged = Image.fromarray(image).resize((width * scale, height * scale), Image.Resampling.NEAREST)
        sheet.paste(enlarged.convert("RGB"), (left, top))
        if titles:
            draw.text((left, top + height * scale), _cut(titles[index], font, width * scale), INK, font)
    return _png(sheet)


def _check(images: np.ndarray, titles: Sequence[str] | None, columns: int) -> None:
    is_grey, is_rgb = images.ndim == 3, images.ndim == 4 and images.shape[3] == 3
    if images.dtype != np.uint8 or not (is_grey or is_rgb) or 0 in images.shape:
        raise ValueError(
            f"images: need uint8 (image, height, width) or (image, height, width, 3), none of them 0, "
            f"got {images.dtype}{list(images.shape)}"
        )
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles: {len(titles)} for {len(images)} images; give one each, or None")
    if columns < 1:
        raise ValueError(f"columns: need at least 1, got {columns}")


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As many characters of a text as fit into a width in pixels."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def _png(sheet: Image.Image) -> bytes:
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    return data.getvalue()

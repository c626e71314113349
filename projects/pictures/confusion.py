"""Compute the confusion matrix of classes, metrics of it, and a picture.

Pillow draws it in milliseconds; matplotlib would take a second.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MOST_CLASSES_WITH_COUNTS = 20  # of more, numbers would make the picture too large
LARGE_CELL, SMALL_CELL = 30, 16  # pixels, with and without numbers
FONT_SIZE = 11
PAPER, INK, EDGE, BLUE = (255, 255, 255), (0, 0, 0), (225, 225, 225), (8, 48, 107)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count rows by class and prediction.

    Args:
        true: class numbers, (row,), from 0 to n_classes - 1.
        predicted: likewise.
        n_classes: how many there are.

    Returns:
        int64 (class, predicted class).
    """
    cells = true.astype(np.int64) * n_classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Return the part of each class that is recognised (its recall), (class,); NaN for a class without rows."""
    n_rows = matrix.sum(axis=1)
    return np.divide(np.diag(matrix), n_rows, out=np.full(len(matrix), np.nan), where=n_rows > 0)


def class_f1(matrix: np.ndarray) -> np.ndarray:
    """Return F1 of each class, 2 TP / (2 TP + FP + FN), (class,); NaN for a class neither present nor predicted."""
    size = matrix.sum(axis=0) + matrix.sum(axis=1)
    return np.divide(2 * np.diag(matrix), size, out=np.full(len(matrix), np.nan), where=size > 0)


def macro_f1(matrix: np.ndarray) -> float:
    """Return the mean F1 over the classes that are present or predicted, each with the same weight."""
    return float(np.nanmean(class_f1(matrix)))


def confusion_png(matrix: np.ndarray, names: Sequence[str]) -> bytes:
    """Draw a confusion matrix: rows are classes, columns predictions; a cell's blue is its part of the class.

    Args:
        matrix: (class, predicted class), as by `confusion_matrix`; its counts stand in the cells.
        names: of the classes.
    """
    n_classes, font = len(names), ImageFont.load_default(FONT_SIZE)
    part = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cell = LARGE_CELL if n_classes <= MOST_CLASSES_WITH_COUNTS else SMALL_CELL
    border = 2 * FONT_SIZE + round(max(font.getlength(name) for name in names))
    side = border + n_classes * cell
    sheet = Image.new("RGB", (side + FONT_SIZE, side + FONT_SIZE), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((FONT_SIZE, FONT_SIZE), "class / predicted", INK, font)
    for index, name in enumerate(names):
        middle = border + (index + 0.5) * cell
        draw.text((border - FONT_SIZE / 2, middle), name, INK, font, anchor="rm")
        _draw_upwards(sheet, name, font, round(middle), border - FONT_SIZE // 2)
    for (row, column), share in np.ndenumerate(part):
        left, top = border + column * cell, border + row * cell
        colour = tuple(round(p + share * (b - p)) for p, b in zip(PAPER, BLUE))
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), fill=colour, outline=EDGE)
        if n_classes <= MOST_CLASSES_WITH_COUNTS and matrix[row, column]:
            ink = PAPER if share > 0.5 else INK
            draw.text((left + cell / 2, top + cell / 2), str(matrix[row, column]), ink, font, anchor="mm")
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    return data.getvalue()


def _draw_upwards(sheet: Image.Image, text: str, font: Font, middle: int, bottom: int) -> None:
    """Write a text that reads from below, ending where the matrix begins."""
    width = max(1, round(font.getlength(text)))
    strip = Image.new("RGB", (width, FONT_SIZE + 4), PAPER)
    ImageDraw.Draw(strip).text((0, (FONT_SIZE + 4) / 2), text, INK, font, anchor="lm")
    turned = strip.rotate(90, expand=True)
    sheet.paste(turned, (middle - turned.width // 2, bottom - turned.height))

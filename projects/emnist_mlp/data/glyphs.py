"""Draw characters from the fonts of matplotlib in the frame of EMNIST, so that the default data need no file.

`fonts` distorts and splits them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projects.emnist_mlp.data.dataset import BALANCED_CLASSES, SIDE

if TYPE_CHECKING:
    from PIL import ImageFont

_STYLES = ("", "-Bold", "-Oblique", "-BoldOblique")
TRAIN_FACES = (
    *(f"DejaVu{family}{style}.ttf" for family in ("Sans", "SansMono") for style in _STYLES),
    *(f"DejaVuSerif{style}.ttf" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}.ttf" for style in ("", "Bol", "Italic", "BolIta")),
)
# Held out: a whole family, Computer Modern, so that nothing of the test's faces is seen in training.
TEST_FACES = ("cmr10.ttf", "cmb10.ttf", "cmti10.ttf", "cmss10.ttf", "cmtt10.ttf")

# As in EMNIST (Cohen et al., arXiv:1702.05373, section II): the character fills a frame of 24 pixels, two of paper
# around it. Drawn four times as large and averaged, which gives the grey edges of a scan.
FRAME = 24
_OVERSAMPLING = 4
_POINTS = 160  # height at which a face is drawn before it is brought to the frame


@lru_cache(maxsize=4)
def draw_glyphs(faces: tuple[str, ...], characters: tuple[str, ...] = BALANCED_CLASSES) -> np.ndarray:
    """Draw every character of every face, uint8 (face, character, 28, 28), 0 paper, 255 ink; read-only."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    folder = Path(get_data_path()) / "fonts" / "ttf"
    glyphs = np.zeros((len(faces), len(characters), SIDE, SIDE), np.uint8)
    for number, face in enumerate(faces):
        font = ImageFont.truetype(str(folder / face), _POINTS)
        for label, character in enumerate(characters):
            glyphs[number, label] = _in_frame(font, character)
    glyphs.setflags(write=False)
    return glyphs


def _in_frame(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(character)
    large = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(large).text((1 - left, 1 - top), character, fill=255, font=font)
    ink = large.crop(large.getbbox())
    factor = FRAME * _OVERSAMPLING / max(ink.size)
    width, height = (max(1, round(length * factor)) for length in ink.size)
    ink = ink.resize((width, height), Image.Resampling.LANCZOS)
    page = Image.new("L", (SIDE * _OVERSAMPLING, SIDE * _OVERSAMPLING))
    page.paste(ink, ((page.width - width) // 2, (page.height - height) // 2))
    return np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BOX))

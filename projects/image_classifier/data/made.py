"""Make colour pictures of characters from what comes with libraries: no file, no download.

A picture is a character in one colour on darker ground of another, at a random size, angle and place, with a line of a
third colour across it and noise over all. Half of the digits are scans by hand (scikit-learn's digits: Alpaydin and
Kaynak, 1998), half printed in a font that ships with matplotlib; letters are all printed. No scan and no font is in
two parts, so that validation asks for the character and not for the picture.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from projects.files.problem import DataProblem
from projects.files.scans import read_scans
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.data.dataset import ImageSet, Part, seal

SIZES = {"train": 1500, "val": 500, "test": 500}
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}  # of the scans and of the fonts
# Upright and slanted faces with all characters; those of mathematics have other signs at these places.
FONTS = tuple(
    f"{name}.ttf"
    for name in (
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique", "DejaVuSerif"),
        *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique"),
        *("DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol"),
        *("STIXGeneralBolIta", "STIXGeneralItalic", "cmb10", "cmr10", "cmss10", "cmtt10"),
    )
)
CHARACTERS = {"digits": string.digits, "letters": string.ascii_uppercase}
MASK_SIDE = 48  # pixels at which a character is drawn before it is turned and made small
LEAST_CONTRAST = 90.0  # between character and ground, of 255, in brightness
NOISE = 15.0  # standard deviation, of 255

Mask = np.ndarray  # uint8 (MASK_SIDE, MASK_SIDE): 255 where the character is


def make_pictures(config: DataConfig) -> ImageSet:
    """Draw pictures of a config's characters; equal configs give equal bytes.

    Args:
        config: name is 'made'; `seed` is that of all that is random.

    Raises:
        DataProblem: fewer pictures are asked for than there are classes.
    """
    characters = CHARACTERS[config.characters]
    sizes = {**SIZES, **{k: v for k, v in (("train", config.n_train), ("val", config.n_val)) if v is not None}}
    parts = {}
    for index, (name, n) in enumerate(sizes.items()):
        if n < len(characters):
            raise DataProblem(f"data.n_{name}: {n} pictures of {len(characters)} classes; ask for one of each at least")
        rng = np.random.default_rng([config.seed, index])
        labels = rng.permutation(np.arange(n) % len(characters)).tolist()
        drawers = [_drawer(character, name) for character in characters]
        images = [_picture(drawers[label](rng), config.image_size, rng) for label in labels]
        parts[name] = Part(np.stack(images), np.array(labels, np.int64))
    return seal("made", parts, tuple(characters))


def part_of(items: Sequence, part: str) -> Sequence:
    """Return the items that belong to a part: by SHARES, in their order, each to one part only."""
    ends = np.cumsum([0, *SHARES.values()])
    start, end = (round(float(ends[list(SHARES).index(part) + k]) * len(items)) for k in (0, 1))
    return items[start:end]


def _drawer(character: str, part: str) -> Callable[[np.random.Generator], Mask]:
    fonts = part_of(_shuffled_fonts(), part)
    scans = part_of(_scans()[int(character)], part) if character.isdigit() else ()

    def draw(rng: np.random.Generator) -> Mask:
        if len(scans) and rng.random() < 0.5:
            return scans[int(rng.integers(len(scans)))]
        return printed(character, fonts[int(rng.integers(len(fonts)))])

    return draw


def _picture(mask: Mask, side: int, rng: np.random.Generator) -> np.ndarray:
    """One character as a colour picture, uint8 (3, side, side)."""
    ground, ink, line = _colours(rng)
    cover = _placed(mask, side, rng).astype(np.float32)[..., None] / 255
    picture = ground + cover * (ink - ground)  # (side, side, 3)
    drawn = Image.new("L", (side, side))
    ends = rng.uniform(0, side, 4).tolist()
    ImageDraw.Draw(drawn).line(ends, fill=255, width=max(1, side // 24))
    picture = np.where(np.asarray(drawn)[..., None] > 0, line, picture)
    picture = picture + rng.normal(0, NOISE, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def _placed(mask: Mask, side: int, rng: np.random.Generator) -> np.ndarray:
    """A character at a random angle, size and place, (side, side) uint8."""
    angle, scale = math.radians(rng.uniform(-15, 15)), rng.uniform(0.75, 1.05) * side / MASK_SIDE
    x, y = rng.uniform(-0.08, 0.08, 2) * side
    cos, sin, centre = math.cos(angle) / scale, math.sin(angle) / scale, side / 2
    # Pillow asks where each pixel of the result comes from: out = A in, about both centres.
    left, top = centre + x, centre + y
    matrix = (cos, sin, MASK_SIDE / 2 - cos * left - sin * top, -sin, cos, MASK_SIDE / 2 + sin * left - cos * top)
    placed = Image.fromarray(mask).transform(
        (side, side), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(placed)


def _colours(rng: np.random.Generator) -> np.ndarray:
    """Ground, ink and line, (3, 3) from 0 to 255, of which ink is brighter than ground."""
    while True:
        colours = rng.uniform(0, 255, (3, 3))
        brightness = colours @ (0.299, 0.587, 0.114)  # ITU-R BT.601
        if brightness[1] - brightness[0] >= LEAST_CONTRAST:
            return colours


@lru_cache(maxsize=2000)
def printed(character: str, font: str) -> Mask:
    """Draw a character in one of matplotlib's fonts, in the middle of the mask."""
    mask = Image.new("L", (MASK_SIDE, MASK_SIDE))
    face = ImageFont.truetype(str(_font_folder() / font), round(MASK_SIDE * 0.8))
    left, top, right, bottom = face.getbbox(character)
    place = ((MASK_SIDE - left - right) / 2, (MASK_SIDE - top - bottom) / 2)
    ImageDraw.Draw(mask).text(place, character, fill=255, font=face)
    return np.asarray(mask)


@lru_cache(maxsize=1)
def _scans() -> dict[int, list[Mask]]:
    """scikit-learn's scans by digit, enlarged to the mask, in the order of the file."""
    scans, labels = read_scans()
    pixels = np.round(scans.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    side = round(MASK_SIDE * 0.9)
    place = ((MASK_SIDE - side) // 2, (MASK_SIDE - side) // 2)
    masks: dict[int, list[Mask]] = {digit: [] for digit in range(10)}
    for image, label in zip(pixels, labels):
        mask = Image.new("L", (MASK_SIDE, MASK_SIDE))
        mask.paste(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), place)
        masks[int(label)].append(np.asarray(mask))
    return masks


@lru_cache(maxsize=1)
def _shuffled_fonts() -> list[str]:
    """The fonts in an order that gives each part faces of several families; the same for every seed."""
    return np.random.default_rng(0).permutation(FONTS).tolist()


def _font_folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"

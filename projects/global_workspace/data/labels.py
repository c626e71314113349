"""Draw the label rows of items from a seed, and make their attribute vectors.

Facts of the set: ruflab/simple-shapes-dataset, cli/create_dataset.py and pre_process.py (MIT). A label row is
class, x, y, size, rotation, red, green, blue, hue, lightness, saturation, unpaired.
"""

from __future__ import annotations

import numpy as np

N_LABELS = 12
N_CLASSES = 3  # diamond, egg, triangle
SIDE = 32  # pixels
MIN_SIZE, MAX_SIZE = 7, 14  # pixels, both included
MARGIN = MAX_SIZE // 2  # between a shape's corner of reference and the picture's edge
MAX_HUE, MIN_LIGHTNESS, MAX_BYTE = 180, 46, 255  # in OpenCV's units: hue in steps of 2 degrees


def draw_labels(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw label rows of n items, every attribute uniform and independent of the others (the colour is HLS-uniform).

    Args:
        n: number of items.
        rng: draws item by item, so that fewer items are the head of more.

    Returns:
        float32 (n, 12). Whole numbers but for rotation in [0, 2 pi) and unpaired in [0, 1).
    """
    u = rng.random((n, 9))  # (n, 9): one row an item

    def whole(column: int, low: int, high: int) -> np.ndarray:
        return low + np.floor(u[:, column] * (high - low + 1))

    last = SIDE - MARGIN - 1
    shape = [whole(0, 0, N_CLASSES - 1), whole(1, MARGIN, last), whole(2, MARGIN, last), whole(3, MIN_SIZE, MAX_SIZE)]
    hls = np.stack([whole(5, 0, MAX_HUE), whole(6, MIN_LIGHTNESS, MAX_BYTE), whole(7, 0, MAX_BYTE)], axis=1)
    return np.column_stack([*shape, 2 * np.pi * u[:, 4], hls_to_rgb(hls), hls, u[:, 8]]).astype(np.float32)


def hls_to_rgb(hls: np.ndarray) -> np.ndarray:
    """Turn colours (n, 3), hue 0..180, lightness and saturation 0..255, into red, green, blue 0..255, rounded.

    The hexcone formula (Foley et al., Computer Graphics, 13.3.5) in OpenCV's units for bytes.
    """
    hue, lightness, saturation = hls[:, 0] / MAX_HUE, hls[:, 1] / MAX_BYTE, hls[:, 2] / MAX_BYTE
    chroma = (1 - np.abs(2 * lightness - 1)) * saturation
    place = (hue[:, None] + np.array([0, -1 / 3, 1 / 3])) % 1  # (n, 3): hue as seen from red, green, blue
    height = np.clip(np.abs(6 * place - 3) - 1, 0, 1)  # 1 at the component's own hue, 0 opposite it
    return np.rint((lightness[:, None] + chroma[:, None] * (height - 0.5)) * MAX_BYTE)


def attribute_vectors(labels: np.ndarray) -> np.ndarray:
    """Make the attribute domain: one-hot class, then x, y, size, cos and sin of rotation, red, green, blue in [-1, 1].

    Args:
        labels: (n, 12).

    Returns:
        float32 (n, 11).
    """
    classes = np.eye(N_CLASSES)[labels[:, 0].astype(int)]  # (n, 3)
    n_places = SIDE - 2 * MARGIN
    place = (labels[:, 1:3] - MARGIN) / n_places * 2 - 1
    size = (labels[:, 3:4] - MIN_SIZE) / (MAX_SIZE - MIN_SIZE) * 2 - 1
    angle = labels[:, 4]
    color = labels[:, 5:8] / MAX_BYTE * 2 - 1
    return np.column_stack([classes, place, size, np.cos(angle), np.sin(angle), color]).astype(np.float32)

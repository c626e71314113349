"""Draw pictures of items by matplotlib's rasteriser, as the original set was drawn, without figures.

One renderer draws every picture onto black; a picture costs some 30 microseconds instead of a figure's tens of
milliseconds, and diamonds and triangles are the published pictures, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D

from projects.global_workspace.data.labels import MAX_BYTE, SIDE
from projects.global_workspace.data.progress import track

_DPI = 72.0  # of no effect on a path in pixels


def _polygon(*corners: tuple[float, float]) -> Outline:
    return Outline([*corners, corners[0]], closed=True)


def _closed_curve(*points: tuple[float, float]) -> Outline:
    """Cubic Bezier arcs: start, then two control points and an end for each; the last end is the start."""
    return Outline([*points, points[0]], [Outline.MOVETO] + [Outline.CURVE4] * len(points))


# In the unit square, y upwards, by class. The corners are those of ruflab/simple-shapes-dataset, cli/utils.py; the
# egg's control points are checked by its two sample pictures: moving any by 0.02 draws them worse.
OUTLINES = (
    _polygon((0.5, 0), (1, 0.3), (0.5, 1), (0, 0.3)),
    _closed_curve(
        *((0.5, 0), (0.8, 0), (0.9, 0.1), (0.9, 0.3), (0.9, 0.5), (0.7, 1)),
        *((0.5, 1), (0.3, 1), (0.1, 0.5), (0.1, 0.3), (0.1, 0.1), (0.2, 0)),
    ),
    _polygon((0.5, 1), (0.2, 0), (0.8, 0)),
)
_PICTURE = _polygon((0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE))


def draw_images(labels: np.ndarray) -> np.ndarray:
    """Draw pictures of items on black, y upwards, edges anti-aliased; show a progress bar on a terminal.

    Args:
        labels: (n, 12), see `labels.py`; class, x, y, size, rotation and colour are drawn.

    Returns:
        uint8 (n, 32, 32, 3): row (from the top), column, red green blue.
    """
    renderer = RendererAgg(SIDE, SIDE, _DPI)
    pixels = np.asarray(renderer.buffer_rgba())  # (32, 32, 4): a view that each drawing changes
    images = np.empty((len(labels), SIDE, SIDE, 3), np.uint8)
    with track("drawing shapes", len(labels)) as advance:
        for row, label in enumerate(labels):
            _draw(renderer, label)
            images[row] = pixels[..., :3]
            advance(1)
    return images


def _draw(renderer: RendererAgg, label: Sequence[float] | np.ndarray) -> None:
    kind, x, y, size, rotation = (float(value) for value in label[:5])
    red, green, blue = (float(value) / MAX_BYTE for value in label[5:8])
    style = renderer.new_gc()
    style.set_linewidth(0)
    style.set_snap(False)
    style.set_antialiased(False)
    renderer.draw_path(style, _PICTURE, Affine2D(), (0.0, 0.0, 0.0))
    style.set_antialiased(True)
    turned = Affine2D().translate(-0.5, -0.5).rotate(rotation).scale(size).translate(x, y)
    renderer.draw_path(style, OUTLINES[int(kind)], turned, (red, green, blue))

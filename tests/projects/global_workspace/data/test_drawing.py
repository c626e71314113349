"""Pictures: place, area and turn by geometry, a published row of pixels, and all published samples where at hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from projects.global_workspace.data import drawing
from projects.global_workspace.data.drawing import draw_images
from tests.projects.global_workspace.data.sample import label, real_data, sample_images, sample_labels

DIAMOND, EGG, TRIANGLE = range(3)
AREA = {DIAMOND: 0.5, TRIANGLE: 0.3}  # in the unit square: half the product of the diagonals; half of base by height
CENTER = {DIAMOND: (0.5, 13 / 30), TRIANGLE: (0.5, 1 / 3)}  # centroids: (0.15 * 0.2 + 0.35 * 8/15) / 0.5; a third up


def coverage(row: np.ndarray) -> np.ndarray:
    """Share of each pixel that a white shape covers, y upwards: (y, x)."""
    return draw_images(row)[0, ::-1, :, 0] / 255.0


def centroid(row: np.ndarray) -> tuple[float, float]:
    covered = coverage(row)
    middle = np.arange(32) + 0.5
    return float(covered.sum(0) @ middle / covered.sum()), float(covered.sum(1) @ middle / covered.sum())


@pytest.mark.parametrize("kind", [DIAMOND, TRIANGLE])
@pytest.mark.parametrize("rotation", [0.0, 1.0])
def test_the_light_of_a_shape_is_its_area(kind: int, rotation: float) -> None:
    # Each pixel's coverage is rounded to 1/255; some 40 pixels on the edge: half a pixel at the very most.
    assert coverage(label(kind, size=14, rotation=rotation)).sum() == pytest.approx(AREA[kind] * 14**2, abs=0.5)


def test_the_light_of_an_egg_is_the_area_inside_its_arcs() -> None:
    # De Casteljau's points of the four arcs, then the shoelace formula.
    points = drawing.OUTLINES[EGG].vertices
    t = np.linspace(0, 1, 2000)[:, None]
    arcs = [points[i : i + 4] for i in (0, 3, 6, 9)]
    edge = np.concatenate(
        [(1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d for a, b, c, d in arcs]
    )
    x, y = edge.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    # Arcs are drawn as a few chords, which cost the shape up to 1 % of its area.
    assert coverage(label(EGG, size=14)).sum() == pytest.approx(area * 14**2, rel=0.01)


@pytest.mark.parametrize("kind", [DIAMOND, TRIANGLE])
def test_a_shape_turns_about_its_place_against_the_clock(kind: int) -> None:
    x, y, size = 13, 17, 14
    right, up = (size * (c - 0.5) for c in CENTER[kind])
    assert centroid(label(kind, x=x, y=y, size=size)) == pytest.approx((x + right, y + up), abs=0.02)
    # A quarter turn takes (right, up) to (-up, right).
    quarter = label(kind, x=x, y=y, size=size, rotation=math.pi / 2)
    assert centroid(quarter) == pytest.approx((x - up, y + right), abs=0.02)


def test_the_color_is_that_of_the_label_inside_and_black_outside() -> None:
    row = label(DIAMOND, x=16, y=16)
    row[0, 5:8] = 200, 100, 7
    image = draw_images(row)[0]
    assert image[16, 16].tolist() == [200, 100, 7]
    assert image[0, 0].tolist() == [0, 0, 0]


def test_a_row_of_pixels_is_the_published_one() -> None:
    # Green of the first 12 columns of row 14 of picture val/0 in the format sample: a turned triangle.
    row = np.array([[2, 7, 17, 8, 4.63019323348999, 202, 189, 239, 128, 214, 157, 0.3241]], np.float32)
    assert draw_images(row)[0, 14, :12, 1].tolist() == [0, 0, 0, 183, 189, 189, 189, 182, 122, 48, 0, 0]


class TestSample:
    pytestmark = real_data

    def test_diamonds_and_triangles_are_the_published_pictures_bit_by_bit(self) -> None:
        labels = sample_labels()
        straight = labels[:, 0] != EGG
        assert straight.sum() == 6
        assert np.array_equal(draw_images(labels[straight]), sample_images()[straight])

    def test_eggs_are_within_four_levels_of_the_published_pictures(self) -> None:
        # The chords that stand for the arcs differ by hundredths of a pixel, perhaps by the version of matplotlib.
        labels = sample_labels()
        eggs = labels[:, 0] == EGG
        difference = np.abs(draw_images(labels[eggs]) - sample_images()[eggs])
        assert difference.max() <= 4
        assert difference.mean() < 0.1

    @pytest.mark.parametrize("point", [1, 2, 3, 4, 5, 6])
    @pytest.mark.parametrize("step", [(0.02, 0.0), (-0.02, 0.0), (0.0, 0.02), (0.0, -0.02)])
    def test_moving_a_control_point_of_the_egg_makes_it_worse(
        self, point: int, step: tuple[float, float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        labels, images = sample_labels(), sample_images()
        eggs = labels[:, 0] == EGG
        before = np.square(draw_images(labels[eggs]) - images[eggs]).sum()
        moved = drawing.OUTLINES[EGG].deepcopy()
        moved.vertices[point] += step
        monkeypatch.setattr(drawing, "OUTLINES", (drawing.OUTLINES[0], moved, drawing.OUTLINES[2]))
        assert np.square(draw_images(labels[eggs]) - images[eggs]).sum() > before

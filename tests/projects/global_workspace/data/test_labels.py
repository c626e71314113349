"""Label rows and attribute vectors: ranges of the published set, colours of another implementation, vectors by hand."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from scipy.stats import chisquare

from projects.global_workspace.data.labels import attribute_vectors, draw_labels, hls_to_rgb
from tests.projects.global_workspace.data.sample import label, real_data, sample_labels

N = 6000
# First and last value of each whole-numbered column, from the facts of the published set (create_dataset.py).
RANGES = {"class": (0, 0, 2), "x": (1, 7, 24), "y": (2, 7, 24), "size": (3, 7, 14), "hue": (8, 0, 180)}
RANGES |= {"lightness": (9, 46, 255), "saturation": (10, 0, 255)}


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return draw_labels(N, np.random.default_rng(0))


@pytest.mark.parametrize("name", RANGES)
def test_a_whole_number_is_uniform_from_its_first_to_its_last_value(name: str, labels: np.ndarray) -> None:
    column, first, last = RANGES[name]
    values = labels[:, column].astype(int)
    assert np.array_equal(values, labels[:, column])
    counts = np.bincount(values - first, minlength=last - first + 1)
    assert len(counts) == last - first + 1  # no value lies outside
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("column", "below"), [(4, 2 * np.pi), (11, 1.0)])
def test_rotation_and_unpaired_are_uniform_and_continuous(column: int, below: float, labels: np.ndarray) -> None:
    values = labels[:, column] / below
    assert values.min() >= 0
    assert values.max() < 1
    assert chisquare(np.histogram(values, 20, (0, 1))[0]).pvalue > 1e-3
    assert len(np.unique(values)) > 0.99 * N


def test_fewer_items_are_the_head_of_more(labels: np.ndarray) -> None:
    assert np.array_equal(draw_labels(10, np.random.default_rng(0)), labels[:10])


def test_colors_agree_with_colorsys(labels: np.ndarray) -> None:
    hls = labels[:, 8:11].astype(float)
    unit = hls / [180, 255, 255]
    expected = np.array([colorsys.hls_to_rgb(*row) for row in unit]) * 255
    # Rounded to whole bytes, so half a byte of difference and the rounding of float64.
    assert hls_to_rgb(hls) == pytest.approx(expected, abs=0.5 + 1e-9)


def test_an_attribute_vector_is_the_one_made_by_hand() -> None:
    row = label(1, x=16, y=7, size=14, rotation=np.pi / 2, rgb=255)
    # One-hot egg; (16 - 7) / 18 * 2 - 1 = 0; (7 - 7) ... = -1; (14 - 7) / 7 * 2 - 1 = 1; cos, sin of a right angle; 1.
    expected = [0, 1, 0, 0, -1, 1, 0, 1, 1, 1, 1]
    assert attribute_vectors(row)[0] == pytest.approx(expected, abs=1e-6)


class TestSample:
    pytestmark = real_data

    def test_colors_of_the_published_labels_follow_from_their_hues(self) -> None:
        labels = sample_labels()
        assert np.array_equal(hls_to_rgb(labels[:, 8:11]), labels[:, 5:8])

    def test_published_labels_lie_in_our_ranges(self) -> None:
        labels = sample_labels()
        for column, first, last in RANGES.values():
            assert ((labels[:, column] >= first) & (labels[:, column] <= last)).all()

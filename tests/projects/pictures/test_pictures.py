"""Grids and confusion matrices: their numbers against scikit-learn, their pictures read back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from projects.pictures.confusion import class_accuracy, class_f1, confusion_matrix, confusion_png, macro_f1
from projects.pictures.grid import picture_grid

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 7, 300)
PREDICTED = np.where(RNG.random(300) < 0.6, TRUE, RNG.integers(0, 7, 300))


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_counts_recall_and_f1_are_those_of_scikit_learn() -> None:
    matrix = confusion_matrix(TRUE, PREDICTED, 7)
    assert matrix.tolist() == metrics.confusion_matrix(TRUE, PREDICTED).tolist()
    assert class_accuracy(matrix) == pytest.approx(metrics.recall_score(TRUE, PREDICTED, average=None))
    assert class_f1(matrix) == pytest.approx(metrics.f1_score(TRUE, PREDICTED, average=None))
    assert macro_f1(matrix) == pytest.approx(metrics.f1_score(TRUE, PREDICTED, average="macro"))


def test_a_class_without_rows_has_no_accuracy_and_does_not_pull_the_mean_down() -> None:
    # By hand: class 2 is neither present nor predicted; F1 of the others is 1.
    matrix = confusion_matrix(np.array([0, 1]), np.array([0, 1]), 3)
    assert np.isnan(class_accuracy(matrix)).tolist() == [False, False, True]
    assert macro_f1(matrix) == 1.0


def test_a_confusion_picture_is_darker_where_more_of_a_class_went() -> None:
    picture = opened(confusion_png(np.array([[9, 1], [5, 5]]), ["a", "b"])).astype(int)
    cells = picture[-11 - 58 : -11 : 30, -11 - 58 : -11 : 30].sum(2)  # a pixel near a corner of each cell
    assert cells[0, 0] < cells[1, 0] == cells[1, 1] < cells[0, 1]


def test_pixels_of_a_grid_are_those_of_its_images_in_their_order() -> None:
    images = RNG.integers(0, 256, (3, 32, 64, 3), dtype=np.uint8)
    sheet = opened(picture_grid(images, columns=2))
    # By hand: the shorter side, 32, is doubled to 64; a margin of 4 goes before each image.
    assert sheet.shape == (2 * (64 + 4) + 4, 2 * (128 + 4) + 4, 3)
    assert np.array_equal(sheet[4:68:2, 4:132:2], images[0])
    assert np.array_equal(sheet[5:68:2, 137:264:2], images[1])
    assert np.array_equal(sheet[72:136:2, 4:132:2], images[2])


def test_a_grey_grid_with_titles_is_the_same_bytes_every_time() -> None:
    images = RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    titles = ["a title too long for its image", *"bcde"]
    assert picture_grid(images, titles) == picture_grid(images, titles) != picture_grid(images)


@pytest.mark.parametrize(
    ("images", "titles", "rule"),
    [
        (np.zeros((2, 8, 8), np.float32), None, "need uint8"),
        (np.zeros((2, 8, 8, 4), np.uint8), None, "need uint8"),
        (np.zeros((0, 8, 8), np.uint8), None, "none of them 0"),
        (np.zeros((2, 8, 8), np.uint8), ["one"], "1 for 2 images"),
    ],
)
def test_what_makes_no_grid_is_refused(images: np.ndarray, titles: list[str] | None, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        picture_grid(images, titles)

"""The made pictures: deterministic, balanced, and nothing of one part in another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import ImageFont

from projects.files.problem import DataProblem
from projects.image_classifier.data import made
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.data.load import load_images
from projects.image_classifier.data.made import CHARACTERS, FONTS, SHARES, make_pictures, part_of, printed

SMALL = {"image_size": 12, "n_train": 40, "n_val": 30}


@pytest.fixture(autouse=True)
def _few_test_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(made.SIZES, "test", 20)


def test_equal_configs_make_equal_bytes_and_another_seed_others() -> None:
    once, again, other = (make_pictures(DataConfig(**SMALL, seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(once.train.images, again.train.images)
    assert once.digest == again.digest != other.digest


def test_every_class_has_its_share_of_each_part() -> None:
    made_set = make_pictures(DataConfig(**SMALL))
    assert made_set.test is not None
    assert np.bincount(made_set.train.labels).tolist() == [4] * 10
    assert np.bincount(made_set.val.labels).tolist() == [3] * 10
    assert made_set.class_names == tuple("0123456789")
    assert made_set.train.images.shape == (40, 3, 12, 12)


def test_the_validation_pictures_do_not_depend_on_how_many_there_are_to_train_on() -> None:
    few, many = (make_pictures(DataConfig(**{**SMALL, "n_train": n})) for n in (20, 40))
    assert np.array_equal(few.val.images, many.val.images)


def test_no_scan_and_no_font_is_in_two_parts() -> None:
    for items in (FONTS, list(range(177))):
        parts = [set(part_of(items, part)) for part in SHARES]
        assert set.union(*parts) == set(items)
        assert all(not one & other for one, other in combinations(parts, 2))
        # By hand: 60, 20 and 20 %, to one item.
        assert [len(part) / len(items) for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=1 / len(items))


@pytest.mark.parametrize("font", FONTS)
def test_a_font_has_every_character(font: str) -> None:
    missing = printed("\U0010ffff", font)  # no font has a character there: it shows the sign for that
    glyphs = [printed(character, font) for character in CHARACTERS["digits"] + CHARACTERS["letters"]]
    assert len({glyph.tobytes() for glyph in glyphs} | {missing.tobytes()}) >= 36  # O and 0 may look alike
    assert all(glyph.any() and not np.array_equal(glyph, missing) for glyph in glyphs)


def test_fonts_are_those_of_matplotlib() -> None:
    assert all(ImageFont.truetype(str(made._font_folder() / font), 10).getname()[0] for font in FONTS)


def test_fewer_pictures_than_classes_are_refused() -> None:
    with pytest.raises(DataProblem, match=r"data\.n_train: 9 pictures of 10 classes"):
        load_images(DataConfig(n_train=9))

"""The drawn characters: balanced, reproducible, kept in a cache, tested on faces that training has not seen."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from projects.emnist_mlp.data import DataConfig, DataProblem, load_dataset
from projects.emnist_mlp.data.fonts import cache_digest, draw_source, read_fonts
from projects.emnist_mlp.data.glyphs import FRAME, TEST_FACES, TRAIN_FACES, draw_glyphs
from tests.projects.emnist_mlp.training import SMALL

CONFIG = DataConfig.model_validate(SMALL)


def test_every_face_has_every_character_and_no_two_are_alike() -> None:
    glyphs = draw_glyphs(TRAIN_FACES + TEST_FACES)
    assert glyphs.shape == (21, 47, 28, 28)
    for face in glyphs:
        # A face without a character would draw the same box for each that it lacks.
        assert len({glyph.tobytes() for glyph in face}) == 47


def test_a_glyph_fills_its_frame_and_no_more() -> None:
    ink = draw_glyphs(TEST_FACES) > 0
    rows, columns = ink.any(axis=3).sum(axis=2), ink.any(axis=2).sum(axis=2)  # (face, character)
    assert np.maximum(rows, columns).max() <= FRAME
    assert np.maximum(rows, columns).min() >= FRAME - 1
    assert not ink[:, :, [0, -1], :].any()
    assert not ink[:, :, :, [0, -1]].any()


def test_no_face_is_both_trained_and_tested_on() -> None:
    assert not set(TRAIN_FACES) & set(TEST_FACES)
    assert {face[:2] for face in TEST_FACES} == {"cm"}
    assert "cm" not in {face[:2] for face in TRAIN_FACES}


def test_the_classes_are_balanced() -> None:
    source = draw_source(CONFIG)
    assert np.bincount(source.train.y).tolist() == [6] * 47
    assert np.bincount(source.test.y).tolist() == [2] * 47


def test_equal_settings_draw_equal_images_and_seeds_other_ones() -> None:
    first, again = draw_source(CONFIG), draw_source(CONFIG)
    np.testing.assert_array_equal(first.train.x, again.train.x)
    other = draw_source(CONFIG.model_copy(update={"seed": 1}))
    assert not np.array_equal(first.train.x, other.train.x)


def test_no_two_images_are_alike() -> None:
    source = draw_source(CONFIG)
    assert len({image.tobytes() for image in [*source.train.x, *source.test.x]}) == 8 * 47


def test_the_cache_gives_what_was_drawn_and_is_named_by_all_that_matters(tmp_path: Path) -> None:
    drawn, kept = read_fonts(CONFIG, tmp_path), read_fonts(CONFIG, tmp_path)
    np.testing.assert_array_equal(drawn.train.x, kept.train.x)
    np.testing.assert_array_equal(kept.train.x, draw_source(CONFIG).train.x)
    assert [path.name for path in tmp_path.iterdir()] == [f"{cache_digest(CONFIG)[:16]}.npz"]
    others = [{"seed": 1}, {"per_class": 7}, {"test_per_class": 3}]
    digests = {cache_digest(CONFIG.model_copy(update=other)) for other in [*others, {}]}
    assert len(digests) == 4
    # How rows are split has no part in what is drawn.
    assert cache_digest(CONFIG.model_copy(update={"n_train": 100})) == cache_digest(CONFIG)


def test_a_file_in_the_cache_is_what_is_read(tmp_path: Path) -> None:
    read_fonts(CONFIG, tmp_path)
    (path,) = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    read_fonts(CONFIG, tmp_path)
    assert path.stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataProblem, match=r"\.npz: is damaged .*; remove it; it will be drawn again"):
        read_fonts(CONFIG, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataProblem, match="cannot be written"):
        read_fonts(CONFIG, tmp_path / "file" / "fonts")


@pytest.mark.usefixtures("at_home")
def test_arrays_are_shared_and_cannot_be_written() -> None:
    data = load_dataset(CONFIG)
    assert load_dataset(CONFIG) is data
    with pytest.raises(ValueError, match="read-only"):
        data.train.x[0, 0, 0] = 1


def test_the_default_data_take_less_than_20_seconds_of_one_core() -> None:
    # The study promises it; processor time, since others may use the machine meanwhile.
    began = time.process_time()
    source = draw_source(DataConfig())
    assert time.process_time() - began < 20
    assert len(source.train.y) == 220 * 47

"""`data.seed` of the studies: another split of what trains and validates, while the test rows stay held out of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.batch_size.data import DataConfig as BatchData
from projects.batch_size.data import load_dataset
from projects.batch_size.data.split import choose_rows, rows_left, train_and_test
from projects.image_classifier.data.config import DataConfig as ImageData
from projects.image_classifier.data.folder import load_folder
from projects.language_model.config import Config, DataConfig
from projects.language_model.evaluate import measured_starts, unseen_starts, validation_starts

SEEDS = (1, 2, 7)


def write_classes(root: Path, n: int) -> None:
    """Folders of two classes of random pictures, all different."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for k in range(n):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(root / name / f"{k}.png")


def rows_of(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in np.ascontiguousarray(x)}


@pytest.mark.parametrize("sizes", [{}, {"n_train": 300, "n_val": 100}])
def test_the_digits_test_rows_are_in_no_split(sizes: dict[str, int]) -> None:
    first = load_dataset(BatchData(**sizes))
    assert first.test_x is not None
    for seed in SEEDS:
        other = load_dataset(BatchData(**sizes, seed=seed))
        assert other.test_x is not None
        np.testing.assert_array_equal(other.test_x, first.test_x)
        assert not rows_of(other.test_x) & (rows_of(other.train_x) | rows_of(other.val_x))
        assert len(other.train_x) == len(first.train_x)
        assert rows_of(other.val_x) != rows_of(first.val_x)


def test_rows_that_a_choice_leaves_are_chosen_by_no_seed() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 500)
    how = {"field": "n_train", "source": "made"}
    train, test = train_and_test(labels, 300, seed=0, most=100, **how)
    # Seed 0 splits as before there was this rule.
    np.testing.assert_array_equal(train, choose_rows(labels, 300, seed=0, **how))
    np.testing.assert_array_equal(test, rows_left(labels, 300, seed=0, most=100))
    for seed in SEEDS:
        other, same = train_and_test(labels, 300, seed=seed, most=100, **how)
        np.testing.assert_array_equal(same, test)
        assert not set(other) & set(test)
        assert len(set(other)) == 300
        assert set(other) != set(train)


def test_images_that_are_cut_off_for_the_test_are_in_no_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # decoded images are kept below the working directory
    write_classes(tmp_path / "images", n=20)

    def parts(seed: int) -> list[set[bytes]]:
        found = load_folder(
            ImageData(name="folder", path=str(tmp_path / "images"), image_size=8, test_fraction=0.2, seed=seed)
        )
        return [rows_of(part.images) for part in (found.train, found.val, found.test)]

    train, val, test = parts(0)
    for seed in SEEDS:
        other_train, other_val, other_test = parts(seed)
        assert other_test == test
        assert not test & (other_train | other_val)
        assert other_val != val
    assert not test & (train | val)


@pytest.mark.parametrize("n_tokens", [101, 1_000, 20_000])
def test_validation_sequences_of_another_seed_share_no_token_with_the_test(n_tokens: int) -> None:
    config = Config(context_length=16, eval_sequences=20)
    np.testing.assert_array_equal(measured_starts(n_tokens, config), validation_starts(n_tokens, config))
    test = {int(at) + k for at in unseen_starts(n_tokens, config) for k in range(17)}
    for seed in SEEDS:
        starts = measured_starts(n_tokens, config.model_copy(update={"data": DataConfig(seed=seed)}))
        tokens = {int(at) + k for at in starts for k in range(17)}
        assert not tokens & test
        assert min(tokens) >= 0
        assert max(tokens) < n_tokens
        assert len(starts) == len(validation_starts(n_tokens, config))
    assert n_tokens < 1_000 or set(starts) != set(validation_starts(n_tokens, config))

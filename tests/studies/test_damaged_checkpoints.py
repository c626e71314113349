"""What happens around a damaged checkpoint: it is set aside once, it never crowds out a good one, nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from rothamsted.errors import StudyError
from rothamsted.studies import Checkpoint
from tests.studies.session import config
from tests.studies.trainings import bits, run


def stop_after(n_points: int, folder: Path) -> None:
    """Train until so many measurements more have been made, with a checkpoint after each."""
    should_stop = iter([False] * n_points + [True]).__next__
    run(config(), checkpoint=Checkpoint(folder=folder, every_seconds=0.0), should_stop=should_stop)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0b100
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGE: dict[str, Callable[[Path], None]] = {"flipped bit": flip_a_bit, "cut short": cut_short, "empty": empty}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_training_ends_with_the_same_bits_though_the_newest_checkpoint_is_damaged(damage: str, tmp_path: Path) -> None:
    stop_after(5, tmp_path)
    DAMAGE[damage](max(tmp_path.iterdir()))
    assert bits(run(config(), checkpoint=Checkpoint(folder=tmp_path))) == bits(run(config()))


def test_training_ends_with_the_same_bits_though_every_checkpoint_is_damaged(tmp_path: Path) -> None:
    stop_after(5, tmp_path)
    for path in list(tmp_path.iterdir()):
        flip_a_bit(path)
    assert bits(run(config(), checkpoint=Checkpoint(folder=tmp_path))) == bits(run(config()))


def test_the_warning_names_the_checkpoint_that_is_used_instead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop_after(5, tmp_path)
    before, newest = sorted(tmp_path.iterdir())
    flip_a_bit(newest)
    Checkpoint(folder=tmp_path).load("toy", [config()])
    assert [record.getMessage() for record in caplog.records] == [
        f"{newest} is damaged (its SHA-256 is not the one in its name); using the one before it, {before.name}"
    ]


def test_the_warning_says_that_there_is_none_to_use_instead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop_after(1, tmp_path)
    flip_a_bit(next(tmp_path.iterdir()))
    Checkpoint(folder=tmp_path).load("toy", [config()])
    assert "there is none before it: starting again" in caplog.text


def test_a_damaged_checkpoint_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop_after(5, tmp_path)
    flip_a_bit(max(tmp_path.iterdir()))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            Checkpoint(folder=tmp_path).load("toy", [config()])
    assert len(caplog.records) == 1


def test_a_damaged_checkpoint_is_not_one_of_the_two_that_are_kept(tmp_path: Path) -> None:
    stop_after(5, tmp_path)
    flip_a_bit(max(tmp_path.iterdir()))
    stop_after(1, tmp_path)  # goes on from the fourth measurement, and writes a checkpoint of the fifth
    flip_a_bit(max(tmp_path.glob("*.safetensors")))
    snapshot = Checkpoint(folder=tmp_path).load("toy", [config()])
    assert snapshot is not None
    assert len(snapshot.histories[0]) == 4


def test_nothing_is_left_of_a_damaged_checkpoint_when_training_has_ended(tmp_path: Path) -> None:
    stop_after(5, tmp_path / "kept")
    flip_a_bit(max((tmp_path / "kept").iterdir()))
    run(config(), checkpoint=Checkpoint(folder=tmp_path / "kept"))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / f"00000001-{64 * '0'}.safetensors"
    path.mkdir()  # not even root reads a folder as a file
    with pytest.raises(StudyError, match="must be a file, and is a folder") as refused:
        Checkpoint(folder=tmp_path).load("toy", [config()])
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)

"""Checkpoints: what goes in comes out, damage is noticed, other runs' are refused, and a resume changes no number."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, Outcome, Stopped
from rothamsted.studies import Checkpoint, Snapshot, drive
from tests.studies.test_driver import Clock, own_metrics, trained
from tests.toy import STUDY, Config, Optimizer

DIVERGED = Stopped(outcome=Outcome.DIVERGED, reason="")

TEN = Config(seed=3, steps=40, n_points=10, optimizer=Optimizer(momentum=0.9))


def stopped_after(n_points: int) -> Any:
    """A `should_stop` that lets `n_points` measurements be made; it is also asked once before training."""
    return iter([False] * n_points + [True]).__next__


def every(folder: Path) -> Checkpoint:
    return Checkpoint(folder=folder, every_seconds=0)


def stop_at(folder: Path, n_points: int, *configs: Config) -> list[Ending]:
    return trained(*(configs or (TEN,)), checkpoint=every(folder), should_stop=stopped_after(n_points))


def measured(step: int, epoch: float | None, **metrics: float) -> Measured:
    return Measured(step=step, epoch=epoch, seconds=step / 7, metrics=metrics, timestamp_ms=10**12 + step)


# ---- what goes in comes out ----


def test_a_snapshot_comes_back_to_the_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    state = {
        "scalar": np.array(3, dtype=np.int64),
        "turned": rng.normal(size=(3, 4)).T,  # not contiguous: its raw bytes are in another order
        "strided": np.arange(10, dtype=np.float32)[::3],
        "big-endian": np.array([1.5, -2.0], dtype=">f8"),
        "half": np.array([0.1], dtype=np.float16),
        "key": np.array([1, 2**32 - 1], dtype=np.uint32),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3)),
    }
    histories = (
        (measured(1, 0.5, loss=0.1, acc=float("nan")), measured(2, 1.0, loss=float("inf"), acc=-0.0)),
        (measured(1, 0.5, loss=1 / 3, acc=1e-310),),
    )
    snapshot = Snapshot(state=state, histories=histories, stopped=(None, DIVERGED), seconds=1.1)
    every(tmp_path).save("toy", [TEN, TEN], snapshot)
    back = every(tmp_path).load("toy", [TEN, TEN])
    assert back is not None
    np.testing.assert_equal(dict(back.state), state)
    assert {name: value.shape for name, value in back.state.items()} == {n: v.shape for n, v in state.items()}
    assert repr(back.histories) == repr(histories)  # repr tells NaN, -0.0 and every bit of a float
    assert (back.stopped, back.seconds) == ((None, DIVERGED), 1.1)


def test_a_missing_epoch_stays_missing(tmp_path: Path) -> None:
    histories = ((measured(1, None, loss=0.5),),)
    every(tmp_path).save("toy", [TEN], Snapshot(state={}, histories=histories, stopped=(None,), seconds=0.0))
    back = every(tmp_path).load("toy", [TEN])
    assert back is not None
    assert back.histories[0][0].epoch is None


def test_a_checkpoint_is_a_plain_safetensors_file(tmp_path: Path) -> None:
    stop_at(tmp_path, 2)
    newest = sorted(tmp_path.iterdir())[-1]
    assert load_file(newest)["state/step"] == 8  # 40 steps in 10 points: the second is at step 8


UNSTORABLE = {"text": "abc", "complex": np.array([1j]), "objects": np.array([None])}


@pytest.mark.parametrize("kind", sorted(UNSTORABLE))
def test_a_state_that_is_not_numbers_is_refused_by_its_name(tmp_path: Path, kind: str) -> None:
    snapshot = Snapshot(state={"model": UNSTORABLE[kind]}, histories=((),), stopped=(None,), seconds=0.0)  # type: ignore[dict-item]
    with pytest.raises(StudyError, match=r"state\['model'\] must be an array of numbers"):
        every(tmp_path).save("toy", [TEN], snapshot)


# ---- which are kept ----


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    stop_at(tmp_path, 6)
    assert [path.name[:8] for path in sorted(tmp_path.iterdir())] == ["00000005", "00000006"]


def test_they_are_removed_when_the_run_has_finished(tmp_path: Path) -> None:
    stop_at(tmp_path / "deep" / "ck", 6)
    [ending] = trained(TEN, checkpoint=every(tmp_path / "deep" / "ck"))
    assert (ending.outcome, (tmp_path / "deep" / "ck").exists()) == (Outcome.FINISHED, False)


def test_they_are_kept_when_the_run_has_failed(tmp_path: Path) -> None:
    trained(TEN.model_copy(update={"fail": True}), checkpoint=every(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    trained(TEN, checkpoint=every(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_write_that_was_cut_off_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "00000001-abc.safetensors.99.unfinished").write_bytes(b"half")
    trained(TEN, checkpoint=every(tmp_path))
    assert not tmp_path.exists()


def test_checkpoints_are_written_as_often_as_is_asked(tmp_path: Path) -> None:
    clock = Clock()
    how: dict[str, Any] = {"checkpoint": Checkpoint(folder=tmp_path, every_seconds=2.5), "clock": clock}
    trained(TEN, study=clock.study(1.0), timeout_seconds=7.5, **how)
    # A second a point: due at 3 s and 6 s, then out of time at 8 s.
    assert [load_file(path)["seconds"].item() for path in sorted(tmp_path.iterdir())] == [3.0, 6.0]


# ---- what is refused, what is noticed ----


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop_at(tmp_path, 6)
    [_, newest] = sorted(tmp_path.iterdir())
    content = bytearray(newest.read_bytes())
    content[-3] ^= 1  # one bit of the last array
    newest.write_bytes(content)
    restored: list[int] = []
    with caplog.at_level(logging.WARNING):
        [ending] = trained(TEN, checkpoint=every(tmp_path), on_restored=lambda i, m: restored.append(m.step))
    assert f"{newest} is damaged" in caplog.text
    assert restored == [4, 8, 12, 16, 20]  # five points of 40 / 10 steps: those of the checkpoint before
    assert own_metrics(ending) == own_metrics(trained(TEN)[0])


def test_a_checkpoint_that_was_cut_short_is_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop_at(tmp_path, 1)
    [only] = tmp_path.iterdir()
    only.write_bytes(only.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        assert every(tmp_path).load("toy", [TEN]) is None
    assert f"{only} is damaged" in caplog.text


def test_a_checkpoint_of_another_config_is_refused_with_the_difference(tmp_path: Path) -> None:
    stop_at(tmp_path, 2)
    changed = TEN.model_copy(update={"lr": 0.2, "optimizer": Optimizer(momentum=0.8)})
    with pytest.raises(StudyError, match=r"lr was 0\.1 and is 0\.2; optimizer\.momentum was 0\.9 and is 0\.8"):
        trained(changed, checkpoint=every(tmp_path))


def test_a_checkpoint_of_another_study_is_refused(tmp_path: Path) -> None:
    stop_at(tmp_path, 2)
    with pytest.raises(StudyError, match="is of study 'toy', not 'twin'"):
        trained(TEN, study=replace(STUDY, name="twin"), checkpoint=every(tmp_path))


def test_a_checkpoint_of_another_population_is_refused(tmp_path: Path) -> None:
    stop_at(tmp_path, 2)
    with pytest.raises(StudyError, match="a population of 1, not 2"):
        trained(TEN, TEN, checkpoint=every(tmp_path))


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot be written") as refused:
        stop_at(tmp_path / "file" / "ck", 2)
    assert "\n" not in str(refused.value)


# ---- resuming changes no number ----


@pytest.mark.parametrize("n_points", range(1, 10))
def test_a_run_stopped_after_any_measurement_goes_on_to_the_same_bits(tmp_path: Path, n_points: int) -> None:
    [stopped] = stop_at(tmp_path, n_points)
    assert (stopped.outcome, len(stopped.history)) == (Outcome.INTERRUPTED, n_points)
    [resumed], [whole] = trained(TEN, checkpoint=every(tmp_path)), trained(TEN)
    assert own_metrics(resumed) == own_metrics(whole)
    assert resumed.model == whole.model


@settings(max_examples=30, deadline=None)
@given(
    stops=st.lists(st.integers(1, 4), max_size=4),
    lrs=st.lists(st.sampled_from([0.1, 0.5, 2.5, 3.0]), min_size=1, max_size=4),
)
def test_a_population_stopped_again_and_again_goes_on_to_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int], lrs: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("ck")
    configs = [TEN.model_copy(update={"lr": lr, "seed": seed}) for seed, lr in enumerate(lrs)]
    for n_points in stops:
        stop_at(folder, n_points, *configs)
    for ending, whole in zip(trained(*configs, checkpoint=every(folder)), trained(*configs)):
        assert ending.outcome is whole.outcome
        np.testing.assert_equal(own_metrics(ending), own_metrics(whole))


def test_seconds_go_on_from_where_they_were(tmp_path: Path) -> None:
    clock = Clock()
    how: dict[str, Any] = {"study": clock.study(1.0), "clock": clock, "checkpoint": every(tmp_path)}
    trained(TEN, should_stop=stopped_after(4), **how)
    [ending] = trained(TEN, **how)
    assert [m.seconds for m in ending.history] == list(range(1, 11))


def test_what_was_measured_before_is_handed_over_once_and_not_measured_again(tmp_path: Path) -> None:
    stop_at(tmp_path, 4)
    restored: list[int] = []
    measured_now: list[int] = []
    drive(
        STUDY,
        [TEN],
        on_measurement=lambda i, m: measured_now.append(m.step),
        on_restored=lambda i, m: restored.append(m.step),
        checkpoint=every(tmp_path),
    )
    assert (restored, measured_now) == ([4, 8, 12, 16], [20, 24, 28, 32, 36, 40])

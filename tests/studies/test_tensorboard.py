"""The TensorBoard mirror, read back by TensorBoard's own EventAccumulator: whole, and each point once."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import StudyError
from rothamsted.records import Measured, Outcome
from rothamsted.studies import ByHand, StopRequest, run_by_hand
from rothamsted.studies.command_line import parse
from rothamsted.studies.tensorboard import EventFile
from rothamsted.tracking import find_runs, read_history
from tests.sketch import STUDY, Config, Model, picture

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")

SLOW = Config(seed=3, steps=6, model=Model(hidden=(3, 2)))


def read(folder: Path) -> Any:
    """All of a folder, as TensorBoard reads it; what lies between an interruption and its restart is not purged."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = {"scalars": 0, "images": 0, "tensors": 0}
    accumulator = EventAccumulator(str(folder), size_guidance=everything, purge_orphaned_data=False)
    accumulator.Reload()
    return accumulator


def only_folder(at: Path) -> Path:
    [folder] = (at / "tensorboard").iterdir()
    return folder


def scalars(events: Any) -> dict[str, list[tuple[int, float]]]:
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def logged(run_id: str) -> dict[str, list[tuple[int, float]]]:
    """What MLflow has of the run, epochs apart: the mirror shows measurements by step."""
    import numpy as np

    curves: dict[str, list[tuple[int, float]]] = {}
    for point in read_history([run_id])[run_id]:
        if point.key != "epoch":
            curves.setdefault(point.key, []).append(
                (point.step, float(np.float32(point.value)))
            )  # as TensorBoard keeps it
    return curves


def test_a_run_by_hand_is_mirrored_with_scalars_pictures_and_hyper_parameters(home: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # type: ignore[attr-defined]

    run_by_hand(STUDY, SLOW, ByHand(is_mirrored=True))
    [run] = find_runs(None, {})
    events = read(only_folder(home))
    assert scalars(events) == logged(run.run_id)
    assert len(scalars(events)["train/loss"]) == 6
    shown = [(e.step, e.width, e.height, e.encoded_image_string) for e in events.Images("pictures/last.png")]
    assert shown == [(step, 4, 4, picture(3, step)) for step in range(1, 7)]
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert plugin.plugin_name == "hparams"
    hparams = HParamsPluginData.FromString(plugin.content).session_start_info.hparams
    assert (hparams["lr"].number_value, hparams["model.hidden"].string_value) == (0.5, "[3, 2]")


def test_a_run_with_an_output_folder_is_mirrored_there(home: Path) -> None:
    run_by_hand(STUDY, Config(), ByHand(is_mirrored=True, output=home / "out"))
    assert scalars(read(only_folder(home / "out")))["train/loss"] == [
        (1, 0.125),
        (2, 0.0625),
        (3, 0.03125),
    ]  # 0.5^t / 4


def test_a_resumed_run_has_each_point_once(home: Path) -> None:
    request = StopRequest()

    def stopping(configs: Any, state: Any = None) -> Any:
        for measurement in STUDY.train(configs, state):
            if measurement.step == 3:
                request.signal_number = signal.SIGINT
            yield measurement

    kept = ByHand(is_mirrored=True, checkpoint_dir=home / "ck", checkpoint_seconds=1e6)
    study = type(STUDY)(**{**STUDY.__dict__, "train": stopping})
    assert run_by_hand(study, SLOW, kept, should_stop=request).outcome is Outcome.INTERRUPTED
    run_by_hand(STUDY, SLOW, kept)
    [run] = find_runs(None, {})
    events = read(only_folder(home))
    assert scalars(events) == logged(run.run_id)
    assert [e.step for e in events.Images("pictures/last.png")] == [1, 2, 3, 4, 5, 6]
    assert len(events.Tensors("_hparams_/session_start_info")) == 1


def test_points_behind_the_last_checkpoint_are_not_repeated_after_a_kill(tmp_path: Path) -> None:
    def measured(step: int) -> Measured:
        return Measured(step=step, epoch=None, seconds=0.0, metrics={"loss": 1 / step}, timestamp_ms=1000 * step)

    first = EventFile(tmp_path, {"lr": 0.1}, started_seconds=1.0)
    for step in (1, 2, 3):  # the checkpoint is of step 1, and the process is killed in the record of step 3
        first.log(measured(step))
    first.close()
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    again = EventFile(tmp_path, {"lr": 0.1}, started_seconds=2.0)
    for step in (1, 2, 3, 4):
        again.log(measured(step))
    again.close()
    assert [e.step for e in read(tmp_path).Scalars("loss")] == [1, 2, 3, 4]


def test_without_the_package_one_line_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"not installed; pip install 'tensorboard>=2\.20'"):
        run_by_hand(STUDY, SLOW, ByHand(is_mirrored=True))
    assert find_runs(None, {}) == []


def test_the_command_line_asks_for_it_and_not_beside_no_save() -> None:
    assert parse(STUDY, ["--tensorboard", "true"])[1].is_mirrored
    assert not parse(STUDY, [])[1].is_mirrored
    with pytest.raises(StudyError, match="--no-save leaves nothing behind"):
        parse(STUDY, ["--tensorboard", "true", "--no-save"])

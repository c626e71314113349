"""TensorBoard's event files, written by torch's own writer and by TensorBoard's, become runs of MLflow."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from rothamsted.importing.event_run import read_events
from tests.importing.conftest import Place

LOSSES = (0.5, 0.25, 0.125)  # single precision holds them exactly, as event files do
START = 1_700_000_000.25


def curves(folder: Path, *, seed: int = 0) -> None:
    """A run with scalars in the old form and the new one, and one at a time of its own."""
    with SummaryWriter(str(folder)) as writer:
        for step, loss in enumerate(LOSSES):
            writer.add_scalar("val/loss", loss + seed, step, walltime=START + step)
            writer.add_scalar("acc", 1 - loss, step, new_style=True, double_precision=True, walltime=START + step)


def test_scalars_in_both_forms_arrive_with_steps_times_and_values(place: Place) -> None:
    curves(place.folder / "logs" / "a" / "s0")
    place.bring("logs", "experiment=before")
    [run] = place.runs("before").values()
    history = place.history(run)
    assert history["val/loss"] == [(0, 0.5), (1, 0.25), (2, 0.125)]
    assert history["acc"] == [(0, 0.5), (1, 0.75), (2, 0.875)]
    # The first event of a file is its version, written when it was opened: later than the times given here.
    assert (run.name, run.status, run.start_ms) == ("a/s0", "FINISHED", 1_700_000_000_250)


def test_hyper_parameters_and_lines_that_torch_puts_into_folders_of_their_own_belong_to_the_run(place: Place) -> None:
    folder = place.folder / "logs" / "a"
    with SummaryWriter(str(folder)) as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_scalars("both", {"a": 1.0, "b": 2.0}, 1)
        writer.add_hparams({"lr": 0.1, "layers": 3, "opt": "sgd", "amp": True}, {"final": 0.25})
    assert sum("tfevents" in path.name for path in folder.rglob("*")) == 4  # what torch makes of it
    place.bring("logs", "experiment=before")
    [run] = place.runs("before").values()
    assert run.params == {"lr": "0.1", "layers": "3", "opt": "sgd", "amp": "1"}  # hparams knows no truth values
    assert run.metrics == {"loss": 0.5, "both/a": 1.0, "both/b": 2.0, "final": 0.25}


def test_a_folder_beside_others_whose_name_only_looks_like_a_part_is_a_run_of_its_own(place: Place) -> None:
    curves(place.folder / "logs")
    curves(place.folder / "logs" / "run_2")
    place.bring("logs", "experiment=before")
    assert sorted(place.runs("before")) == ["logs", "run_2"]


def test_the_yaml_that_lightning_writes_beside_its_events_is_the_configuration(place: Place) -> None:
    curves(place.folder / "logs" / "version_0")
    (place.folder / "logs" / "version_0" / "hparams.yaml").write_text("optimizer:\n  lr: 0.1\nseed: 3\n")
    place.bring("logs", "experiment=before")
    assert place.runs("before")["version_0"].params == {"optimizer.lr": "0.1", "seed": "3"}


def test_a_configuration_beside_the_events_or_above_them_is_that_of_the_run(place: Place) -> None:
    curves(place.folder / "runs" / "a" / "tb")
    curves(place.folder / "runs" / "b")
    (place.folder / "runs" / "a" / "config.json").write_text('{"lr": 0.1}')
    (place.folder / "runs" / "b" / "config.yaml").write_text("lr: 0.5")
    (place.folder / "runs" / "b" / "metrics.csv").write_text("step,time\n0,1\n")
    out = place.bring("runs", "experiment=before")
    assert {name: run.params for name, run in place.runs("before").items()} == {
        "a/tb": {"lr": "0.1"},
        "b": {"lr": "0.5"},
    }
    assert "metrics.csv beside the events: left out; kind=folder reads both" in out
    place.bring("runs", "experiment=both", "kind=folder")
    assert sorted(place.runs("both")["b"].metrics) == ["acc", "time", "val/loss"]


def test_a_last_record_that_is_cut_off_is_said_and_all_whole_ones_are_taken(place: Place) -> None:
    curves(place.folder / "logs")
    [path] = (place.folder / "logs").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    out = place.bring("logs", "experiment=before")
    [run] = place.runs("before").values()
    assert (run.status, place.history(run)["val/loss"][-1]) == ("KILLED", (2, 0.125))
    assert place.history(run)["acc"] == [(0, 0.5), (1, 0.75)]
    assert "its last record is cut off; the 6 whole ones are kept" in out  # the version and five of six scalars


@pytest.mark.parametrize("n_bytes", range(0, 120, 7))
def test_an_event_file_cut_anywhere_gives_what_is_whole_before_the_cut(n_bytes: int, tmp_path: Path) -> None:
    curves(tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - n_bytes])
    found = read_events([path])
    n_whole = _whole_records(whole[: len(whole) - n_bytes])
    assert found.n_points == max(0, n_whole - 1)
    assert bool(found.notes) == (_length(whole, n_whole) != len(whole) - n_bytes)


def test_damaged_bytes_end_the_file_with_a_note_and_never_give_a_wrong_number(tmp_path: Path) -> None:
    curves(tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    true = read_events([path])
    seen = {tag: list(values) for tag, (_, _, values) in true.columns.items()}
    rng = np.random.default_rng(0)
    for _ in range(60):
        place_of = int(rng.integers(60, len(whole)))
        path.write_bytes(
            whole[:place_of] + bytes([whole[place_of] ^ (1 << int(rng.integers(8)))]) + whole[place_of + 1 :]
        )
        found = read_events([path])
        assert found.notes
        for tag, (_, _, values) in found.columns.items():
            assert list(values) == seen[tag][: len(values)]


def test_pictures_and_texts_are_counted_and_left_out(place: Place) -> None:
    with SummaryWriter(str(place.folder / "logs")) as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_text("note", "hello")
        writer.add_histogram("weights", np.arange(5.0), 1)
    out = place.bring("logs", "experiment=before")
    assert place.runs("before")["logs"].metrics == {"loss": 0.5}
    assert "not scalars, left out: 1 x text, 1 x weights" in out


def test_two_event_files_of_one_folder_are_one_run_that_went_on(place: Place) -> None:
    with SummaryWriter(str(place.folder / "logs")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    with SummaryWriter(str(place.folder / "logs"), filename_suffix=".again") as writer:
        writer.add_scalar("loss", 0.25, 2)
    place.bring("logs", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run)["loss"] == [(1, 0.5), (2, 0.25)]


def test_a_file_that_is_no_event_file_is_one_line_with_its_name(place: Place) -> None:
    (place.folder / "logs").mkdir()
    (place.folder / "logs" / "events.out.tfevents.1").write_bytes(os.urandom(400))
    assert "events.out.tfevents.1: is not an event file of TensorBoard" in place.refused("logs")


def test_one_file_among_many_that_is_no_event_file_is_said_and_the_others_come(place: Place) -> None:
    curves(place.folder / "logs" / "a")
    (place.folder / "logs" / "b").mkdir()
    (place.folder / "logs" / "b" / "events.out.tfevents.1").write_bytes(os.urandom(400))
    curves(place.folder / "logs" / "c")
    out = place.bring("logs", "experiment=before")
    assert sorted(place.runs("before")) == ["a", "c"]
    assert "1 run could not be read and is left out:" in out
    assert "b/events.out.tfevents.1: is not an event file of TensorBoard" in out


def test_without_the_package_the_line_names_the_extra(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    curves(place.folder / "logs")
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "tensorboard" else there(name, *more)
    )
    assert "pip install 'rothamsted[tensorboard]'" in place.refused("logs")


def _whole_records(data: bytes) -> int:
    """How many records of TFRecord are whole: 8 bytes of length, 4, the data, 4."""
    n, at = 0, 0
    while at + 12 <= len(data):
        at += 16 + int.from_bytes(data[at : at + 8], "little")
        n += at <= len(data)
    return n


def _length(data: bytes, n_records: int) -> int:
    at = 0
    for _ in range(n_records):
        at += 16 + int.from_bytes(data[at : at + 8], "little")
    return at


def test_a_session_that_starts_again_at_an_earlier_step_takes_the_place_of_the_later_points(place: Place) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with SummaryWriter(str(place.folder / "logs")) as writer:
        for step in range(5):
            writer.add_scalar("loss", step, step)
        writer.add_scalar("late", 1, 4)
    with SummaryWriter(str(place.folder / "logs"), purge_step=3, filename_suffix=".again") as writer:
        for step in range(3, 6):
            writer.add_scalar("loss", 10 + step, step)
    out = place.bring("logs", "experiment=before")
    [run] = place.runs("before").values()
    seen = EventAccumulator(str(place.folder / "logs")).Reload()
    assert place.history(run) == {"loss": [(one.step, one.value) for one in seen.Scalars("loss")]}
    assert run.status == "FINISHED"
    assert "3 points from step 3 on are left out: a later session began there again" in out

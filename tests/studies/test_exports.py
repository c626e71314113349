"""The exports: exact numbers, strict JSON, curves of what is finite."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.studies import set_fields, write_exports
from rothamsted.studies.exports import RunningExports, metrics_csv, summary
from rothamsted.studies.run_curves import figure_files, learning_rate_data, loss_curves_data
from tests.studies.test_driver import trained
from tests.toy import Config


def measured(step: int, **metrics: float) -> Measured:
    return Measured(step=step, epoch=None, seconds=0.5 * step, metrics=metrics, timestamp_ms=0)


HISTORY = (
    measured(1, val_loss=0.3, val_accuracy=0.1, learning_rate=0.01),
    measured(2, val_loss=0.1, val_accuracy=0.2, learning_rate=0.02),
    measured(3, val_loss=float("inf"), val_accuracy=0.3, learning_rate=0.03),
    measured(4, val_loss=float("nan"), val_accuracy=0.4, learning_rate=0.04),
)
ENDING = Ending(outcome=Outcome.DIVERGED, history=HISTORY, seconds=2.0)


FIELDS = Config().model_dump(mode="json")
FIGURES = {"loss.png", "loss.svg", "lr_schedule.png", "lr_schedule.svg"}
NUMBERS = {"config.json", "metrics.csv", "metrics.json", "summary.json"}


def test_a_run_leaves_its_numbers_and_its_figures_as_svg_and_png(tmp_path: Path) -> None:
    paths = write_exports(tmp_path / "new", FIELDS, trained(Config())[0])
    names = NUMBERS | FIGURES
    assert {path.name for path in paths} == names == {path.name for path in (tmp_path / "new").iterdir()}


def test_numbers_read_back_from_the_csv_to_the_bit() -> None:
    [ending] = trained(Config(seed=4, lr=0.3))
    rows = list(csv.DictReader(metrics_csv(ending.history).splitlines()))
    back = [{key: float(row[key]) for key in ending.history[0].metrics} for row in rows]
    assert back == [dict(m.metrics) for m in ending.history]
    assert [(int(row["step"]), float(row["epoch"])) for row in rows] == [(m.step, m.epoch) for m in ending.history]


def test_numbers_read_back_from_the_json_to_the_bit(tmp_path: Path) -> None:
    [ending] = trained(Config(seed=4, lr=0.3))
    write_exports(tmp_path, FIELDS, ending)
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["metrics"] == {name: [m.metrics[name] for m in ending.history] for name in ending.history[0].metrics}
    assert list(zip(found["step"], found["epoch"], strict=True)) == [(m.step, m.epoch) for m in ending.history]


def test_a_value_that_is_not_finite_stands_in_the_csv() -> None:
    rows = list(csv.DictReader(metrics_csv(HISTORY).splitlines()))
    assert [row["val_loss"] for row in rows] == ["0.3", "0.1", "inf", "nan"]


def test_the_config_reads_back_as_the_same_config(tmp_path: Path) -> None:
    config = Config(seed=3, lr=1 / 3, x=-1e-300)
    write_exports(tmp_path, config.model_dump(mode="json"), ENDING)
    assert set_fields(Config, json.loads((tmp_path / "config.json").read_text())) == config


def test_the_summary_has_the_end_and_the_smallest_finite_loss() -> None:
    found = summary(ENDING)
    assert (found["outcome"], found["last_step"], found["n_measurements"]) == ("diverged", 4, 4)
    assert found["smallest"] == {"val_loss": {"step": 2, "value": 0.1}}


def test_the_summary_is_strict_json_with_nan_as_text(tmp_path: Path) -> None:
    write_exports(tmp_path, FIELDS, ENDING)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    found = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert math.isnan(float(found["last"]["val_loss"]))


def test_loss_curves_are_of_the_finite_losses_and_count_the_others() -> None:
    [curve] = loss_curves_data(HISTORY)
    assert (curve.name, curve.steps, curve.values, curve.n_not_finite) == ("val_loss", (1, 2), (0.3, 0.1), 2)


def test_the_learning_rate_is_a_curve_of_its_own() -> None:
    [curve] = learning_rate_data(HISTORY)
    assert (curve.steps, curve.values) == ((1, 2, 3, 4), (0.01, 0.02, 0.03, 0.04))


def test_a_run_without_measurements_has_no_curves(tmp_path: Path) -> None:
    failed = Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason="no data")
    paths = write_exports(tmp_path, FIELDS, failed)
    assert {path.name for path in paths} == NUMBERS


def test_equal_curves_are_drawn_to_equal_files() -> None:
    first, second = (figure_files(HISTORY) for _ in range(2))
    assert first == second
    assert set(first) == FIGURES
    assert ElementTree.fromstring(first["loss.svg"]).tag.endswith("svg")
    assert first["loss.png"].startswith(b"\x89PNG")


def test_losses_are_drawn_over_steps_and_over_seconds_by_the_clock() -> None:
    [curve] = loss_curves_data(HISTORY)
    assert (curve.steps, curve.seconds) == ((1, 2), (0.5, 1.0))
    text = figure_files(HISTORY)["loss.svg"].decode()
    assert "<!-- step -->" in text
    assert "<!-- seconds of training by the clock -->" in text


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_run_that_goes_on_has_all_files_after_its_first_measurement_and_says_that_it_is_running(
    tmp_path: Path,
) -> None:
    RunningExports(folder=tmp_path, config=FIELDS, clock=Clock()).add(HISTORY[0])
    assert {path.name for path in tmp_path.iterdir()} == NUMBERS | FIGURES
    found = json.loads((tmp_path / "summary.json").read_text())
    assert (found["outcome"], found["last_step"]) == ("running", 1)


def test_files_of_a_run_that_goes_on_are_those_of_one_that_has_ended_there(tmp_path: Path) -> None:
    exports = RunningExports(folder=tmp_path / "running", config=FIELDS, clock=Clock())
    for one in HISTORY:
        exports.add(one)
    write_exports(tmp_path / "ended", FIELDS, ENDING)
    for name in (NUMBERS | FIGURES) - {"summary.json"}:
        assert (tmp_path / "running" / name).read_bytes() == (tmp_path / "ended" / name).read_bytes()


def test_every_measurement_is_in_the_csv_at_once_and_the_rest_takes_a_hundredth_of_the_time(tmp_path: Path) -> None:
    clock = Clock()

    class Slow(dict):
        def items(self):  # the config is written: that takes a second
            clock.now += 1
            return super().items()

    exports = RunningExports(folder=tmp_path, config=Slow(FIELDS), clock=clock)
    lines, steps = [], []
    for step in range(1, 211):
        exports.add(measured(step, accuracy=1 / step))  # nothing to draw
        clock.now += 1
        lines.append(len((tmp_path / "metrics.csv").read_text().splitlines()) - 1)
        steps.append(json.loads((tmp_path / "metrics.json").read_text())["step"][-1])
    assert lines == list(range(1, 211))
    # Written at the first; each takes 1 s, so the next are 100 s of measurements later.
    assert sorted(set(steps)) == [1, 101, 201]


def test_a_metric_that_comes_later_has_a_column_of_its_own(tmp_path: Path) -> None:
    exports = RunningExports(folder=tmp_path, config=FIELDS, clock=Clock())
    for one in (measured(1, loss=1.0), measured(2, loss=0.5, accuracy=0.9), measured(3, loss=0.4)):
        exports.add(one)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert [row["accuracy"] for row in rows] == ["", "0.9", ""]
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"]["accuracy"] == [None, 0.9, None]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot be written"):
        write_exports(tmp_path / "file" / "out", FIELDS, ENDING)

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
from rothamsted.studies.exports import curves_svg, learning_rate_data, loss_curves_data, metrics_csv, summary
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


def test_a_run_leaves_its_six_files(tmp_path: Path) -> None:
    paths = write_exports(tmp_path / "new", Config(), trained(Config())[0])
    names = ["config.json", "learning_rate.svg", "loss.svg", "metrics.csv", "metrics.json", "summary.json"]
    assert sorted(path.name for path in paths) == names == sorted(p.name for p in (tmp_path / "new").iterdir())


def test_numbers_read_back_from_the_csv_to_the_bit() -> None:
    [ending] = trained(Config(seed=4, lr=0.3))
    rows = list(csv.DictReader(metrics_csv(ending.history).splitlines()))
    back = [{key: float(row[key]) for key in ending.history[0].metrics} for row in rows]
    assert back == [dict(m.metrics) for m in ending.history]
    assert [(int(row["step"]), float(row["epoch"])) for row in rows] == [(m.step, m.epoch) for m in ending.history]


def test_numbers_read_back_from_the_json_to_the_bit(tmp_path: Path) -> None:
    [ending] = trained(Config(seed=4, lr=0.3))
    write_exports(tmp_path, Config(), ending)
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["metrics"] == {name: [m.metrics[name] for m in ending.history] for name in ending.history[0].metrics}
    assert list(zip(found["step"], found["epoch"], strict=True)) == [(m.step, m.epoch) for m in ending.history]


def test_a_value_that_is_not_finite_stands_in_the_csv() -> None:
    rows = list(csv.DictReader(metrics_csv(HISTORY).splitlines()))
    assert [row["val_loss"] for row in rows] == ["0.3", "0.1", "inf", "nan"]


def test_the_config_reads_back_as_the_same_config(tmp_path: Path) -> None:
    config = Config(seed=3, lr=1 / 3, x=-1e-300)
    write_exports(tmp_path, config, ENDING)
    assert set_fields(Config, json.loads((tmp_path / "config.json").read_text())) == config


def test_the_summary_has_the_end_and_the_smallest_finite_loss() -> None:
    found = summary(ENDING)
    assert (found["outcome"], found["last_step"], found["n_measurements"]) == ("diverged", 4, 4)
    assert found["smallest"] == {"val_loss": {"step": 2, "value": 0.1}}


def test_the_summary_is_strict_json_with_nan_as_text(tmp_path: Path) -> None:
    write_exports(tmp_path, Config(), ENDING)

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
    paths = write_exports(tmp_path, Config(), failed)
    assert [path.name for path in paths] == ["metrics.csv", "metrics.json", "summary.json", "config.json"]


def test_equal_curves_are_drawn_to_equal_files() -> None:
    first, second = (curves_svg(loss_curves_data(HISTORY), y_label="loss", is_log=True) for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot be written"):
        write_exports(tmp_path / "file" / "out", Config(), ENDING)

"""What a function yields, reports, returns, prints or raises, as the driver of every study sees it."""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import torch

from rothamsted import report
from rothamsted.records import Ending, Outcome
from rothamsted.studies import drive, set_fields
from rothamsted.studies.function import as_study


def driven(function: Any, *, values: dict[str, Any] | None = None, **options: Any) -> Ending:
    """Train a function once, as a worker does."""
    study = as_study(function)
    config = set_fields(study.config, values or {})
    [ending] = drive(study, [config], on_measurement=lambda member, measured: None, **options)
    return ending


def points(ending: Ending, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.metrics[name]) for one in ending.history if name in one.metrics]


def test_what_a_generator_yields_is_measured_at_steps_that_count_from_one() -> None:
    def f(seed):
        for loss in (0.5, 0.25):
            yield {"loss": loss}

    ending = driven(f)
    assert ending.outcome is Outcome.FINISHED
    assert points(ending, "loss") == [(1, 0.5), (2, 0.25)]


def test_what_a_function_reports_is_measured_with_the_step_and_the_epoch_that_it_gives() -> None:
    def f(seed):
        report(loss=0.5, step=10, epoch=1)
        report({"val/loss": 0.25})

    ending = driven(f)
    assert points(ending, "loss") == [(10, 0.5)]
    assert points(ending, "val/loss") == [(11, 0.25)]
    assert [one.epoch for one in ending.history] == [1.0, None]


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (0.5, {"value": 0.5}),
        (np.float32(0.5), {"value": 0.5}),
        (torch.tensor(0.5), {"value": 0.5}),
        ({"acc": 0.5, "loss": torch.tensor(0.25)}, {"acc": 0.5, "loss": 0.25}),
        ((0.5, "model"), {"value": 0.5}),
        (({"acc": 0.5}, "model"), {"acc": 0.5}),
    ],
)
def test_a_number_metrics_or_metrics_with_a_model_may_be_returned(returned: Any, expected: dict[str, float]) -> None:
    ending = driven(lambda seed: returned)
    measured = {k: v for k, v in ending.history[-1].metrics.items() if k != "seconds"}
    assert (ending.outcome, measured) == (Outcome.FINISHED, expected)
    assert ending.model == ("model" if isinstance(returned, tuple) else None)


def test_a_generator_returns_its_model() -> None:
    def f(seed):
        yield {"loss": 0.5}
        return "model"

    assert driven(f).model == "model"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned None and reported nothing; return a number, metrics such as"),
        ([1.0], "returned a value of type list and reported nothing"),
        ({"acc": "high"}, "acc must be one number, not str 'high'"),
    ],
)
def test_what_measures_nothing_fails_with_the_way_out(returned: Any, said: str) -> None:
    ending = driven(lambda seed: returned)
    assert ending.outcome is Outcome.FAILED
    assert said in ending.reason


def test_a_raise_fails_with_the_users_file_and_line_and_a_traceback_that_begins_there() -> None:
    def f(seed):
        report(loss=0.5)
        raise ValueError("bad batch")  # the line that is named

    ending = driven(f)
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = 1 + next(n for n, text in enumerate(source) if "the line that is named" in text and "raise" in text)
    assert ending.reason == f"ValueError: bad batch (test_measurements.py, line {line})"
    assert "studies/driver.py" not in ending.traceback
    assert ending.traceback.startswith("Traceback (most recent call last):")


def test_a_stop_is_a_base_exception_out_of_report_and_closes_a_generator() -> None:
    cleaned: list[str] = []

    def f(seed):
        try:
            for _ in range(100):
                try:
                    report(loss=0.5)
                except Exception:  # it is none
                    cleaned.append("caught")
        finally:
            cleaned.append("function")

    def g(seed):
        try:
            while True:
                yield {"loss": 0.5}
        finally:
            cleaned.append("generator")

    for one in (f, g):
        measured: list[int] = []
        study = as_study(one)
        [ending] = drive(
            study,
            [set_fields(study.config, {})],
            on_measurement=lambda member, found, measured=measured: measured.append(found.step),
            should_stop=lambda measured=measured: len(measured) == 3,
        )
        assert (ending.outcome, measured) == (Outcome.INTERRUPTED, [1, 2, 3])
    assert cleaned == ["function", "generator"]


def test_artifacts_become_files_by_the_ending_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"\x00\x01")
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([0, 1])

    def f(seed):
        artifacts = {
            "a.txt": "text",
            "b.bin": tmp_path / "b.bin",
            "c.png": figure,
            "d.svg": figure,
            "e.csv": pd.DataFrame({"x": [1, 2]}),
            "f.png": np.linspace(0, 1, 12).reshape(3, 4),
        }
        report(loss=1.0, artifacts=artifacts)

    kept: dict[str, str | bytes] = {}
    driven(f, on_artifacts=lambda member, measured, contents: kept.update(contents))
    assert kept["a.txt"] == "text"
    assert kept["b.bin"] == b"\x00\x01"
    assert kept["c.png"][:4] == kept["f.png"][:4] == b"\x89PNG"
    assert b"<svg" in kept["d.svg"]  # pyright: ignore[reportOperatorIssue]
    assert kept["e.csv"] == "x\n1\n2\n"


def test_an_artifact_of_no_known_kind_is_named() -> None:
    ending = driven(
        lambda seed: report(loss=1.0, artifacts={"a.png": object()}),
        on_artifacts=lambda member, measured, contents: None,
    )
    assert "artifact 'a.png': is of type object; give text, bytes, a Path, a figure" in ending.reason


def test_what_a_function_prints_is_kept_and_still_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def f(seed):
        print("before")
        report(loss=1.0)
        print("after", file=sys.stderr)

    def hear(member, measured):
        print("the engine's own")

    study = as_study(f)
    [ending] = drive(study, [set_fields(study.config, {})], on_measurement=hear)
    assert ending.output == "before\nafter\n"
    assert capsys.readouterr().out == "before\nthe engine's own\n"


def test_the_global_generators_are_seeded_before_each_training() -> None:
    def f(seed):
        return {"python": random.random(), "numpy": np.random.rand(), "torch": torch.rand(())}

    first, again, other = (driven(f, values={"seed": seed}).history[-1].metrics for seed in (1, 1, 2))
    random.seed(1)
    expected = random.random()
    assert first["python"] == expected
    assert {k: first[k] for k in ("python", "numpy", "torch")} == {k: again[k] for k in ("python", "numpy", "torch")}
    assert all(first[name] != other[name] for name in ("python", "numpy", "torch"))


def test_a_library_is_seeded_when_the_function_is_the_first_to_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Authority: the package stands in for torch, of which each process has one import only.
    (tmp_path / "torch.py").write_text("seeds = []\ndef manual_seed(seed): seeds.append(seed)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch")

    def f(seed):
        return importlib.import_module("torch").seeds[0]

    assert driven(f, values={"seed": 7}).history[-1].metrics["value"] == 7

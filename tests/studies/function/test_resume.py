"""A function that was stopped or killed goes on from its state with the bits of one that never was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rothamsted import report
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.studies import Checkpoint, drive, set_fields
from rothamsted.studies.function import as_study
from tests.conftest import ROOT
from tests.studies.conftest import toy_environment
from tests.studies.function.session import losses


def test_a_function_killed_on_its_way_ends_with_the_same_bits(tmp_path: Path) -> None:
    # Authority: the same training in this process, which nobody stops.
    folder = tmp_path / "checkpoints"
    command = [sys.executable, "-m", "tests.studies.function.session", str(folder), "4"]
    killed = subprocess.run(command, cwd=ROOT, env=toy_environment(), capture_output=True, text=True, timeout=240)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(folder.glob("*.safetensors"))
    restored: list[Measured] = []
    gone_on = losses(folder, -1, on_restored=lambda member, measured: restored.append(measured))
    assert len(restored) == 4
    assert gone_on == losses(tmp_path / "other", -1)


def stopped_then_gone_on(function: Any, folder: Path, *, after: int) -> Ending:
    """Stop a training after so many measurements, and go on with it."""
    study, n_measured = as_study(function), 0

    def count(member: int, measured: Any) -> None:
        nonlocal n_measured
        n_measured += 1

    config, checkpoint = set_fields(study.config, {}), Checkpoint(folder=folder)
    [first] = drive(
        study, [config], on_measurement=count, checkpoint=checkpoint, should_stop=lambda: n_measured == after
    )
    assert first.outcome is Outcome.INTERRUPTED, first
    return drive(study, [config], on_measurement=count, checkpoint=checkpoint)[0]


def values(ending: Ending, name: str) -> list[float]:
    return [one.metrics[name] for one in ending.history if name in one.metrics]


def test_a_state_of_plain_values_arrays_and_own_objects_comes_back_as_it_was(tmp_path: Path) -> None:
    class Counter:
        def __init__(self) -> None:
            self.n = 0

    seen: list[dict[str, Any]] = []

    def f(seed, state=None):
        counter = Counter() if state is None else state["counter"]
        if state:
            seen.append({name: state[name] for name in state})
        shared = [counter]
        while counter.n < 4:
            counter.n += 1
            kept = {"counter": counter, "shared": shared, "none": None, "text": "é", "array": np.arange(3)}
            kept["tuple"] = (1, 2.5)
            report(loss=counter.n, state=kept)

    ending = stopped_then_gone_on(f, tmp_path, after=2)
    assert values(ending, "loss") == [1.0, 2.0, 3.0, 4.0]
    [state] = seen
    assert (state["none"], state["text"], state["tuple"], state["array"].tolist()) == (None, "é", (1, 2.5), [0, 1, 2])
    assert state["shared"][0] is state["counter"]


def test_reading_an_item_sets_the_generators_back_until_training_goes_on(tmp_path: Path) -> None:
    def f(seed, state=None):
        first = state["epoch"] if state else 0  # before something draws numbers
        random.random(), np.random.rand()
        for epoch in range(5):
            if state and epoch < state["epoch"]:
                continue
            report(noise=random.random() + np.random.rand() + first * 0, state={"epoch": epoch + 1})

    study = as_study(f)
    [straight] = drive(study, [study.config()], on_measurement=lambda member, measured: None)
    gone_on = stopped_then_gone_on(f, tmp_path, after=2)
    assert values(gone_on, "noise") == values(straight, "noise")


def test_metrics_that_come_at_some_steps_only_come_back_at_these(tmp_path: Path) -> None:
    def f(seed, state=None):
        for epoch in range(state["epoch"] if state else 0, 4):
            more = {"val_loss": float("nan")} if epoch == 1 else {}
            report({"loss": epoch, **more}, state={"epoch": epoch + 1})

    ending = stopped_then_gone_on(f, tmp_path, after=3)
    assert [sorted(set(one.metrics) - {"seconds"}) for one in ending.history] == [["loss"], ["loss", "val_loss"]] + [
        ["loss"]
    ] * 2


def test_a_function_without_state_starts_anew(tmp_path: Path) -> None:
    def f(seed):
        for epoch in range(4):
            yield {"loss": epoch}

    ending = stopped_then_gone_on(f, tmp_path / "checkpoints", after=2)
    assert values(ending, "loss") == [0.0, 1.0, 2.0, 3.0]
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"lock": threading.Lock(), "epoch": 1}, "state['lock'] is of type lock and cannot be stored"),
        ([1, 2], "state must be a mapping of names to values, not list"),
    ],
)
def test_a_state_that_cannot_be_stored_is_named(state: Any, said: str, tmp_path: Path) -> None:
    def f(seed, state=None):
        report(loss=1.0, state=lambda: given)

    given = state
    study = as_study(f)
    [ending] = drive(
        study,
        [study.config()],
        on_measurement=lambda member, measured: None,
        checkpoint=Checkpoint(folder=tmp_path, every_seconds=0),
    )
    assert ending.outcome is Outcome.FAILED
    assert said in ending.reason


def test_a_state_that_the_function_cannot_take_is_refused() -> None:
    study = as_study(lambda seed: report(loss=1.0, state={"epoch": 1}))
    [ending] = drive(study, [study.config()], on_measurement=lambda member, measured: None)
    assert "give it a parameter state=None" in ending.reason

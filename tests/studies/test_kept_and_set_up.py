"""The driver: set-up is no training time, and the weights that are kept are those of the step that counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from rothamsted.records import Outcome
from rothamsted.studies import Checkpoint, Keep
from tests.studies.test_driver import Clock, measurement, study_that, trained
from tests.toy import STUDY, Config

# ---- set-up ----


def imports_then_trains(clock: Clock, worker: set[str], *, first_step: int, says_so: bool) -> Any:
    """A study whose first training in a worker imports and compiles for 30 s; each update takes 0.5 s."""

    def body() -> Iterator[Any]:
        clock.now += 1.0 if "imported" in worker else 30.0
        worker.add("imported")
        if says_so:
            yield None
        for step in range(first_step, 4):
            clock.now += 0.5 if step else 2.0  # what is compiled for the measurement at step 0
            yield measurement(step)

    return study_that(body)


@pytest.mark.parametrize(("first_step", "says_so"), [(0, False), (1, True), (0, True)])
def test_the_first_and_second_replicate_of_a_warm_worker_have_the_same_training_seconds(
    first_step: int, says_so: bool
) -> None:
    clock, worker = Clock(), set[str]()
    study = imports_then_trains(clock, worker, first_step=first_step, says_so=says_so)
    [first], [second] = (trained(Config(), study=study, clock=clock) for _ in range(2))
    assert first.seconds == second.seconds == 1.5
    assert [m.seconds for m in first.history] == [m.seconds for m in second.history]
    assert [m.metrics["samples_per_second"] for m in first.history[1:]] == [8 / 0.5] * (len(first.history) - 1)
    more = 2.0 if first_step == 0 else 0.0
    assert [e.history[-1].metrics["setup_seconds"] for e in (first, second)] == [30.0 + more, 1.0 + more]


def test_set_up_is_over_once_and_said_before_training() -> None:
    clock, said = Clock(), []
    study = imports_then_trains(clock, set(), first_step=1, says_so=True)
    trained(Config(), study=study, clock=clock, on_set_up=lambda: said.append(clock.now))
    assert said == [130.0]


def test_a_long_set_up_is_no_reason_to_time_out() -> None:
    clock = Clock()
    study = imports_then_trains(clock, set(), first_step=1, says_so=True)
    [ending] = trained(Config(), study=study, clock=clock, timeout_seconds=2.0)
    assert ending.outcome is Outcome.FINISHED


def test_set_up_cannot_be_said_to_be_over_after_training_has_begun() -> None:
    def late() -> Iterator[Any]:
        yield measurement(1)
        yield None

    [ending] = trained(Config(), study=study_that(late))
    assert (ending.outcome, "yielded None after training had begun" in ending.reason) == (Outcome.FAILED, True)


def test_set_up_of_all_sessions_is_summed(tmp_path: Path) -> None:
    clock = Clock()
    study = imports_then_trains(clock, set(), first_step=1, says_so=True)
    checkpoint = Checkpoint(folder=tmp_path, every_seconds=0.0)
    asked = iter([False, True])
    trained(Config(), study=study, clock=clock, checkpoint=checkpoint, should_stop=partial(next, asked))
    snapshot = checkpoint.load(study.name, [Config()])
    assert snapshot is not None
    assert (snapshot.seconds, snapshot.setup_seconds) == (0.5, 30.0)


# ---- whose weights are kept ----


class WithTest(NamedTuple):
    """A model that knows how it does on test rows."""

    w: float
    test_metrics: Mapping[str, float]


def curve_study(values: Sequence[float], tested: str = "test/accuracy") -> Any:
    """A study that measures these values from step 0, keeps what it is told to, and resumes."""

    def follow(configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None) -> Iterator[Any]:
        held = [float(state["held"])] if state is not None else [math.nan]
        first = 0 if state is None else int(state["step"]) + 1
        for step in range(first, len(values)):
            one = measurement(step, {"samples_seen": np.array([8.0 * step]), "v": np.array([values[step]])})
            state_of = partial(lambda at: {"step": np.array(at), "held": np.array(held[0])}, step)
            yield SimpleNamespace(
                **{name: getattr(one, name) for name in ("step", "epoch", "metrics", "diverged")},
                state=state_of,
                keep=partial(lambda at, mask: held.__setitem__(0, values[at]), step),
            )
        kept = values[-1] if math.isnan(held[0]) else held[0]
        return [WithTest(kept, {tested: kept / 2})]

    return replace(STUDY, train=follow)


@pytest.mark.parametrize(
    ("direction", "reduce", "values", "step"),
    [
        ("maximize", "best", [9.0, 1.0, 3.0, 3.0, 2.0], 2),  # not before the first update; of equal ones the first
        ("minimize", "best", [0.0, 2.0, math.nan, 1.0, 4.0], 3),
        ("maximize", "last", [0.0, 1.0, 3.0, 2.0], 3),
        ("maximize", "mean:2", [0.0, 1.0, 3.0, 2.0], 3),
        ("maximize", "best", [0.0, math.nan, math.nan], 2),  # no value counts: the last weights
    ],
)
def test_the_model_has_the_weights_of_the_step_that_counts(
    direction: Any, reduce: str, values: list[float], step: int, tmp_path: Path
) -> None:
    keep = Keep(metric="v", direction=direction, reduce=reduce)
    [ending] = trained(Config(), study=curve_study(values), keep=keep)
    assert ending.kept is not None
    assert ending.kept.step == step
    np.testing.assert_equal((ending.model.w, ending.kept.value), (values[step], values[step]))
    np.testing.assert_equal(ending.history[-1].metrics["test/accuracy"], values[step] / 2)
    # Stopped after each measurement and gone on with, the same.
    checkpoint = Checkpoint(folder=tmp_path, every_seconds=0.0)
    for _ in range(len(values) + 1):
        asked = iter([False, True])
        [resumed] = trained(
            Config(), study=curve_study(values), keep=keep, checkpoint=checkpoint, should_stop=partial(next, asked)
        )
    np.testing.assert_equal((resumed.outcome, resumed.model.w), (Outcome.FINISHED, values[step]))
    assert resumed.kept is not None
    assert resumed.kept.step == step


@pytest.mark.parametrize("name", ["accuracy", "v"])
def test_test_metrics_have_names_of_their_own(name: str) -> None:
    [ending] = trained(Config(), study=curve_study([0.0, 1.0], tested=name))
    assert (ending.outcome, "test_metrics" in ending.reason) == (Outcome.FAILED, True)

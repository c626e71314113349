"""The driver: what it adds to measurements, and how training ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.studies import Checkpoint, drive
from tests.toy import BATCH_SIZE, STUDY, Config, Measurement, Optimizer, ToyError, train

TIMES = ("seconds", "samples_per_second")


@dataclass
class Clock:
    """A clock that only training moves: `study` trains `seconds_a_point` seconds a measurement."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def study(self, seconds_a_point: float) -> Any:
        def timed(configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None) -> Iterator[Any]:
            training = train(configs, state)
            while True:
                try:
                    measurement = next(training)
                except StopIteration as ended:
                    return ended.value
                self.now += seconds_a_point
                yield measurement

        return replace(STUDY, train=timed)


def trained(*configs: Config, **how: Any) -> list[Ending]:
    return drive(how.pop("study", STUDY), configs, on_measurement=how.pop("on_measurement", lambda *_: None), **how)


def own_metrics(ending: Ending) -> list[dict[str, float]]:
    """The metrics of a history without the measured times, which no two runs share."""
    return [{key: v for key, v in m.metrics.items() if key not in TIMES} for m in ending.history]


def study_that(body: Callable[[], Iterator[Any]]) -> Any:
    def misbehaving(configs: Sequence[Config], state: Any = None) -> Iterator[Any]:
        return (yield from body())

    return replace(STUDY, train=misbehaving)


def measurement(step: int = 1, metrics: Mapping[str, Any] | None = None, **parts: Any) -> Measurement:
    defaults = {"samples_seen": np.array([8.0 * step])}
    return Measurement(
        **{
            "step": step,
            "epoch": None,
            "metrics": defaults if metrics is None else metrics,
            "diverged": np.array([False]),
            "state": dict,
            **parts,
        }
    )


# ---- what is measured ----


def test_a_finished_history_has_the_losses_of_theory() -> None:
    # Gradient descent on 0.5 (w - 1)^2 from 0: loss after t steps is 0.5 (1 - lr)^(2t); see tests/toy.
    [ending] = trained(Config(lr=0.1, steps=20, n_points=10))
    assert [m.step for m in ending.history] == list(range(2, 21, 2))
    losses = [m.metrics["train_loss"] for m in ending.history]
    assert losses == pytest.approx([0.5 * 0.9 ** (2 * t) for t in range(2, 21, 2)], rel=1e-12)


def test_each_member_gets_what_it_would_get_alone() -> None:
    configs = [Config(seed=s, lr=lr, optimizer=Optimizer(momentum=0.5)) for s, lr in ((1, 0.1), (2, 0.3), (3, 9.0))]
    together = trained(*configs)
    for ending, config in zip(together, configs):
        np.testing.assert_equal(own_metrics(ending), own_metrics(trained(config)[0]))


def test_seconds_are_those_spent_training() -> None:
    clock = Clock()

    def slow_logging(member: int, measured: Measured) -> None:
        clock.now += 1000.0

    [ending] = trained(Config(n_points=4), study=clock.study(0.25), clock=clock, on_measurement=slow_logging)
    assert [m.seconds for m in ending.history] == [0.25, 0.5, 0.75, 1.0]
    assert [m.metrics["seconds"] for m in ending.history] == [0.25, 0.5, 0.75, 1.0]


def test_samples_per_second_are_those_since_the_last_measurement() -> None:
    clock = Clock()
    [ending] = trained(Config(steps=20, n_points=4), study=clock.study(0.25), clock=clock)
    # By hand: 5 steps of BATCH_SIZE samples in a quarter of a second.
    assert [m.metrics["samples_per_second"] for m in ending.history] == [5 * BATCH_SIZE / 0.25] * 4


def test_measurements_carry_the_time_of_day_that_is_given() -> None:
    [ending] = trained(Config(n_points=2), now_ms=iter([5, 7]).__next__)
    assert [m.timestamp_ms for m in ending.history] == [5, 7]


def test_each_measurement_is_handed_on_as_it_comes() -> None:
    seen: list[tuple[int, int]] = []
    endings = trained(Config(seed=1), Config(seed=2), on_measurement=lambda i, m: seen.append((i, m.step)))
    assert seen == [(i, m.step) for m in endings[0].history for i in (0, 1)]


# ---- how it ends ----


def test_a_finished_member_hands_over_its_model() -> None:
    endings = trained(Config(lr=0.5, steps=1, n_points=1), Config(lr=0.25, steps=1, n_points=1))
    assert [(e.outcome, e.model.w) for e in endings] == [(Outcome.FINISHED, 0.5), (Outcome.FINISHED, 0.25)]


def test_a_diverged_member_stops_at_its_first_nan_while_the_others_train_on() -> None:
    # |1 - 3| = 2: the loss 0.5 * 4^t passes 100 at t = 4, so it is seen at step 4 of 2, 4, 6, 8.
    seen: list[tuple[int, int]] = []
    diverged, finished = trained(
        *(Config(lr=lr, steps=8, n_points=4, diverge_above=100) for lr in (3.0, 0.1)),
        on_measurement=lambda i, m: seen.append((i, m.step)),
    )
    assert (diverged.outcome, finished.outcome) == (Outcome.DIVERGED, Outcome.FINISHED)
    assert [m.step for m in diverged.history] == [2, 4] == [step for i, step in seen if i == 0]
    assert math.isnan(diverged.history[-1].metrics["train_loss"])
    assert diverged.model is None
    assert [m.step for m in finished.history] == [2, 4, 6, 8]


def test_training_ends_when_every_member_has_diverged() -> None:
    def endless() -> Iterator[Any]:
        for step in range(1, 1000):
            yield measurement(step, diverged=np.array([step >= 3]))

    [ending] = trained(Config(), study=study_that(endless))
    assert (ending.outcome, ending.history[-1].step) == (Outcome.DIVERGED, 3)


ERRORS = {
    "error": ("RuntimeError: the toy was told to fail", False),
    "memory": ("MemoryError: the toy was told to run out of memory", False),
    "user": ("toy data are missing; make them with prepare_data", True),
}


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_an_error_in_training_fails_the_members_that_still_ran(kind: Any) -> None:
    configs = [Config(lr=lr, fail=True, fail_with=kind, diverge_above=1) for lr in (0.1, 3.0)]
    failed, diverged = trained(*configs)
    assert (failed.outcome, diverged.outcome) == (Outcome.FAILED, Outcome.DIVERGED)
    assert (failed.reason, failed.is_user_error) == ERRORS[kind]
    assert "in train\n" in failed.traceback
    assert len(failed.history) == 1


def test_a_study_that_exits_fails_and_does_not_end_the_worker() -> None:
    def exiting() -> Iterator[Any]:
        yield measurement()
        raise SystemExit(3)

    [ending] = trained(Config(), study=study_that(exiting))
    assert (ending.outcome, ending.reason) == (Outcome.FAILED, "SystemExit: 3")


def test_an_error_in_logging_is_the_callers_and_not_the_studys() -> None:
    def full(member: int, measured: Measured) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        trained(Config(), on_measurement=full)


def test_training_past_its_time_fails_with_the_time() -> None:
    clock = Clock()
    [ending] = trained(Config(n_points=10), study=clock.study(1.0), clock=clock, timeout_seconds=2.5)
    assert (ending.outcome, len(ending.history)) == (Outcome.FAILED, 3)
    assert ending.reason.startswith("timeout after 2.5 s")


def test_time_before_a_resume_counts_towards_the_timeout(tmp_path: Path) -> None:
    clock, checkpoint = Clock(), Checkpoint(folder=tmp_path, every_seconds=0)
    how: dict[str, Any] = {"study": clock.study(1.0), "clock": clock, "checkpoint": checkpoint, "timeout_seconds": 4.5}
    trained(Config(n_points=10), should_stop=iter([False] * 3 + [True]).__next__, **how)
    [ending] = trained(Config(n_points=10), **how)
    assert (ending.outcome, ending.seconds) == (Outcome.FAILED, 5.0)


def test_ctrl_c_in_training_is_an_interruption() -> None:
    def interrupted() -> Iterator[Any]:
        yield measurement()
        raise KeyboardInterrupt

    [ending] = trained(Config(), study=study_that(interrupted))
    assert (ending.outcome, len(ending.history)) == (Outcome.INTERRUPTED, 1)


def test_a_stop_before_training_trains_nothing() -> None:
    [ending] = trained(Config(), should_stop=lambda: True)
    assert (ending.outcome, ending.history) == (Outcome.INTERRUPTED, ())


def stop() -> dict[str, Any]:
    return {"should_stop": iter([False, True]).__next__}


ENDS: dict[str, Callable[[], dict[str, Any]]] = {
    "stop": stop,
    "timeout": lambda: {"timeout_seconds": 0.0},
    "logging error": lambda: {"on_measurement": lambda *_: 1 / 0},
}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_training_is_closed_however_it_ends(end: str) -> None:
    closed: list[bool] = []

    def endless() -> Iterator[Any]:
        try:
            for step in range(1, 1000):
                yield measurement(step)
        finally:
            closed.append(True)

    study = study_that(endless)
    if end == "logging error":
        with pytest.raises(ZeroDivisionError):
            trained(Config(), study=study, **ENDS[end]())
    else:
        trained(Config(), study=study, **ENDS[end]())
    assert closed == [True]


# ---- the contract, while training ----

samples = np.array([8.0])
VIOLATIONS: dict[str, tuple[list[Measurement], str]] = {
    "nothing": ([], "ended without a measurement"),
    "no samples": ([measurement(metrics={"loss": samples})], "no metric 'samples_seen'; yield it, got loss"),
    "reserved": ([measurement(metrics={"samples_seen": samples, "seconds": samples})], "'seconds' is measured by"),
    "no member axis": ([measurement(metrics={"samples_seen": np.array(8.0)})], "shape (1,), and has the shape ()"),
    "steps go back": ([measurement(2), measurement(2)], "steps must grow from one measurement to the next; the last"),
    "names change": (
        [measurement(1), measurement(2, {"samples_seen": samples, "extra": samples})],
        "came or went: extra",
    ),
}


@pytest.mark.parametrize("violation", sorted(VIOLATIONS))
def test_a_violation_of_the_contract_fails_with_its_rule(violation: str) -> None:
    measurements, message = VIOLATIONS[violation]
    [ending] = trained(Config(), study=study_that(lambda: iter(measurements)))
    assert ending.outcome is Outcome.FAILED
    assert message in ending.reason


def test_too_few_models_are_a_violation() -> None:
    def one_model(configs: Sequence[Config], state: Any = None) -> Iterator[Any]:
        yield from train(configs, state)
        return ["only one"]

    [first, _] = trained(Config(seed=1), Config(seed=2), study=replace(STUDY, train=one_model))
    assert first.reason.endswith("must return one model a member, 2, and returned 1")


def test_a_user_error_is_one_of_those_that_the_study_names() -> None:
    study = replace(STUDY, user_errors=())
    [ending] = trained(Config(fail=True, fail_with="user"), study=study)
    assert (ending.is_user_error, ending.reason.split(":")[0]) == (False, ToyError.__name__)


def test_configs_that_are_no_population_are_refused_before_training() -> None:
    with pytest.raises(StudyError, match="differs from member 0 in steps"):
        trained(Config(steps=3), Config(steps=4))

"""Estimate how long a sweep will take: one replicate of each stage is trained here, and nothing is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from rothamsted.errors import DataError, StudyError
from rothamsted.metric import Metric, declared
from rothamsted.records import Measured, Outcome
from rothamsted.spec import Plan, Sweep, n_workers
from rothamsted.studies import Study, drive
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.try_process import try_process
from rothamsted.sweeping.opened import config_of
from rothamsted.sweeping.scores import check_measured, scored
from rothamsted.sweeping.stage import stage_alone

MOST_SECONDS = 30.0  # of one timing; of a longer replicate only this is known
OVERHEAD_SECONDS = 0.02  # a replicate's share of writing down; benchmarks/overhead.py


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Holds what one trained replicate of each stage has shown."""

    time: str  # of all replicates, in words
    warnings: tuple[str, ...]  # of metrics outside their declared range


@dataclass(frozen=True, kw_only=True)
class _Timed:
    """One replicate, trained twice: the first call compiles, the second does not."""

    first_seconds: float
    seconds: float
    has_ended: bool  # False: stopped after MOST_SECONDS
    measured: tuple[Measured, ...] = ()
    history: tuple[Measured, ...] = ()  # of a replicate that went to its end without diverging: all that it logs


def tried(sweep: Sweep, study: Study | ForeignStudy, size: Plan) -> Tried:
    """Train one replicate of each stage here, for the time of the sweep and the range of its metrics.

    A condition from the middle of the space represents all. A later stage that goes on from checkpoints takes less.

    Raises:
        UserError: the replicate fails, as all others would: data are missing, the study raises, or a metric of the file
            is never logged.
    """
    n_stages = max(len(sweep.stages), 1)
    stages = [stage_alone(sweep, index) for index in range(n_stages)]
    timed = [
        _time_replicate(stage, study) if isinstance(study, Study) else _time_process(stage, study) for stage in stages
    ]
    for stage, one in zip(stages, timed, strict=True):
        if one.history:
            check_measured([scored(measured, sweep) for measured in one.history], stage)
    warnings = _outside([one for stage in timed for one in stage.measured], study.known_metrics, study.name)
    return Tried(time=_time_in_words(timed, sweep, size), warnings=warnings)


def _outside(measured: Sequence[Measured], metrics: Mapping[str, Metric], study: str) -> tuple[str, ...]:
    """A line for each metric that was measured outside its declared range: the first such value."""
    found: dict[str, str] = {}
    for one in measured:
        for name, value in one.metrics.items():
            metric = declared(metrics, name)
            if name not in found and math.isfinite(value) and not metric.holds(value):
                said = f"study {study} declares {metric.range_words}"
                found[name] = f"{name} was {value:.6g} at step {one.step}, but {said}: correct one of the two"
    return tuple(found.values())


def _time_in_words(timed: Sequence[_Timed], sweep: Sweep, size: Plan) -> str:
    """The time of all replicates on this machine's workers, and what it rests on."""
    kept = [min(stage.keep or 0, size.n_conditions) for stage in sweep.stages]
    n_later = [kept[n] * len(sweep.stage_seeds(n)) for n in range(1, len(kept))]
    counts = [size.n_trainings, *n_later]
    counts[-1] += size.n_confirm_trainings
    costs = [(one.seconds + OVERHEAD_SECONDS) / n_workers(sweep) for one in timed]
    least = sum(n * cost for n, cost in zip(counts, costs, strict=True))
    most = least + (size.n_trainings_most - size.n_trainings) * costs[0]
    to = "" if size.n_trainings == size.n_trainings_most else f" to {_words(most)}"
    if not all(one.has_ended for one in timed):
        return f"more than {_words(least)} (one replicate takes over {MOST_SECONDS:g} s here)"
    each = ", then ".join(f"{one.seconds:.2f} s" for one in timed)
    if sweep.is_foreign:
        tried_here = f"(one replicate, tried here: {each})"
        return f"about {_words(least)}{to} with {_workers(sweep)}, without start and report {tried_here}"
    return (
        f"about {_words(least)}{to} with {_workers(sweep)}, without start, compilation, models and report "
        f"(one replicate from the middle of the space, timed here: {each}; "
        f"the first, with compilation: {timed[0].first_seconds:.2f} s)"
    )


def _time_process(stage: Sweep, study: ForeignStudy) -> _Timed:
    condition = stage.search_space.from_unit(np.full(len(stage.search_space), 0.5))
    one = try_process(stage, study, condition, most_seconds=MOST_SECONDS)
    seconds = one.seconds if one.has_ended else MOST_SECONDS
    return _Timed(first_seconds=seconds, seconds=seconds, has_ended=one.has_ended, history=one.history)


def _time_replicate(stage: Sweep, study: Study) -> _Timed:
    config = middle_of(stage, study)
    taken: list[float] = []
    measured: list[Measured] = []
    for _ in range(2):
        started = time.perf_counter()
        ending = drive(
            study, [config], on_measurement=lambda _, one: measured.append(one), timeout_seconds=MOST_SECONDS
        )[0]
        taken.append(time.perf_counter() - started)
        if taken[0] > MOST_SECONDS / 2:
            break
    has_ended = not ending.reason.startswith("timeout")
    if has_ended and ending.outcome is Outcome.FAILED:
        said = f"a replicate of {stage.name}, tried here, failed: {ending.reason}"
        raise DataError(ending.reason) if ending.is_user_error else StudyError(said)
    return _Timed(
        first_seconds=taken[0],
        seconds=taken[-1] if has_ended else MOST_SECONDS,
        has_ended=has_ended,
        history=tuple(ending.history) if has_ended and ending.outcome is Outcome.FINISHED else (),
        measured=tuple(measured),
    )


def middle_of(sweep: Sweep, study: Study) -> BaseModel:
    """Return the config of the first replicate of a condition from the middle of the space."""
    condition = sweep.search_space.from_unit(np.full(len(sweep.search_space), 0.5))
    return config_of(study, sweep, condition, sweep.replicates.values[0])


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _workers(sweep: Sweep) -> str:
    return "1 worker" if n_workers(sweep) == 1 else f"{n_workers(sweep)} workers"

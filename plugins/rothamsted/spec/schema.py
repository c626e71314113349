"""The one schema of a sweep file: which keys there are, their types, bounds and defaults.

Apart from the loader: everything here is about one value at a time. What joins several keys, or needs the
study, is in `rules`; what is planned and not built is in `not_yet`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf
from pydantic_core import PydanticCustomError

from rothamsted.space import Choice, Range, Space

MAX_CONDITIONS = 1_000_000  # of one sweep: each is a row in two databases
MAX_SEED = 2**32 - 1  # what numpy and JAX both take

_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True)
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (86_400, 3_600, 60, 1)


def seconds(raw: Any) -> Any:
    """A duration in seconds: from a number of seconds, or text such as 2h, 10m, 90s, 1h30m."""
    if not isinstance(raw, str):
        return raw
    found = _DURATION.fullmatch(raw.strip())
    if not raw.strip() or found is None:
        raise PydanticCustomError("duration", "Input should be seconds, or a duration such as 90s, 10m or 1h30m")
    return sum(float(part) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True) if part)


def _reduction(raw: Any) -> Any:
    k = raw.get("mean_of_last") if isinstance(raw, Mapping) and len(raw) == 1 else None
    if isinstance(raw, str) and (found := re.fullmatch(r"mean:(\d{1,9})", raw)):
        k = int(found[1])
    if raw in ("last", "best"):
        return raw
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise PydanticCustomError("reduction", "Input should be last, best or {mean_of_last: K} with K above 0")
    return f"mean:{k}"


def _workers(raw: Any) -> Any:
    if raw != "auto" and (isinstance(raw, bool) or not isinstance(raw, int) or raw < 1):
        raise PydanticCustomError("workers", "Input should be a whole number above 0, or auto for one per core")
    return raw


def _name(raw: Any) -> Any:
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", raw):
        raise PydanticCustomError(
            "name", "Input should be at most 100 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return raw


def _storage(raw: Any) -> Any:
    if not isinstance(raw, str) or not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9]+)?://.+", raw):
        raise PydanticCustomError("storage", "Input should be a database URL such as sqlite:///optuna.db")
    return raw


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Text = Annotated[str, Field(min_length=1)]


class Objective(BaseModel):
    """What is optimised: one metric, a direction, and how its curve becomes one number.

    Attributes:
        metric: a metric that the study logs.
        direction: minimize or maximize.
        reduce: "last", "best" (over the steps), or "mean:K", the mean of the last K values, which a file
            writes as `{mean_of_last: K}`.
    """

    model_config = _CONFIG

    metric: Text
    direction: Literal["minimize", "maximize"]
    reduce: Annotated[str, BeforeValidator(_reduction)] = "last"


class Sampler(BaseModel):
    """What proposes conditions. Equal seeds propose the same ones."""

    model_config = _CONFIG

    name: Literal["grid", "random", "qmc", "tpe"] = "grid"
    seed: Seed = 0


class Replicates(BaseModel):
    """How often each condition is trained, and with which seeds: the same in every condition.

    Attributes:
        count: replicates a condition; the number of `seeds` where only those are given, else 3.
        seeds: the seeds themselves.
        first_seed: the first of `count` seeds that follow each other, where `seeds` are not given.
    """

    model_config = _CONFIG

    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)] | None = None
    first_seed: Seed | None = None

    @property
    def values(self) -> tuple[int, ...]:
        """The seeds of the replicates, in order."""
        if self.seeds is not None:
            return self.seeds
        first = self.first_seed or 0
        return tuple(range(first, first + (self.count or 3)))


class Execution(BaseModel):
    """Where and how the work runs; nothing here changes a number that is measured.

    Attributes:
        executor: what places the workers.
        workers: how many; auto is one a core.
        population: replicates trained in one compiled call, at most.
        timeout_per_trial: seconds; a replicate that takes longer has failed.
        retries: how often a failed replicate is tried again.
        checkpoint_every: seconds between two checkpoints of a running replicate.
        checkpoint_dir: folder of the checkpoints; relative to the project's root.
        lease_seconds: a worker silent for so long is taken for dead, and its trial for free.
    """

    model_config = _CONFIG

    executor: Literal["local"] = "local"
    workers: Annotated[int | Literal["auto"], BeforeValidator(_workers)] = "auto"
    population: Annotated[int, Field(ge=1)] = 1
    timeout_per_trial: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    checkpoint_every: Seconds = 30.0
    checkpoint_dir: Text = "checkpoints"
    lease_seconds: Seconds = 60.0


class Statistics(BaseModel):
    """How uncertainty is stated: nominal coverage, kind of interval, correction for many comparisons."""

    model_config = _CONFIG

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    interval: Literal["t"] = "t"
    correction: Literal["holm"] = "holm"


class Sweep(BaseModel):
    """One search over the conditions of one study: a sweep file, checked and with its defaults.

    Attributes:
        name: of the sweep; starting the same name again resumes it.
        study: entry point of MLproject.
        parameters: dotted name -> value, fixed in every condition.
        space: dotted name -> domain, in the order of the file.
        trials: how many conditions are asked for; None for a grid, which has its own number.
        timeout: seconds for the whole sweep.
        experiment: MLflow experiment; None: by MLflow's own rules.
        storage: database URL of the search.
    """

    model_config = _CONFIG

    name: Annotated[str, BeforeValidator(_name)]
    study: Text
    parameters: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, InstanceOf[Range] | InstanceOf[Choice]] = Field(default_factory=dict)
    objective: Objective
    sampler: Sampler = Sampler()
    trials: Annotated[int, Field(ge=1, le=MAX_CONDITIONS)] | None = None
    timeout: Seconds | None = None
    replicates: Replicates = Replicates()
    execution: Execution = Execution()
    statistics: Statistics = Statistics()
    experiment: Text | None = None
    storage: Annotated[str, BeforeValidator(_storage)] = "sqlite:///optuna.db"

    @cached_property
    def search_space(self) -> Space:
        """The domains joined into one space; a `when` may also refer to a fixed parameter."""
        return Space(self.space, given=self.parameters)

    @property
    def n_trials(self) -> int:
        """The number of conditions: `trials`, or the size of the grid."""
        return self.search_space.size_of_grid() if self.trials is None else self.trials

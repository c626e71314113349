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
CONFIRM_SUFFIX = ".confirm"  # after a sweep's name: the Optuna study of its confirmation

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
    if raw.endswith(CONFIRM_SUFFIX):
        raise PydanticCustomError(
            "name", f"Input should not end in {CONFIRM_SUFFIX}, which names the confirmation of another sweep"
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


class Racing(BaseModel):
    """Replicates where they decide: rounds that drop the conditions that are worse than the best.

    Attributes:
        min: replicates that every condition gets.
        max: replicates that a condition can get.
        step: replicates that a round adds.
        narrower_than: a condition whose interval is narrower than this gets no more; in units of the objective.
    """

    model_config = _CONFIG

    min: Annotated[int, Field(ge=2, le=10_000)] = 3
    max: Annotated[int, Field(ge=2, le=10_000)] = 20
    step: Annotated[int, Field(ge=1, le=10_000)] = 1
    narrower_than: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Replicates(BaseModel):
    """How often each condition is trained, and with which seeds: the same in every condition.

    Attributes:
        count: replicates a condition; the number of `seeds` where only those are given, else 3.
        seeds: the seeds themselves.
        first_seed: the first of the seeds, which follow each other where `seeds` are not given.
        racing: between a least and a greatest number, decided by the results, instead of `count` or `seeds`.
    """

    model_config = _CONFIG

    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)] | None = None
    first_seed: Seed | None = None
    racing: Racing | None = None

    @property
    def values(self) -> tuple[int, ...]:
        """The seeds of the replicates, in order; of a race all that a condition can get."""
        if self.seeds is not None:
            return self.seeds
        n_seeds = self.racing.max if self.racing is not None else self.count or 3
        return _seeds_from(self.first_seed or 0, n_seeds)

    @property
    def n_first(self) -> int:
        """Replicates that every condition gets, whatever its results."""
        return self.racing.min if self.racing is not None else len(self.values)


class Confirm(BaseModel):
    """Fresh seeds for the winners of a search: the estimate to report.

    Attributes:
        keep: how many of the best conditions.
        replicates: of each; the number of `seeds` where only those are given, else 10.
        seeds: the seeds themselves; none may be one of the search's.
        first_seed: the first of the seeds where `seeds` are not given; by default the one after the search's largest.
    """

    model_config = _CONFIG

    keep: Annotated[int, Field(ge=1, le=1_000)] = 1
    replicates: Annotated[int, Field(ge=2, le=10_000)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=2, strict=False)] | None = None
    first_seed: Seed | None = None


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
        report: write the whole analysis and the report to the sweep's run when it is finished.
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
    report: bool = True


class Statistics(BaseModel):
    """How uncertainty is stated: nominal coverage, kind of interval, correction for many comparisons.

    Attributes:
        level: of every interval and every test.
        interval: of analysis and report; the intervals at each step of a trial's run are Student's t.
        correction: of a family of comparisons, in analysis and report.
    """

    model_config = _CONFIG

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    interval: Literal["t", "percentile", "bca"] = "t"
    correction: Literal["holm", "bonferroni", "bh", "none"] = "holm"


class Sweep(BaseModel):
    """One search over the conditions of one study: a sweep file, checked and with its defaults.

    Attributes:
        name: of the sweep; starting the same name again resumes it.
        study: entry point of MLproject.
        parameters: dotted name -> value, fixed in every condition.
        space: dotted name -> domain, in the order of the file.
        trials: how many conditions are asked for; None for a grid, which has its own number.
        timeout: seconds for the whole sweep.
        confirm: fresh seeds for the winners; None: the search's own estimate is all there is.
        promote: policy file by which the confirmed winner is judged when the sweep is finished.
        models: whose trained models are logged; None: not said, which is `confirmed`, and a study without models
            is no mistake then.
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
    confirm: Confirm | None = None
    models: Literal["confirmed", "best", "all", "none"] | None = None
    promote: Text | None = None
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

    @property
    def confirm_seeds(self) -> tuple[int, ...]:
        """The seeds of the confirmation; none without one."""
        if self.confirm is None:
            return ()
        if self.confirm.seeds is not None:
            return self.confirm.seeds
        first = self.confirm.first_seed
        first = max(self.replicates.values) + 1 if first is None else first
        return _seeds_from(first, self.confirm.replicates or 10)

    @property
    def confirm_name(self) -> str:
        """The name of the confirmation's Optuna study."""
        return self.name + CONFIRM_SUFFIX


def _seeds_from(first: int, n_seeds: int) -> tuple[int, ...]:
    return tuple(range(first, first + n_seeds))

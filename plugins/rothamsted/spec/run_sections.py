"""The sections of a sweep file that say how often, how long and where conditions are trained: one model a key.

Apart from `search_sections`, which say what is searched for. Everything is about one section by itself; what joins
several is in the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from rothamsted.caps import MOST_REPLICATES
from rothamsted.catalog import CORRECTIONS, EXECUTORS, INTERVALS, TESTS
from rothamsted.registries import NameOf
from rothamsted.spec.field_values import (
    Bytes,
    Seconds,
    Seed,
    Text,
    read_devices,
    read_population,
    read_resources,
    read_resume,
    read_vary,
    read_wandb_name,
    read_workers,
)
from rothamsted.spec.search_sections import CONFIG

BestMethod = Literal["leaders", "simple"]  # `statistics.BEST_METHODS`


class Racing(BaseModel):
    """Replicates where they decide: rounds that drop the conditions that are worse than the best.

    Attributes:
        min: replicates that every condition gets.
        max: replicates that a condition can get.
        step: replicates that a round adds.
        narrower_than: a condition whose interval is narrower than this gets no more; in units of the objective.
    """

    model_config = CONFIG

    min: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] = 3
    max: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] = 20
    step: Annotated[int, Field(ge=1, le=MOST_REPLICATES)] = 1
    narrower_than: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Replicates(BaseModel):
    """How often each condition is trained, and with which seeds: the same in every condition.

    Attributes:
        count: replicates a condition; the number of `seeds` where only those are given, else 3.
        seeds: the seeds themselves.
        first_seed: the first of the seeds, which follow each other where `seeds` are not given.
        racing: between a least and a greatest number, decided by the results, instead of `count` or `seeds`.
        vary: dotted fields of the config that change from replicate to replicate, together: each gets the replicate's
            seed. Or field -> how many numbers, crossed: every combination is a replicate. None: the training seed.
    """

    model_config = CONFIG

    count: Annotated[int, Field(ge=1, le=MOST_REPLICATES)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)] | None = None
    first_seed: Seed | None = None
    racing: Racing | None = None
    vary: Annotated[tuple[str, ...] | dict[str, int] | None, BeforeValidator(read_vary)] = None

    @property
    def crossed(self) -> Mapping[str, int]:
        """Field -> how many numbers it has, where replicates are all combinations; else empty."""
        return self.vary if isinstance(self.vary, dict) else {}

    @property
    def values(self) -> tuple[int, ...]:
        """The seeds of the replicates, in order; of a race all that a condition can get.

        Of crossed replicates these are the numbers of the combinations.
        """
        if self.seeds is not None:
            return self.seeds
        if self.crossed:
            return seeds_from(self.first_seed or 0, math.prod(self.crossed.values()))
        n_seeds = self.racing.max if self.racing is not None else self.count or 3
        return seeds_from(self.first_seed or 0, n_seeds)

    @property
    def n_first(self) -> int:
        """Replicates that every condition gets, whatever its results."""
        return self.racing.min if self.racing is not None else len(self.values)

    def numbers(self, seed: int, fields: Sequence[str]) -> dict[str, int]:
        """What a replicate of a seed sets these fields to: all to its seed.

        A crossed replicate of the search sets each to a number of its own, the last one changing first. A seed that
        the search does not have, such as one of a confirmation, is new to every field and sets all.
        """
        first = self.first_seed or 0
        if not self.crossed or seed not in range(first, first + len(self.values)):
            return dict.fromkeys(fields, seed)
        found, left = {}, seed - first
        for name, n in reversed(tuple(self.crossed.items())):
            left, digit = divmod(left, n)
            found[name] = first + digit
        return {name: found[name] for name in fields}


class Stage(BaseModel):
    """One stage of a sweep: the best conditions of the stage before, trained with other parameters.

    Attributes:
        keep: how many conditions of the stage before; None in the first stage, which has all.
        by: the best by their mean, or by the worse end of the interval for it.
        parameters: dotted name -> value, which win over the sweep's `parameters`.
        replicates: of this stage; None: those of the sweep.
        resume: whether training goes on from the checkpoints of the stage before: auto where that can be done,
            true demands it.
    """

    model_config = CONFIG

    keep: Annotated[int, Field(ge=1)] | None = None
    by: Literal["mean", "interval"] = "mean"
    parameters: dict[str, Any] = Field(default_factory=dict)
    replicates: Replicates | None = None
    resume: Annotated[bool | Literal["auto"], BeforeValidator(read_resume)] = "auto"


class Confirm(BaseModel):
    """Fresh seeds for the winners of a search: the estimate to report.

    Attributes:
        keep: how many of the best conditions.
        replicates: of each; the number of `seeds` where only those are given, else 10.
        seeds: the seeds themselves; none may be one of the search's.
        first_seed: the first of the seeds where `seeds` are not given; by default the one after the search's largest.
    """

    model_config = CONFIG

    keep: Annotated[int, Field(ge=1, le=1_000)] = 1
    replicates: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=2, strict=False)] | None = None
    first_seed: Seed | None = None


class Wandb(BaseModel):
    """Where the replicates are mirrored in Weights & Biases.

    Attributes:
        mode: online sends each replicate to the server when it has ended; offline keeps it in the folder wandb. The
            variable WANDB_MODE wins.
        project: of W&B; it is made where there is none.
        group: of the replicates; none: the sweep's name.
        entity: user or team; none: that of the API key.
    """

    model_config = CONFIG

    mode: Literal["offline", "online"]
    project: Annotated[Text, BeforeValidator(read_wandb_name)]
    group: Annotated[Text, BeforeValidator(read_wandb_name)] | None = None
    entity: Annotated[Text, BeforeValidator(read_wandb_name)] | None = None


class Execution(BaseModel):
    """Where and how the work runs; nothing here changes a number that is measured.

    Attributes:
        executor: what starts the workers, and where; it may change when a sweep goes on.
        workers: how many; auto is one a core, on a cluster as many as it has room for.
        devices: GPUs of this machine: auto gives each worker one, where there are some and what is trained can use
            one; or their numbers; none hides them.
        workers_per_device: how many workers share a GPU.
        address: of a Ray cluster: auto is the one of RAY_ADDRESS or of this machine, else one that is started here, as
            with local; or ray://HOST:10001.
        resources: what one worker takes of a Ray cluster: CPU (a core where nothing is said), GPU (a part of one, too),
            memory (bytes, or 4GB), and what nodes have besides.
        runtime_env: what Ray prepares on its nodes before workers start, such as {working_dir: .}.
        population: replicates trained in one compiled call, at most; auto: as many as are faster so and have memory.
        timeout_per_trial: seconds; a replicate that takes longer has failed.
        retries: how often a failed replicate is tried again.
        checkpoint_every: seconds between two checkpoints of a running replicate.
        checkpoints: where they are kept: in a folder, which all nodes of a cluster have to share, or as artifacts of
            the sweep's run in MLflow.
        checkpoint_dir: folder of the checkpoints; a relative one starts at home, see `places`.
        lease_seconds: a worker silent for so long is taken for dead, and its trial for free.
        artifacts: keep the artifacts that a study gives with its measurements, in the runs of the replicates.
        tensorboard: mirror the replicates of a study into files of TensorBoard, in the folder tensorboard.
        wandb: mirror the replicates into Weights & Biases when they have ended.
        report: write the whole analysis and the report to the sweep's run when it is finished.
        env_manager: what prepares the environment of a foreign project; local: the one that is there.
        environment: variables for a foreign project's processes, beside those of the worker.
        memory_limit: bytes; a foreign replicate that takes more has failed.
        grace_seconds: from asking a foreign process to end until it is killed.
        warm_pool: start foreign processes from one that has the imports, where that is safe.
    """

    model_config = CONFIG

    executor: Annotated[str, NameOf(EXECUTORS)] = "local"
    workers: Annotated[int | Literal["auto"], BeforeValidator(read_workers)] = "auto"
    devices: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...] | Literal["auto", "none"], BeforeValidator(read_devices)
    ] = "auto"
    workers_per_device: Annotated[int, Field(ge=1, le=64)] = 1
    address: Text | None = None
    resources: Annotated[dict[Text, float], BeforeValidator(read_resources)] = Field(default_factory=dict)
    runtime_env: dict[Text, Any] = Field(default_factory=dict)
    population: Annotated[int | Literal["auto"], BeforeValidator(read_population)] = 1
    timeout_per_trial: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    checkpoint_every: Seconds = 30.0
    checkpoints: Literal["folder", "artifacts"] = "folder"
    checkpoint_dir: Text = "checkpoints"
    lease_seconds: Seconds = 60.0
    artifacts: bool = True
    tensorboard: bool = False
    wandb: Wandb | None = None
    report: bool = True
    env_manager: Literal["local", "uv", "virtualenv", "conda"] = "local"
    environment: dict[Text, str] = Field(default_factory=dict)
    memory_limit: Bytes | None = None
    grace_seconds: Seconds = 10.0
    warm_pool: bool = True


# Keys of `execution` that a study has no use for: it is trained in the worker itself.
PROJECT_EXECUTION_KEYS = ("env_manager", "environment", "memory_limit", "grace_seconds", "warm_pool")
# Keys of `execution` that the executors of this machine have no use for.
CLUSTER_KEYS = ("address", "resources", "runtime_env")
# Keys of `execution` for the GPUs of this machine; a cluster shares out its own.
DEVICE_KEYS = ("devices", "workers_per_device")
# Keys of `execution` that a foreign project has no use for: it logs its own artifacts, and keeps its own states.
STUDY_EXECUTION_KEYS = ("artifacts", "tensorboard", "checkpoints")


class Statistics(BaseModel):
    """How uncertainty is stated: nominal coverage, kind of interval, correction for many comparisons.

    Attributes:
        level: of every interval and every test.
        interval: of means, in tables, plots, notes and runs; by rows (wilson), the points of curves have t.
        best: how it is found which conditions can be the best, and which are worse.
        smallest_difference: a loss that does not matter, in units of the objective: a condition that is shown to be
            within it of the best is as good.
        reference: values of a condition that all others are compared with, too, such as today's default.
        correction: of this family of comparisons.
        test: how two conditions are compared there; auto: paired t where seeds pair the replicates, else Welch's t.
    """

    model_config = CONFIG

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    interval: Annotated[str, NameOf(INTERVALS)] = "t"
    best: BestMethod = "leaders"
    smallest_difference: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    reference: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    correction: Annotated[str, NameOf(CORRECTIONS)] = "holm"
    test: Annotated[str, NameOf(TESTS, also=("auto",))] = "auto"


def seeds_from(first: int, n_seeds: int) -> tuple[int, ...]:
    """Seeds that follow each other."""
    return tuple(range(first, first + n_seeds))

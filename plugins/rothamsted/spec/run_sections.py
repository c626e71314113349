"""Define the sections of a sweep file on how often, how long and where conditions are trained: one model for each key.

`search_sections` has those on the search. Rules over several sections are in `rules`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from rothamsted.caps import MOST_CONDITIONS, MOST_REPLICATES
from rothamsted.catalog import CORRECTIONS, EXECUTORS, INTERVALS, TESTS
from rothamsted.registries import NameOf
from rothamsted.spec.field_values import (
    Bytes,
    Seconds,
    Seed,
    Text,
    at_most,
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
    """Spends replicates where they decide: rounds drop the conditions that are worse than the best.

    Attributes:
        min: Replicates that every condition gets.
        max: Replicates that a condition can get.
        step: Replicates that a round adds.
        narrower_than: A condition whose interval is narrower than this gets no more replicates; in units of the
            objective.
    """

    model_config = CONFIG

    min: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] = 3
    max: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] = 20
    step: Annotated[int, Field(ge=1, le=MOST_REPLICATES)] = 1
    narrower_than: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Replicates(BaseModel):
    """Says how often each condition is trained, and with which seeds: the same in every condition.

    Attributes:
        count: How many replicates each condition gets. By default as many as there are `seeds`, else 3.
        seeds: The seeds themselves, the same in every condition.
        first_seed: The first seed; the others follow it. By default 0.
        racing: Give each condition `min` replicates, and up to `max` as long as it may be the best. Give it in place of
            `count` and `seeds`.
        vary: What changes from replicate to replicate. A list of fields of the config: each gets the replicate's seed.
            Field -> how many numbers: every combination is a replicate. By default the training seed alone changes.
    """

    model_config = CONFIG

    count: Annotated[int, Field(ge=1, le=MOST_REPLICATES)] | None = None
    seeds: Annotated[tuple[Seed, ...], at_most(MOST_REPLICATES, "seeds"), Field(min_length=1, strict=False)] | None = (
        None
    )
    first_seed: Seed | None = None
    racing: Racing | None = None
    vary: Annotated[tuple[str, ...] | dict[str, int] | None, BeforeValidator(read_vary)] = None

    @property
    def crossed(self) -> Mapping[str, int]:
        """Return field -> number of its values, if replicates are all combinations; else empty."""
        return self.vary if isinstance(self.vary, dict) else {}

    @property
    def values(self) -> tuple[int, ...]:
        """Return the seeds of the replicates, in order; with a race all that a condition can get.

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
        """Return the number of replicates that every condition gets, whatever its results."""
        return self.racing.min if self.racing is not None else len(self.values)

    def numbers(self, seed: int, fields: Sequence[str]) -> dict[str, int]:
        """Return the values that the replicate of a seed gives these fields: all its seed.

        A crossed replicate of the search gives each field its own number; the last field changes first. A seed that the
        search does not have, such as one of a confirmation, is given to all fields.
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
    """Describes one stage of a sweep: the best conditions of the stage before, trained with other parameters.

    Attributes:
        keep: How many conditions of the stage before go on. The first stage has all, and no `keep`.
        by: How the best are chosen: by their mean, or by the worse end of the interval for it.
        parameters: Parameters of this stage, dotted name -> value; they win over the sweep's `parameters`.
        replicates: The replicates of this stage. By default those of the sweep.
        resume: Whether training goes on from the checkpoints of the stage before. "auto": if that is possible; true:
            refuse the sweep if it is not.
    """

    model_config = CONFIG

    keep: Annotated[int, Field(ge=1, le=MOST_CONDITIONS)] | None = None
    by: Literal["mean", "interval"] = "mean"
    parameters: dict[str, Any] = Field(default_factory=dict)
    replicates: Replicates | None = None
    resume: Annotated[bool | Literal["auto"], BeforeValidator(read_resume)] = "auto"


class Confirm(BaseModel):
    """Asks for fresh seeds for the winners of a search: they give the estimate to report.

    Attributes:
        keep: How many of the best conditions are confirmed.
        replicates: How many fresh seeds each gets. By default as many as there are `seeds`, else 10.
        seeds: The fresh seeds themselves; none may be one of the search's.
        first_seed: The first fresh seed; the others follow it. By default the one after the search's largest.
    """

    model_config = CONFIG

    keep: Annotated[int, Field(ge=1, le=1_000)] = 1
    replicates: Annotated[int, Field(ge=2, le=MOST_REPLICATES)] | None = None
    seeds: Annotated[tuple[Seed, ...], at_most(MOST_REPLICATES, "seeds"), Field(min_length=2, strict=False)] | None = (
        None
    )
    first_seed: Seed | None = None


class Wandb(BaseModel):
    """Says where the replicates are mirrored in Weights & Biases.

    Attributes:
        mode: Online sends each replicate to the server when it has ended; offline keeps it in the folder wandb. The
            variable WANDB_MODE wins.
        project: The project of W&B. It is made if there is none.
        group: The group of the runs in W&B. By default the sweep's name.
        entity: The user or team of W&B. By default that of the API key.
    """

    model_config = CONFIG

    mode: Literal["offline", "online"]
    project: Annotated[Text, BeforeValidator(read_wandb_name)]
    group: Annotated[Text, BeforeValidator(read_wandb_name)] | None = None
    entity: Annotated[Text, BeforeValidator(read_wandb_name)] | None = None


class Execution(BaseModel):
    """Says where and how the work runs; nothing here changes a number that is measured.

    Attributes:
        executor: Where workers run: processes of this machine (local), a Ray cluster (ray), or this process
            (in_process). It may change when a sweep goes on.
        workers: How many workers. "auto": one per core, or one per GPU if GPUs are used; on a cluster as many as it has
            room for.
        devices: Which GPUs of this machine are used. "auto" gives each worker one, if there are some and what is
            trained can use one; a list names them; "none" hides them.
        workers_per_device: How many workers share a GPU.
        address: The address of the Ray cluster. "auto": that of RAY_ADDRESS or of this machine, else one that is
            started here, as with "local"; or give ray://HOST:10001.
        resources: What one worker needs of a Ray cluster: CPU (by default one core), GPU (may be a fraction), memory
            (bytes, or 4GB), and other resources of the nodes.
        runtime_env: What Ray prepares on its nodes before workers start, such as {working_dir: .}.
        population: How many replicates are trained in one compiled call, at most. "auto": as many as make training
            faster and fit into memory.
        timeout_per_trial: A replicate that takes longer than this has failed.
        retries: How often a failed replicate is tried again.
        checkpoint_every: The time between two checkpoints of a running replicate.
        checkpoints: Where checkpoints are kept: in a folder, which all nodes of a cluster have to share, or as
            artifacts of the sweep's run in MLflow.
        checkpoint_dir: The folder of the checkpoints. A relative one starts at home, see docs/sweep-file.md.
        lease_seconds: A worker that is silent for longer counts as dead, and another one may take its trial.
        artifacts: Whether the files that a study gives with its measurements are kept in the runs of the replicates.
        tensorboard: Whether the replicates of a study are also written as files of TensorBoard, in the folder
            tensorboard.
        wandb: Mirror the replicates into Weights & Biases when they have ended. By default none are.
        report: Whether a finished sweep gets its whole analysis and its report.
        env_manager: What prepares the environment of a foreign project. "local": the environment that is there.
        environment: Variables for the processes of a foreign project, in addition to those of the worker.
        memory_limit: A foreign replicate that takes more memory than this has failed.
        grace_seconds: The time from asking a foreign process to end until it is killed.
        warm_pool: Whether foreign processes start from a process that has already done the imports, if that is safe.
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
    """Says how uncertainty is stated: nominal coverage, kind of interval, correction for many comparisons.

    Attributes:
        level: The confidence level of every interval and every test.
        interval: How intervals for means are made, in tables, plots, notes and runs. With wilson, which counts rows,
            points of curves have t intervals.
        best: The method that finds which conditions can be the best, and which are worse.
        smallest_difference: A loss that does not matter, in units of the objective. A condition that is shown to lose
            less than this to the best is as good.
        reference: The values of one condition, such as today's default: all others are compared with it, too.
        correction: How p-values of the comparisons with the reference are corrected for their number.
        test: How a condition is compared with the reference. "auto": paired t if seeds pair the replicates, else
            Welch's t.
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
    """Return seeds that follow each other."""
    return tuple(range(first, first + n_seeds))

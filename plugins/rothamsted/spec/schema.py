"""Define the schema of a sweep file: its keys, their types, bounds and defaults.

It checks one value at a time. `rules` checks several keys together and the study; `not_yet` has keys that are planned.
The sections are in `search_sections` and `run_sections`; import them from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, InstanceOf

from rothamsted.caps import MOST_CONDITIONS, MOST_CONSTRAINTS, MOST_ENQUEUED, MOST_OBJECTIVES, MOST_STAGES
from rothamsted.space import Choice, Range, Space, n_conditions_of
from rothamsted.space.by_hand import size_of_union
from rothamsted.spec.field_values import (
    CONFIRM_SUFFIX,
    MAX_SEED,
    ConstraintText,
    Log,
    Name,
    Seconds,
    Seed,
    Storage,
    Text,
    at_most,
    refusal,
    seconds,
)
from rothamsted.spec.run_sections import (
    CLUSTER_KEYS,
    DEVICE_KEYS,
    PROJECT_EXECUTION_KEYS,
    STUDY_EXECUTION_KEYS,
    Confirm,
    Execution,
    Racing,
    Replicates,
    Stage,
    Statistics,
    seeds_from,
)
from rothamsted.spec.search_sections import (
    CONFIG,
    EarlyStopping,
    Objective,
    ParametersFrom,
    Pruner,
    Sampler,
    WarmStart,
)
from rothamsted.spec.task_section import Task

__all__ = [
    "CLUSTER_KEYS",
    "CONFIRM_SUFFIX",
    "DEVICE_KEYS",
    "FILE_KEYS",
    "MAX_SEED",
    "PROJECT_EXECUTION_KEYS",
    "STUDY_EXECUTION_KEYS",
    "Confirm",
    "EarlyStopping",
    "Execution",
    "Objective",
    "Pruner",
    "Racing",
    "Replicates",
    "Sampler",
    "Seconds",
    "Seed",
    "Stage",
    "Statistics",
    "Sweep",
    "Task",
    "WarmStart",
    "seconds",
]


def _objectives(raw: Any) -> Any:
    """One objective is a list of one."""
    if raw in ([], ()):
        raise refusal("must name one objective or more, not []")
    return raw if isinstance(raw, (list, tuple)) else [raw]


class Sweep(BaseModel):
    """Describes one search over conditions of one study, foreign project or command: a sweep file, with its defaults.

    Attributes:
        name: The name of the sweep. Starting the same name again resumes it.
        study: The study to train: an entry point of MLproject, or a function, train.py:train. Give this, `project` or
            `command`.
        project: The folder or git URI of a foreign MLflow project.
        command: A command line with placeholders, which trains one replicate; see docs/any-project.md.
        entry_point: The entry point of the foreign project.
        version: The git ref of the foreign project.
        seed_parameter: The parameter by which the foreign project or the command gets a replicate's seed.
        undeclared: Parameters that the entry point does not declare and still gets, as --NAME VALUE.
        parameters: Parameters that are the same in every condition: dotted name -> value.
        parameters_from: Fix the values that another sweep has found to be best.
        space: What varies: dotted name -> domain. A list is a choice; {low, high} is a range.
        objectives: What is optimised: a metric and a direction. A list of objectives gives a Pareto set.
        constraints: Comparisons of metrics that a condition should keep, such as "seconds < 60". A condition that
            breaks one is never a winner.
        sampler: What proposes conditions.
        pruner: What stops training early by comparing curves. By default nothing does.
        early_stopping: End a replicate when its own curve no longer improves. By default nothing does.
        warm_start: An earlier sweep that the sampler knows from the start.
        enqueue: Conditions that are tried first.
        trials: How many conditions are trained. A grid has its own number.
        timeout: The time for one session of the sweep. No condition is begun after it.
        task: The factor whose values are tasks, such as data sets: conditions are compared over them.
        replicates: How often each condition is trained, each time with another seed.
        stages: Train all conditions briefly and the best of them again, with other parameters. Give two stages or more.
        confirm: Train the winners again on fresh seeds. Without it there is only the search's own estimate, which is
            optimistic.
        models: Which trained models are logged: those of confirmed replicates; also of each condition that is the best
            when it ends ("best"); or of all replicates. By default "confirmed", if the study returns models.
        promote: The policy file. It judges the confirmed winner when the sweep is finished.
        log: The Markdown file into which a finished sweep writes its section of the experiment log. By default none.
        execution: Where and how the work runs.
        statistics: How uncertainty is stated.
        experiment: The MLflow experiment for the runs. By default MLflow's own rules choose it.
        storage: The URL of the search database, Optuna's. A relative path starts at home, see docs/sweep-file.md.
    """

    model_config = CONFIG

    name: Name
    study: Text | None = None
    project: Text | None = None
    command: Text | None = None
    entry_point: Text | None = None
    version: Text | None = None
    seed_parameter: Text | None = None
    undeclared: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    parameters: dict[str, Any] = Field(default_factory=dict)
    parameters_from: ParametersFrom | None = None
    space: dict[str, InstanceOf[Range] | InstanceOf[Choice]] = Field(default_factory=dict)
    objectives: Annotated[
        tuple[Objective, ...],
        at_most(MOST_OBJECTIVES, "objectives"),
        BeforeValidator(_objectives),
        Field(alias="objective", strict=False),
    ]
    constraints: Annotated[
        tuple[ConstraintText, ...], at_most(MOST_CONSTRAINTS, "constraints"), Field(strict=False)
    ] = ()
    sampler: Sampler = Sampler()
    pruner: Pruner | None = None
    early_stopping: EarlyStopping | None = None
    warm_start: WarmStart | None = None
    enqueue: Annotated[
        tuple[dict[str, Any], ...], at_most(MOST_ENQUEUED, "conditions named by hand"), Field(strict=False)
    ] = ()
    trials: Annotated[int, Field(ge=1, le=MOST_CONDITIONS)] | None = None
    timeout: Seconds | None = None
    task: Task | None = None
    replicates: Replicates = Replicates()
    stages: Annotated[tuple[Stage, ...], at_most(MOST_STAGES, "stages"), Field(strict=False)] = ()
    confirm: Confirm | None = None
    models: Literal["confirmed", "best", "all", "none"] | None = None
    promote: Text | None = None
    log: Log | None = None
    execution: Execution = Execution()
    statistics: Statistics = Statistics()
    experiment: Text | None = None
    storage: Storage = "sqlite:///optuna.db"

    @property
    def is_foreign(self) -> bool:
        """Return whether a replicate is a process of a foreign program: `project` or `command`."""
        return self.study is None

    @property
    def objective(self) -> Objective:
        """Return the first objective: it ranks conditions."""
        return self.objectives[0]

    @cached_property
    def search_space(self) -> Space:
        """Join the domains into one space; a `when` may also refer to a fixed parameter."""
        return Space(self.space, given=self.parameters)

    @cached_property
    def _n_in_space(self) -> int | None:
        return n_conditions_of(self.search_space)

    @property
    def n_trials(self) -> int:
        """Return the number of conditions: `trials`, or the size of the grid with what is enqueued beside it.

        It is never more than a finite space has.
        """
        if self.trials is None:
            return size_of_union(self.search_space, self.enqueue)
        return self.trials if self._n_in_space is None else min(self.trials, self._n_in_space)

    @property
    def is_exhausting(self) -> bool:
        """Say whether `trials` asks for more conditions than the space has."""
        return self.trials is not None and self.n_trials < self.trials

    @property
    def stopping(self) -> tuple[str, str] | None:
        """Return the metric that early stopping looks at, and its direction; None without early stopping."""
        early = self.early_stopping
        if early is None:
            return None
        objective = next((one for one in self.objectives if one.metric == early.metric), self.objective)
        return early.metric or objective.metric, early.direction or objective.direction

    def stage_parameters(self, stage: int) -> dict[str, Any]:
        """Return the fixed parameters of a stage, by its position; without stages there is one, 0."""
        own: Mapping[str, Any] = self.stages[stage].parameters if self.stages else {}
        return {**self.parameters, **own}

    def stage_seeds(self, stage: int) -> tuple[int, ...]:
        """Return the seeds of a stage, by its position: those of the sweep, unless it has its own replicates.

        If those are a count, they are the sweep's first seeds, and following ones if there are too few, so that a
        condition keeps its seeds.
        """
        own = self.stages[stage].replicates if self.stages else None
        seeds = self.replicates.values
        if own is None:
            return seeds
        if own.seeds is not None or own.first_seed is not None:
            return own.values
        n_seeds = own.count or len(seeds)
        return (*seeds[:n_seeds], *seeds_from(max(seeds) + 1, max(n_seeds - len(seeds), 0)))

    @property
    def varied(self) -> tuple[str, ...]:
        """Return the parameters that a replicate sets: the training seed, unless the file lists what varies.

        It is empty for a foreign project or command that takes no seed.
        """
        if self.replicates.vary is not None:
            return tuple(self.replicates.vary)
        seed = self.seed_parameter if self.is_foreign else "seed"
        return () if seed is None else (seed,)

    def varied_by(self, seed: int) -> dict[str, int]:
        """Return the parameters that the replicate of a seed sets, with values, in any stage and the confirmation."""
        return self.replicates.numbers(seed, self.varied)

    @property
    def search_seeds(self) -> frozenset[int]:
        """Return every seed that the search sees, in any stage."""
        return frozenset(seed for stage in range(max(len(self.stages), 1)) for seed in self.stage_seeds(stage))

    @property
    def confirm_seeds(self) -> tuple[int, ...]:
        """Return the seeds of the confirmation; none without one."""
        if self.confirm is None:
            return ()
        if self.confirm.seeds is not None:
            return self.confirm.seeds
        first = self.confirm.first_seed
        first = max(self.search_seeds) + 1 if first is None else first
        return seeds_from(first, self.confirm.replicates or 10)

    @property
    def confirm_name(self) -> str:
        """Return the name of the confirmation's Optuna study."""
        return self.name + CONFIRM_SUFFIX


FILE_KEYS = tuple(field.alias or name for name, field in Sweep.model_fields.items())  # as a file names them

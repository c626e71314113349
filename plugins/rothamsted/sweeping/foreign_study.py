"""A stranger's project or command as what a sweep trains: one process a replicate, its numbers read as it runs.

Apart from the worker, which goes through the same motions with a study of ours: claim, start, judge, end.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.analysis.objectives import OBJECTIVE
from rothamsted.errors import SpecError
from rothamsted.foreign.command_line import CommandLine, open_command
from rothamsted.foreign.pool import Pool
from rothamsted.foreign.process import Launch, Running, start
from rothamsted.masking import MASK
from rothamsted.metric import Metric
from rothamsted.spec import Sweep

if TYPE_CHECKING:  # imports MLflow, which a study of ours needs not
    from rothamsted.tracking.projects.project import Project


@dataclass(frozen=True, kw_only=True)
class ForeignStudy:
    """One entry point of a foreign project, or a command.

    Attributes:
        name: for tags.
        project: where it is, and how its command is made.
    """

    name: str
    project: Project | CommandLine

    @property
    def known_metrics(self) -> Mapping[str, Metric]:
        """Nothing is declared of a stranger's metrics."""
        return {}

    @property
    def uses_gpu(self) -> bool:
        """Nobody can tell of a stranger's program; so each worker has a GPU of its own where there are some."""
        return True

    @property
    def code_digest(self) -> str:
        """SHA-256 of the project's files; of a command of its text and script."""
        return self.project.digest

    @property
    def source_name(self) -> str:
        """What MLflow shows as the source of a replicate: the script, or the project as it was given."""
        return self.project.source_name

    def source_tags(self) -> dict[str, str]:
        """Where it is from, for the record."""
        return self.project.source_tags


def open_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """The foreign project or the command of a sweep.

    Raises:
        UserError: no project there, no such entry point; nothing has been started.
    """
    if sweep.command is not None:
        command = open_command(sweep.command, root, sweep.seed_parameter)
        return ForeignStudy(name=command.study_name, project=command)
    from rothamsted.tracking.projects.opening import open_project

    project = open_project(sweep.project or "", sweep.entry_point or "main", sweep.version, root=root)
    return ForeignStudy(name=project.study_name, project=project)


def checked_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """The foreign project or the command of a sweep, which can be made at every end of the space.

    Raises:
        UserError: as `open_foreign`; or a parameter is missing or cannot be passed on.
    """
    for objective in sweep.objectives:
        is_logged = objective.artifact is None and objective.expression is None
        if is_logged and objective.metric.split(".")[0] == OBJECTIVE:
            raise SpecError(
                f"sweep {sweep.name}: objective.metric: a replicate's score is logged as {OBJECTIVE!r}, so a metric "
                f"{objective.metric!r} cannot be told from it; have the program log it under another name"
            )
    study = open_foreign(sweep, root)
    seed = sweep.replicates.values[0]
    for _, condition in [*sweep.search_space.probes()] or [("", {})]:
        study.project.check(parameters_of(sweep, condition, seed))
    return study


def check_variables(sweep: Sweep, environment: Mapping[str, str] | None = None) -> None:
    """Refuse a worker that does not know a variable of the sweep: recorded are the names alone.

    Raises:
        SpecError: names the first one.
    """
    here = os.environ if environment is None else environment
    for name, value in sweep.execution.environment.items():
        if value == MASK and name not in here:
            raise SpecError(
                f"sweep {sweep.name}: execution.environment: the value of {name} is not recorded; "
                f"set {name} in the environment of this command"
            )


def prepare_environment(sweep: Sweep, study: object, say: Callable[[str], None]) -> None:
    """Make the environment of a foreign project before anything is started, where the sweep asks for one.

    Raises:
        UserError: it cannot be made.
    """
    manager = sweep.execution.env_manager
    if isinstance(study, ForeignStudy) and manager != "local":
        say(f"environment of {study.project.title} by {manager}: it is made once, which may take minutes")
        study.project.environment_prefix(manager)


def warnings_of(sweep: Sweep, study: object) -> list[str]:
    """Of what a foreign project is given: parameters without effect, and replicates that are repeats."""
    if not isinstance(study, ForeignStudy):
        return []
    given = {*sweep.parameters, *sweep.space, *sweep.varied}
    lines = [
        f"{study.project.title} declares parameter {name!r} and does not pass it on to its command: it has no effect"
        for name in study.project.not_passed_on
        if name in given
    ]
    n_seeds = len(sweep.replicates.values)
    if sweep.seed_parameter is None and n_seeds > 1:
        lines.append(f"no seed_parameter: all {n_seeds} replicates of a condition run the same command")
    return lines


def parameters_of(sweep: Sweep, condition: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the program is given: fixed parameters, the condition, and what the replicate of a seed sets."""
    return {**sweep.parameters, **condition, **sweep.varied_by(seed)}


@dataclass(kw_only=True)
class Starter:
    """Starts the processes of one worker.

    Attributes:
        sweep: what is swept.
        study: the foreign project or the command.
        say: told once why processes start cold where they could have started warm.
    """

    sweep: Sweep
    study: ForeignStudy
    say: Callable[[str], None]
    _pool: Pool | None = None
    _is_prepared: bool = False
    _prefix: str = ""

    def prepare(self, parameters: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Do what takes time once, before the clock of a replicate runs: the environment, the imports ahead.

        Args:
            parameters: of any replicate.
            variables: of any replicate; its run's id does not matter.

        Raises:
            UserError: the environment cannot be made.
        """
        if self._is_prepared:
            return
        self._is_prepared = True
        execution = self.sweep.execution
        self._prefix = self.study.project.environment_prefix(execution.env_manager)
        if not execution.warm_pool or self._prefix:
            return
        with tempfile.TemporaryDirectory() as scratch:
            command = self.study.project.launched(parameters, Path(scratch))
        if isinstance(command, str):
            self.say("processes start cold: the command needs a shell")
            return
        if not any(word == "-m" or word.endswith(".py") for word in command):
            return  # no Python script: there is nothing to import ahead
        opened = Pool.open(self.study.project.folder, command, self._environment(variables))
        if isinstance(opened, str):
            self.say(f"processes start cold: {opened}")
        else:
            self._pool = opened

    def start(
        self, parameters: Mapping[str, Any], variables: Mapping[str, str], log_path: Path, scratch: Path
    ) -> Running:
        """Start the command in a process of its own.

        Args:
            parameters: of the replicate.
            variables: that the process sees beside the worker's own, those of its run among them.
            log_path: gets its output.
            scratch: an absolute folder for the files that the command is given.

        Raises:
            UserError: the command cannot be made, or not be started.
        """
        self.prepare(parameters, variables)
        launch = Launch(
            command=self.study.project.launched(parameters, scratch, self._prefix),
            folder=self.study.project.folder,
            environment=self._environment(variables),
            log_path=log_path,
            run_id=variables.get("MLFLOW_RUN_ID", ""),
        )
        return self._pool.start(launch) if self._pool is not None else start(launch)

    def close(self) -> None:
        """End the pool."""
        if self._pool is not None:
            self._pool.close()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        given = {name: value for name, value in self.sweep.execution.environment.items() if value != MASK}
        return {**os.environ, **given, **variables}  # what is not recorded is in the environment of a worker by hand

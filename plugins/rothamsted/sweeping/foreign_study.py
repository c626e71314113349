"""Let a sweep train a foreign project or command: one process for each replicate; numbers are read while it runs."""

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
    """Describes one entry point of a foreign project, or a command.

    Attributes:
        name: name for tags.
        project: its place, and how its command is made.
    """

    name: str
    project: Project | CommandLine

    @property
    def known_metrics(self) -> Mapping[str, Metric]:
        """Return no metrics: a foreign project declares none."""
        return {}

    @property
    def uses_gpu(self) -> bool:
        """Return True: it is not known, so each worker gets a GPU if there are some."""
        return True

    @property
    def code_digest(self) -> str:
        """Return the SHA-256 of the project's files, or of a command's text and script."""
        return self.project.digest

    @property
    def source_name(self) -> str:
        """Return what MLflow shows as the source of a replicate: the script, or the project as it was given."""
        return self.project.source_name

    def source_tags(self) -> dict[str, str]:
        """Return tags with its source."""
        return self.project.source_tags


def open_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """Return the foreign project or the command of a sweep.

    Raises:
        UserError: there is no project or no such entry point; nothing has been started.
    """
    if sweep.command is not None:
        command = open_command(sweep.command, root, sweep.seed_parameter)
        return ForeignStudy(name=command.study_name, project=command)
    from rothamsted.tracking.projects.opening import open_project

    project = open_project(sweep.project or "", sweep.entry_point or "main", sweep.version, root=root)
    return ForeignStudy(name=project.study_name, project=project)


def checked_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """Return the foreign project or the command of a sweep, after checking that its command can be made everywhere.

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
    """Refuse a worker without a variable of the sweep, because only the names of variables are recorded.

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
    """Make the environment of a foreign project before anything is started, if the sweep asks for one.

    Raises:
        UserError: it cannot be made.
    """
    manager = sweep.execution.env_manager
    if isinstance(study, ForeignStudy) and manager != "local":
        say(f"environment of {study.project.title} by {manager}: it is made once, which may take minutes")
        study.project.environment_prefix(manager)


def warnings_of(sweep: Sweep, study: object) -> list[str]:
    """Return warnings on a foreign project: parameters without effect, and replicates that are repeats."""
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
    """Return the parameters of the program: fixed ones, the condition, and those that the replicate of a seed sets."""
    return {**sweep.parameters, **condition, **sweep.varied_by(seed)}


@dataclass(kw_only=True)
class Starter:
    """Starts the processes of one worker.

    Attributes:
        sweep: the sweep.
        study: the foreign project or the command.
        say: function that is called once if processes start without the imports made ahead, with the reason.
        own: the environment before the sweep's variables; None: this process's.
    """

    sweep: Sweep
    study: ForeignStudy
    say: Callable[[str], None]
    own: Mapping[str, str] | None = None
    _pool: Pool | None = None
    _is_prepared: bool = False
    _prefix: str = ""

    def prepare(self, parameters: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Do slow work once, before the time of a replicate counts: the environment, the imports ahead.

        Args:
            parameters: parameters of any replicate.
            variables: environment variables of any replicate; its run's id does not matter.

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
        """Start the command in a process.

        Args:
            parameters: parameters of the replicate.
            variables: environment variables in addition to the worker's own, including those of its run.
            log_path: file for its output.
            scratch: absolute path of a folder for the command's files.

        Raises:
            UserError: the command cannot be made or started.
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
        own = os.environ if self.own is None else self.own
        return {**own, **given, **variables}  # what is not recorded is in the environment of a worker by hand

"""A stranger's project as what a sweep trains: one process a replicate, its numbers read from the tracking store.

Apart from the worker, which goes through the same motions with a study of ours: claim, start, judge, end.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.foreign.pool import Pool
from rothamsted.foreign.process import Launch, Running, start
from rothamsted.spec import Sweep
from rothamsted.tracking.projects import Project, open_project


@dataclass(frozen=True, kw_only=True)
class ForeignStudy:
    """One entry point of a foreign project.

    Attributes:
        name: for tags: the project's own name, or its folder's, with the entry point.
        project: where it is, and how its command is made.
    """

    name: str
    project: Project

    @property
    def code_digest(self) -> str:
        """SHA-256 of the project's files."""
        return self.project.digest

    def source_tags(self) -> dict[str, str]:
        """Where the project is from, for the record."""
        commit = {"rothamsted.project_commit": self.project.commit} if self.project.commit else {}
        return {"rothamsted.project": self.project.uri, **commit}


def open_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """The foreign project of a sweep.

    Raises:
        UserError: no project there, no such entry point; nothing has been started.
    """
    entry_point = sweep.entry_point or "main"
    project = open_project(sweep.project or "", entry_point, sweep.version, root=root)
    return ForeignStudy(name=f"{project.name or project.folder.name}:{entry_point}", project=project)


def checked_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    """The foreign project of a sweep, whose command can be made at every end of the space.

    Raises:
        UserError: as `open_foreign`; or a parameter is missing or cannot be passed on.
    """
    study = open_foreign(sweep, root)
    seed = sweep.replicates.values[0]
    for _, condition in [*sweep.search_space.probes()] or [("", {})]:
        study.project.check(parameters_of(sweep, condition, seed))
    return study


def warnings_of(sweep: Sweep, study: object) -> list[str]:
    """What a foreign project declares and does not pass on to its command, of the parameters that the sweep sets."""
    if not isinstance(study, ForeignStudy):
        return []
    given = {**sweep.parameters, **sweep.space, **({sweep.seed_parameter: 0} if sweep.seed_parameter else {})}
    lines = [
        f"project {study.name} declares parameter {name!r} and does not pass it on to its command: it has no effect"
        for name in study.project.not_passed_on
        if name in given
    ]
    n_seeds = len(sweep.replicates.values)
    if sweep.seed_parameter is None and n_seeds > 1:
        lines.append(f"no seed_parameter: the {n_seeds} replicates of a condition are repeats of one command")
    return lines


def parameters_of(sweep: Sweep, condition: Mapping[str, Any], seed: int) -> dict[str, str]:
    """What the entry point is given: fixed parameters, the condition, and the seed where the file names one for it."""
    own = {**sweep.parameters, **condition}
    seeded = {sweep.seed_parameter: seed} if sweep.seed_parameter else {}
    return {name: str(value) for name, value in {**own, **seeded}.items()}


@dataclass(kw_only=True)
class Starter:
    """Starts the processes of one worker.

    Attributes:
        sweep: what is swept.
        study: the foreign project.
        say: told once why processes start cold where they could have started warm.
    """

    sweep: Sweep
    study: ForeignStudy
    say: Callable[[str], None]
    _pool: Pool | None = None
    _is_pool_tried: bool = False
    _prefix: str | None = None

    def start(self, parameters: Mapping[str, str], variables: Mapping[str, str], log_path: Path) -> Running:
        """Start the entry point's command in a process of its own.

        Args:
            parameters: of the entry point.
            variables: that the process sees beside the worker's own, those of its run among them.
            log_path: gets its output.

        Raises:
            UserError: the command cannot be made, or not be started.
        """
        environment = {**os.environ, **self.sweep.execution.environment, **variables}
        project = self.study.project
        arguments = project.arguments_for(parameters)
        command = arguments if arguments is not None else project.command_for(parameters)
        if prefix := self._environment_prefix():
            text = shlex.join(command) if isinstance(command, list) else command
            command = f"{prefix} && {text}"
        launch = Launch(command=command, folder=project.folder, environment=environment, log_path=log_path)
        if isinstance(command, list) and (pool := self._warm_pool(command, environment)) is not None:
            return pool.start(launch)
        return start(launch)

    def close(self) -> None:
        """End the pool."""
        if self._pool is not None:
            self._pool.close()

    def _environment_prefix(self) -> str:
        if self._prefix is None:
            self._prefix = self.study.project.environment_prefix(self.sweep.execution.env_manager)
        return self._prefix

    def _warm_pool(self, arguments: list[str], environment: Mapping[str, str]) -> Pool | None:
        execution = self.sweep.execution
        if not self._is_pool_tried and execution.warm_pool and execution.env_manager == "local":
            self._is_pool_tried = True
            opened = Pool.open(self.study.project.folder, arguments, environment)
            if isinstance(opened, str):
                self.say(f"processes start cold: {opened}")
            else:
                self._pool = opened
        return self._pool

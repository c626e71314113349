"""Sweep any project by `mlflow run FOLDER -e NAME -b rothamsted -c '{"sweep": FILE}'`, as MLflow's plug-in.

It starts the command line in a process, because MLflow asks for a run at once, and for a process to wait for. The sweep
file's `project` and `entry_point` are those of the call. The configuration may have any of its keys.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from mlflow.entities import RunStatus
from mlflow.exceptions import ExecutionException
from mlflow.projects.backend.abstract_backend import AbstractBackend
from mlflow.projects.submitted_run import SubmittedRun
from mlflow.projects.utils import (
    PROJECT_BUILD_IMAGE,
    PROJECT_DOCKER_ARGS,
    PROJECT_DOCKER_AUTH,
    PROJECT_ENV_MANAGER,
    PROJECT_STORAGE_DIR,
    PROJECT_SYNCHRONOUS,
)

from rothamsted import places
from rothamsted.errors import UserError
from rothamsted.masking import is_secret
from rothamsted.named_files import is_file
from rothamsted.spec.document import read_document
from rothamsted.sweeping.foreign_study import prepare_environment
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.open.if_exists import named
from rothamsted.sweeping.open.start import open_passed, open_sweep
from rothamsted.sweeping.opened import Place
from rothamsted.tracking.address import absolute_uri
from rothamsted.tracking.address import tracking_uri as current_tracking_uri
from rothamsted.tracking.experiment import DEFAULT_EXPERIMENT_ID
from rothamsted.tracking.projects.opening import open_project
from rothamsted.tracking.projects.project import Project

SWEEP = "sweep"  # key of the backend's configuration: the sweep file
_OTHERS_RUN = frozenset({"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"})  # of a run around this one, if there is any
_OF_MLFLOW = frozenset(  # keys that MLflow itself adds to a backend's configuration
    {
        PROJECT_BUILD_IMAGE,
        PROJECT_DOCKER_ARGS,
        PROJECT_DOCKER_AUTH,
        PROJECT_ENV_MANAGER,
        PROJECT_STORAGE_DIR,
        PROJECT_SYNCHRONOUS,
    }
)


class BackendError(UserError):
    """Says that a configuration of the backend does not say what to sweep."""


class SweepBackend(AbstractBackend):
    """Lets MLflow run sweeps of a project: entry point group `mlflow.project_backend`, name `rothamsted`."""

    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: Mapping[str, Any] | None,
        version: str | None,
        backend_config: Mapping[str, Any] | str,
        tracking_uri: str,
        experiment_id: str,
    ) -> SweepProcess:
        """Check everything, open the sweep's run, and start the sweep in a process of its own.

        Raises:
            ExecutionException: what is wrong, in one line; nothing has been created then.
        """
        call = _Call(uri=project_uri, entry_point=entry_point, version=version, config=_as_mapping(backend_config))
        try:
            submitted = call.start(params or {}, tracking_uri, str(experiment_id))
        except UserError as error:
            raise ExecutionException(" ".join(str(error).split())) from None
        if not call.config.get(PROJECT_SYNCHRONOUS):
            atexit.register(submitted.wait_at_exit)  # as MLflow's local backend: the sweep ends before its caller
        return submitted


@dataclass(kw_only=True)
class SweepProcess(SubmittedRun):
    """Holds a sweep that runs in a process of its own.

    Attributes:
        process: its coordinator.
        sweep_run_id: the run of the sweep.
    """

    process: subprocess.Popen[bytes]
    sweep_run_id: str
    _is_waited_for: bool = False

    @property
    def run_id(self) -> str:
        """Return the run of the sweep."""
        return self.sweep_run_id

    def wait(self) -> bool:
        """Wait for the end; whether the sweep ended well."""
        self._is_waited_for = True
        return self.process.wait() == 0

    def get_status(self) -> str:
        """Return MLflow's word for how it stands."""
        code = self.process.poll()
        if code is None:
            return RunStatus.to_string(RunStatus.RUNNING)
        return RunStatus.to_string(RunStatus.FINISHED if code == 0 else RunStatus.FAILED)

    def cancel(self) -> None:
        """Stop it as Ctrl-C does, and wait: workers end their processes; the same call goes on with the sweep."""
        self._is_waited_for = True
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def wait_at_exit(self) -> None:
        """Wait where the caller has not; its own exit status tells of a sweep that failed or was interrupted."""
        if self._is_waited_for:
            return
        try:
            code = self.process.wait()
        except KeyboardInterrupt:
            self.cancel()
            code = self.process.returncode
        if code:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if code > 0 else 1)


@dataclass(frozen=True, kw_only=True)
class _Call:
    """What MLflow was asked to run."""

    uri: str
    entry_point: str
    version: str | None
    config: Mapping[str, Any]

    def start(self, params: Mapping[str, Any], tracking_uri: str, experiment_id: str) -> SweepProcess:
        """Start the sweep.

        Raises:
            UserError: before anything is created.
        """
        here = Path.cwd()
        project = open_project(self.uri, self.entry_point, self.version or None, root=here)
        is_fetched = project.folder.is_relative_to(project.cache)
        root = here if is_fetched else project.folder  # what is fetched may be fetched anew: nothing is kept there
        path = self._sweep_file(project)
        overrides = self._overrides(params)
        if_exists = overrides.pop("if_exists", "resume")
        keys = overrides | self._filled_in(path, project, is_fetched=is_fetched, root=root)
        sweep, study = load(path, keys, root)
        sweep = named(sweep, study, root, if_exists, place="backend rothamsted")
        keys |= {"storage": sweep.storage, "name": sweep.name}
        with _environment({"MLFLOW_RUN_ID": None, **_experiment(experiment_id)}):
            prepare_environment(sweep, study, print)
            place = Place(root=root, tracking_uri=current_tracking_uri(), source=str(path))
            passed = open_passed(sweep, study, place) if sweep.stages else None
            with passed or open_sweep(sweep, study, place) as opened:
                run_id, own_experiment_id = opened.sweep_run_id, opened.experiment_id
        ids = {
            "MLFLOW_TRACKING_URI": absolute_uri(tracking_uri),
            "MLFLOW_EXPERIMENT_ID": own_experiment_id,
            places.HOME: str(places.home(current_tracking_uri())),
        }
        seen = [f"--{key}={value}" for key, value in keys.items() if not _is_secret(key, value)]
        process = _start_process(
            [sys.executable, "-P", "-m", "rothamsted", "--more-on-stdin", "sweep", f"--config={path}", *seen],
            [f"--{key}={value}" for key, value in keys.items() if _is_secret(key, value)],
            cwd=root,
            env={name: value for name, value in os.environ.items() if name not in _OTHERS_RUN} | ids,
        )
        return SweepProcess(process=process, sweep_run_id=run_id)

    def _sweep_file(self, project: Project) -> Path:
        name = self.config.get(SWEEP)
        if not isinstance(name, str) or not name:
            is_missing = "is missing" if name is None else f"must be the path of a sweep file, not {name!r}"
            raise BackendError(f'backend rothamsted: {SWEEP}: {is_missing}; write -c \'{{"sweep": "sweep.yaml"}}\'')
        path = project.folder / name
        if not is_file(path):
            raise BackendError(
                f"backend rothamsted: {SWEEP}: there is no file {name!r} in {project.folder}; "
                "give a path from the project's folder, or an absolute one"
            )
        return path

    def _filled_in(self, path: Path, project: Project, *, is_fetched: bool, root: Path) -> dict[str, str]:
        """The keys that the call fills in; what the file says of them must agree."""
        there = read_document(path)
        own: dict[str, str | None] = {
            "project": self.uri if is_fetched else ".",
            "entry_point": self.entry_point,
            "version": self.version or None,
        }
        if there.data.get("study") is not None:
            raise there.error(("study",), "a backend sweeps the project that mlflow run names; remove it")
        for key, value in own.items():
            said = there.data.get(key)
            is_same = said == value or (key == "project" and not is_fetched and _is_folder(said, root, project.folder))
            if said is not None and not is_same:
                called = self.uri if key == "project" else value
                raise there.error((key,), f"is {said!r}, and mlflow run names {called!r}; remove it, or let them agree")
        return {key: json.dumps(value) for key, value in own.items() if value is not None}

    def _overrides(self, params: Mapping[str, Any]) -> dict[str, str]:
        """The other keys of the configuration, and the parameters of the call, as texts of a command line."""
        given = {key: value for key, value in self.config.items() if key not in _OF_MLFLOW | {SWEEP}}
        for key in ("project", "entry_point", "version"):
            if key in given:
                raise BackendError(f"backend rothamsted: {key}: comes from mlflow run itself; remove it")
        twice = sorted(given.keys() & params.keys())
        if twice:
            raise BackendError(f"backend rothamsted: {twice[0]}: is given by -P and by -c; give it once")
        manager = self.config.get(PROJECT_ENV_MANAGER)
        by_flag = {"execution.env_manager": manager} if manager is not None else {}
        both = {**given, **params, **by_flag}
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in both.items()}


def _start_process(
    command: Sequence[str], unseen: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that Ctrl-C does not reach: MLflow hears of it, and cancels.

    Args:
        command: what is executed.
        unseen: more words of its command line, on its standard input: nobody sees them in a list of processes.
        cwd: its folder.
        env: its environment.
    """
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.PIPE, start_new_session=True)
    with contextlib.suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as stdin:  # one that has died says so
        stdin.write(json.dumps(list(unseen)).encode())
    return process


def _is_secret(key: str, value: str) -> bool:
    """Whether a key may hold a secret: an address with one, or the variables of processes."""
    return is_secret(value) or key.startswith("execution")


def _as_mapping(config: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if not isinstance(config, Mapping):
        raise ExecutionException(f"backend rothamsted: -c must be a JSON object or a file NAME.json, not {config!r}")
    return config


def _is_folder(said: Any, root: Path, folder: Path) -> bool:
    return isinstance(said, str) and (root / said.partition("#")[0]).resolve() == folder.resolve()


def _experiment(experiment_id: str) -> dict[str, str | None]:
    """The experiment where one was asked for: MLflow passes the default one also where none was."""
    if experiment_id == DEFAULT_EXPERIMENT_ID:
        return {}
    return {"MLFLOW_EXPERIMENT_ID": experiment_id, "MLFLOW_EXPERIMENT_NAME": None}


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Variables of this process as they are to be for a moment; None: not set."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

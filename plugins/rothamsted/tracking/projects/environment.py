"""Check and make the environment of a foreign project once, as MLflow makes it."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow.exceptions import MlflowException
from mlflow.projects._project_spec import Project as Specification
from mlflow.projects.backend.local import _env_type_to_env_manager
from mlflow.utils.conda import get_conda_bin_executable, get_or_create_conda_env
from mlflow.utils.environment import _PythonEnv
from mlflow.utils.process import ShellCommandException
from mlflow.utils.virtualenv import (
    _create_virtualenv,
    _get_mlflow_virtualenv_root,
    _get_virtualenv_name,
    _validate_pyenv_is_available,
)

from rothamsted.tracking.projects.fetch import ProjectError

ENV_MANAGERS = ("local", "virtualenv", "uv", "conda")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Describes the environment of one project.

    Attributes:
        folder: holds MLproject.
        specification: MLproject, as MLflow read it.
    """

    folder: Path
    specification: Specification

    def check(self, env_manager: str | None = None) -> None:
        """Refuse an environment that cannot be made, as far as that is known beforehand. Nothing is made.

        Raises:
            ProjectError: as `prefix`: the manager is unknown or not installed.
        """
        manager, place = self._manager(env_manager)
        if manager == "local":
            return
        try:
            if manager == "conda":
                _check_program(get_conda_bin_executable("conda"), "conda")
            else:
                self._python_env()
            if manager == "virtualenv":
                _validate_pyenv_is_available()
            if manager == "uv":
                _check_program("uv", "uv")
        except (MlflowException, OSError, yaml.YAMLError) as error:
            raise ProjectError(f"{place}: cannot be made: {_last_line(error)}") from None

    def prefix(self, env_manager: str | None = None) -> str:
        """Prepare the project's environment once, as MLflow does, and return the shell commands that activate it.

        Args:
            env_manager: one of ENV_MANAGERS; None for MLflow's choice by the kind of environment.

        Returns:
            Text to put before the command with ` && `; empty for "local".

        Raises:
            ProjectError: the manager is unknown, not installed, or fails.
        """
        self.check(env_manager)
        manager, place = self._manager(env_manager)
        if manager == "local":
            return ""
        try:
            return self._conda() if manager == "conda" else self._virtualenv(manager)
        except (MlflowException, ShellCommandException, OSError, yaml.YAMLError) as error:
            raise ProjectError(f"{place}: cannot be made: {_last_line(error)}") from None

    # ---- within ----

    def _manager(self, env_manager: str | None) -> tuple[str, str]:
        """The manager, MLflow's choice where none is named, and the beginning of an error.

        Raises:
            ProjectError: it is unknown, or does not suit the project.
        """
        manager = env_manager or _env_type_to_env_manager(self.specification.env_type)
        place = f"project {str(self.folder)!r}: environment by {manager}"
        if manager not in ENV_MANAGERS:
            raise ProjectError(f"{place}: must be one of {', '.join(ENV_MANAGERS)}")
        if manager == "conda" and self.specification.env_type != "conda_env":
            raise ProjectError(f"{place}: the project has no conda_env; use virtualenv, uv or local")
        return manager, place

    def _python_env(self) -> _PythonEnv:
        config = self.specification.env_config_path
        if self.specification.env_type == "conda_env":
            return _PythonEnv.from_conda_yaml(config)
        return _PythonEnv.from_yaml(config) if config else _PythonEnv()

    def _virtualenv(self, manager: str) -> str:
        wanted = self._python_env()
        top = Path(_get_mlflow_virtualenv_root())
        top.mkdir(parents=True, exist_ok=True)
        with (top / ".lock").open("w") as lock:  # two sweeps that begin at once make it once
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _create_virtualenv(
                local_model_path=self.folder,
                python_env=wanted,
                env_dir=top / _get_virtualenv_name(wanted, self.folder),
                env_manager="uv" if manager == "uv" else "virtualenv",
                capture_output=True,
            )

    def _conda(self) -> str:
        made: Any = get_or_create_conda_env(self.specification.env_config_path, capture_output=True)
        return " && ".join(made.get_activate_command())


def _check_program(path: str, name: str) -> None:
    """Raise FileNotFoundError where a program is not there to be started."""
    if shutil.which(path) is None:
        raise FileNotFoundError(f"there is no program {name} on the path; install it, or name another env_manager")


def _last_line(error: BaseException) -> str:
    """The last line of what a program wrote before it failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__

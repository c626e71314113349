"""Open a foreign MLflow project as `mlflow run` does: entry point, parameters, command, environment."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from mlflow.exceptions import MlflowException
from mlflow.projects._project_spec import EntryPoint
from mlflow.projects._project_spec import Project as Specification
from mlflow.projects.utils import load_project
from mlflow.utils.file_utils import get_local_path_or_none

from rothamsted.masking import masked
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.projects.command import argument_list, placeholders, placeholders_in_quotes
from rothamsted.tracking.projects.environment import Environment
from rothamsted.tracking.projects.fetch import Fetched, ProjectError, digest_of_files, file_digests


@dataclass(frozen=True, kw_only=True)
class ProjectParameter:
    """Describes a parameter that the entry point declares; without a default it must be given."""

    type: str
    default: Any


@dataclass(frozen=True, kw_only=True)
class Project:
    """Describes one entry point of an MLflow project.

    Attributes:
        uri: as it was given.
        folder: holds MLproject; the command runs there.
        name: as MLproject says; None where it does not.
        entry_point: the entry point's name.
        commit: of the files; None outside git, and where files have changed since.
        parameters: what the entry point declares.
        command: MLproject's command, with the parameters' names in braces.
        not_passed_on: parameters that are declared and do not stand in the command.
        cache: the folder for what is downloaded.
    """

    uri: str
    folder: Path
    name: str | None
    entry_point: str
    commit: str | None
    parameters: Mapping[str, ProjectParameter]
    command: str
    not_passed_on: tuple[str, ...]
    cache: Path
    _entry: EntryPoint
    _specification: Specification

    @cached_property
    def file_digests(self) -> Mapping[str, str]:
        """Return the SHA-256 of each of the folder's files by its name, except hidden ones and by-products."""
        return file_digests(self.folder)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the names and contents of these files."""
        return self.digest_of(self.file_digests)

    def digest_of(self, files: Mapping[str, str]) -> str:
        """Return the SHA-256 of the names and contents of some files."""
        return digest_of_files(files)

    @property
    def title(self) -> str:
        """Name the project as messages do."""
        return f"project {self.study_name}"

    @property
    def study_name(self) -> str:
        """Return the recorded name of the study: the project's own name, or its folder's, with the entry point."""
        return f"{self.name or self.folder.name}:{self.entry_point}"

    @property
    def source_name(self) -> str:
        """Return what MLflow shows as the source of a run, as `mlflow run` does."""
        return masked(self.uri)

    @property
    def source_tags(self) -> dict[str, str]:
        """Say where the project is from, for the record."""
        commit = {"rothamsted.project_commit": self.commit} if self.commit else {}
        return {"rothamsted.project": masked(self.uri), **commit}

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Refuse parameters that the command cannot be made of; one that is not declared is added as `--name value`.

        Raises:
            ProjectError: a parameter without default is missing, a URI is none, a path is not there, a value would be
                read by the shell.
        """
        in_quotes = placeholders_in_quotes(self.command)
        texts = _as_texts(parameters)
        try:
            self._entry.compute_parameters(texts, None)
            self._check_paths(texts)
        except MlflowException as error:
            raise ProjectError(f"{self._place}: {one_line(error)}") from None
        for name, declared in self.parameters.items():
            value = str(parameters.get(name, declared.default))
            if name in in_quotes and shlex.quote(value) != value:
                raise ProjectError(
                    f"{self._place}: parameter {name!r} is inside quotes in the command, where a shell would read "
                    f"the value {value!r}; take the quotes around {{{name}}} out of MLproject"
                )

    def command_for(self, parameters: Mapping[str, Any]) -> str:
        """Write the shell command as `mlflow run` makes it: every value quoted, paths made absolute, URIs downloaded.

        Raises:
            ProjectError: as `check`; a path that does not exist, a URI that cannot be downloaded.
        """
        self.check(parameters)
        storage = None
        if any(declared.type == "path" for declared in self.parameters.values()):
            self.cache.mkdir(parents=True, exist_ok=True)
            storage = tempfile.mkdtemp(prefix="parameters-", dir=self.cache)
        try:
            return self._entry.compute_command(_as_texts(parameters), storage)
        except (MlflowException, OSError) as error:
            raise ProjectError(f"{self._place}: {one_line(error)}") from None

    def config_text(self, parameters: Mapping[str, Any]) -> str:
        """Write the parameters of one replicate as JSON, under the names that the entry point has for them."""
        return json.dumps(dict(parameters), indent=2) + "\n"

    def launched(self, parameters: Mapping[str, Any], scratch: Path, prefix: str = "") -> list[str] | str:
        """Return what is started for one replicate: an argument list, or a text for a shell. `scratch` is not used."""
        text = self.command_for(parameters)
        if prefix:
            return f"{prefix} && {text}"
        arguments = argument_list(text)
        return text if arguments is None else arguments

    @property
    def environment(self) -> Environment:
        """Return the environment that its command runs in."""
        return Environment(folder=self.folder, specification=self._specification)

    def check_environment(self, env_manager: str | None = None) -> None:
        """Check as `Environment.check` does."""
        self.environment.check(env_manager)

    def environment_prefix(self, env_manager: str | None = None) -> str:
        """Return what `Environment.prefix` returns."""
        return self.environment.prefix(env_manager)

    # ---- within ----

    @property
    def _place(self) -> str:
        return f"project {str(self.folder)!r}: entry point {self.entry_point!r}"

    def _check_paths(self, texts: Mapping[str, str]) -> None:
        """Refuse a path on this machine that is not there, in MLflow's words; one elsewhere is fetched by a replicate.

        Raises:
            MlflowException: names the parameter.
        """
        for name, declared in self._entry.parameters.items():
            value = texts.get(name, declared.default)
            if declared.type == "path" and value is not None and get_local_path_or_none(str(value)) is not None:
                declared.compute_value(str(value), os.curdir, 0)


def read_project(fetched: Fetched, uri: str, entry_point: str, *, cache: Path) -> Project:
    """Read one entry point of a project that was found or fetched; arguments and errors as in `open_project`."""
    place = f"project {str(fetched.folder)!r}"
    specification = _specification(fetched.folder, place)
    entry = _entry(specification, fetched.folder, entry_point, place)
    parameters = {
        name: ProjectParameter(type=declared.type, default=declared.default)
        for name, declared in entry.parameters.items()
    }
    named = _named(entry, f"{place}: entry point {entry_point!r}")
    return Project(
        uri=uri,
        folder=fetched.folder,
        name=specification.name,
        entry_point=entry_point,
        commit=fetched.commit,
        parameters=parameters,
        command=entry.command,
        not_passed_on=tuple(name for name in parameters if name not in named),
        cache=cache,
        _entry=entry,
        _specification=specification,
    )


def _specification(folder: Path, place: str) -> Specification:
    try:
        found = load_project(str(folder))
    except (MlflowException, OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{place}: {one_line(error)}") from None
    except yaml.YAMLError as error:
        raise ProjectError(f"{place}: MLproject is not YAML: {' '.join(str(error).split())}; correct it") from None
    except (AttributeError, TypeError):
        raise ProjectError(
            f"{place}: MLproject is not of MLflow's form: entry_points must map names to a command and parameters"
        ) from None
    if found.docker_env:
        raise ProjectError(f"{place}: runs in Docker, which is not supported; use one with python_env or conda_env")
    if found.databricks_spark_job_spec is not None:
        raise ProjectError(f"{place}: is a Databricks job, which is not supported; use one with entry_points")
    return found


def _entry(specification: Specification, folder: Path, name: str, place: str) -> EntryPoint:
    names = list(specification._entry_points or {})
    is_script = name not in names and Path(name).suffix in (".py", ".sh", ".R")
    if name not in names and not (is_script and (folder / name).is_file()):
        known = ", ".join(names) or "none"
        raise ProjectError(f"{place}: has no entry point {name!r}; known: {known}; or name a script of the project")
    entry = specification.get_entry_point(name)
    if entry is None:  # MLflow has none for a job of Databricks, which is refused before
        raise ProjectError(f"{place}: has no entry point {name!r}; name another")
    return entry


def _named(entry: EntryPoint, place: str) -> tuple[str, ...]:
    """The parameters that the command names, all of them declared."""
    if not isinstance(entry.command, str) or not entry.command.strip():
        raise ProjectError(f"{place}: has no command in MLproject; write one")
    try:
        named = placeholders(entry.command)
    except ValueError as error:
        raise ProjectError(f"{place}: its command cannot be filled in: {error}; double the braces") from None
    unknown = [name for name in named if name not in entry.parameters]
    if unknown:
        raise ProjectError(
            f"{place}: its command names {{{unknown[0]}}}, which MLproject does not declare; declare the parameter"
        )
    return named


def _as_texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}

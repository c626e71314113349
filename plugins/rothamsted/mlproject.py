"""Read MLproject as MLflow defines it: where it is, its entry points, and which of them are studies.

It needs neither MLflow nor a study.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rothamsted.errors import SpecError, UserError
from rothamsted.yaml_text import load, read_text

FILE_NAME = "MLproject"
PARAMETER_TYPES = ("string", "float", "path", "uri")  # MLflow knows no others
_STUDY_COMMAND = re.compile(r"\s*(\S*/)?python[\d.]*\s+-m\s+projects\.[A-Za-z_]\w*(\s|$)")


class MLprojectError(UserError):
    """Says that an MLproject file is missing, unreadable or not of MLflow's form."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Describes a parameter that an entry point declares.

    Attributes:
        type: one of PARAMETER_TYPES.
        default: as written in the file; None where the parameter must be given.
    """

    type: str = "string"
    default: Any = None


@dataclass(frozen=True, kw_only=True)
class EntryPoint:
    """Describes one entry point: its name, the command that it runs, the parameters that it declares."""

    name: str
    command: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MLproject:
    """Describes an MLproject file."""

    path: Path
    name: str | None
    entry_points: Mapping[str, EntryPoint]


def find_root(start: Path | None = None) -> Path:
    """Find the nearest folder, from `start` (default: the working directory) upward, that holds an MLproject.

    Raises:
        MLprojectError: there is none.
    """
    start = (Path.cwd() if start is None else start).resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise MLprojectError(f"{start}: no file {FILE_NAME} here or in any folder above; go to a project's root")


def find_home(start: Path | None = None) -> Path:
    """Find the nearest folder with an MLproject, else return the start: a foreign project is swept from anywhere."""
    try:
        return find_root(start)
    except MLprojectError:
        return (Path.cwd() if start is None else start).resolve()


def read_mlproject(root: Path) -> MLproject:
    """Read the MLproject in a folder.

    Raises:
        MLprojectError: with the file, the entry point and what is wrong.
    """
    path = root / FILE_NAME
    try:
        raw = load(read_text(path, str(path), way_out="go to a project's root"))
    except SpecError as error:
        raise MLprojectError(str(error)) from None
    except yaml.YAMLError as error:
        raise MLprojectError(f"{path}: is not YAML: {' '.join(str(error).split())}; correct it") from None
    if not isinstance(raw, dict):
        raise MLprojectError(f"{path}: must be a mapping with entry_points, not {raw!r}")
    entries = raw.get("entry_points")
    if not isinstance(entries, dict) or not entries:
        raise MLprojectError(f"{path}: entry_points must be a mapping of names to commands, not {entries!r}")
    return MLproject(
        path=path,
        name=raw.get("name"),
        entry_points={str(name): _entry_point(path, str(name), entry) for name, entry in entries.items()},
    )


def study_commands(root: Path) -> dict[str, str]:
    """Return the entry points that are studies, with their commands: those that run `python -m projects.NAME …`."""
    entries = read_mlproject(root).entry_points.values()
    return {entry.name: entry.command for entry in entries if _STUDY_COMMAND.match(entry.command)}


def _entry_point(path: Path, name: str, raw: Any) -> EntryPoint:
    place = f"{path}: entry_points.{name}"
    if not isinstance(raw, dict):
        raise MLprojectError(f"{place}: must be a mapping with a command, not {raw!r}")
    command = raw.get("command")
    if not isinstance(command, str) or not command.strip():
        raise MLprojectError(f"{place}.command: must be a shell command, not {command!r}; write one")
    parameters = raw.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise MLprojectError(f"{place}.parameters: must be a mapping, not {parameters!r}")
    return EntryPoint(
        name=name,
        command=command.strip(),
        parameters={str(key): _parameter(f"{place}.parameters.{key}", value) for key, value in parameters.items()},
    )


def _parameter(place: str, raw: Any) -> Parameter:
    """A parameter: a mapping with type and default, or the type alone."""
    raw = {"type": raw} if isinstance(raw, str) else raw
    if not isinstance(raw, dict):
        raise MLprojectError(f"{place}: must be {{type: …, default: …}}, not {raw!r}")
    kind = raw.get("type", "string")
    if kind not in PARAMETER_TYPES:
        raise MLprojectError(f"{place}.type: must be one of {', '.join(PARAMETER_TYPES)}, not {kind!r}")
    return Parameter(type=kind, default=raw.get("default"))

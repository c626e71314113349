"""Find what a sweep trains: a study of this project, an entry point of a foreign project, or a command.

All three are described by their parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rothamsted.errors import UserError
from rothamsted.space.values import shortened
from rothamsted.spec.command import SEED, Command, CommandError, read_command
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import PROJECT_EXECUTION_KEYS, STUDY_EXECUTION_KEYS
from rothamsted.suggest import known_names

ENTRY_POINT = "main"  # MLflow's own default
PROJECT_KEYS = ("entry_point", "version", "seed_parameter")
COMMAND = "command"
UNDECLARED = "undeclared"

StudyParameters = Callable[[str], Mapping[str, Any] | None]  # study -> {dotted parameter: its type}
ProjectParameters = Callable[[str, str, str | None], Mapping[str, Any] | None]

_GIT_URI = re.compile(r"[^/]*:")  # MLflow's own rule: a path has no colon before its first slash


@dataclass(frozen=True, kw_only=True)
class Target:
    """Describes what is trained.

    Attributes:
        label: its name in errors.
        parameters: dotted parameter -> its type; None: not known.
        is_open: it is a foreign project or a command; its parameters have no binding types.
        takes_all: it takes parameters that it does not declare: a project that declares none, or a command with
            {parameters}.
        undeclared: parameters that need not be declared, as the file says.
        seed_parameter: the parameter that comes from the replicates.
        is_command: it is a command.
        aliases: other names of parameters -> their own.
    """

    label: str
    parameters: Mapping[str, Any]
    is_open: bool = False
    takes_all: bool = False
    undeclared: frozenset[str] = frozenset()
    seed_parameter: str | None = "seed"
    is_command: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str) -> bool:
        """Return whether it takes a parameter."""
        return name in self.parameters or self.takes_all or name in self.undeclared

    def refusal(self, name: str) -> str:
        """Say why a parameter is refused, with the way out."""
        others = known_names(name, (other for other in self.parameters if other != self.seed_parameter))
        if self.is_command:
            return f"is not passed on by {self.label}; write --{name} {{{name}}} or {{parameters}} in it"
        way = f"; to pass it on as --{name} VALUE all the same, add undeclared: [{name}]"
        kind = f"is not a parameter that {self.label} declares; {others}{way}"
        return kind if self.is_open else f"is not a parameter of {self.label}; {others}"


def find_target(
    document: Document,
    parameter_names: StudyParameters,
    known_studies: Iterable[str],
    project_parameters: ProjectParameters | None,
    aliases_of: Callable[[str], Mapping[str, str]] = lambda study: {},
) -> Target:
    """Find the study, the foreign project or the command of a sweep file.

    Raises:
        SpecError: the file names none or several, or one that does not exist, or has a key that does not go with it.
    """
    given = [key for key in ("study", "project", COMMAND) if document.data.get(key) is not None]
    if len(given) > 1:
        raise document.error((given[1],), f"cannot be given with {given[0]}; give one of the two")
    if given == [COMMAND]:
        return _command_target(document)
    if document.data.get("project") is None:
        _check_study_keys(document)
        study, names = _find_study(document, parameter_names, known_studies)
        return Target(label=f"study '{study}'", parameters=names, aliases=aliases_of(study))
    _check_project_keys(document)
    project: str = document.data["project"]
    if project_parameters is None:
        raise document.error(("project",), "a foreign project cannot be swept from here; give study: NAME")
    entry_point: str = document.data.get("entry_point") or ENTRY_POINT
    try:
        names = project_parameters(project, entry_point, document.data.get("version"))
    except UserError as error:
        raise document.error(("project",), str(error)) from None
    if names is None:
        reason = f"project {project} has no entry point {entry_point!r}; give one that its MLproject has"
        raise document.error(("entry_point",), reason)
    target = Target(
        label=f"project '{project}'",
        parameters=names,
        is_open=True,
        takes_all=not names,
        undeclared=_undeclared(document),
        seed_parameter=document.data.get("seed_parameter"),
    )
    if target.seed_parameter is not None and not target.takes(target.seed_parameter):
        raise document.error(("seed_parameter",), f"{target.seed_parameter!r} {target.refusal(target.seed_parameter)}")
    return target


def with_command_defaults(document: Document) -> Document:
    """Return the document of a command in one line, with the script's name, and `seed_parameter` if it passes a seed.

    Raises:
        SpecError: the command cannot be read.
    """
    if document.data.get(COMMAND) is None:
        return document
    command = _read(document)
    found = {"name": command.name, **({"seed_parameter": SEED} if command.passes_seed(SEED) else {})}
    missing = {key: value for key, value in found.items() if document.data.get(key) is None}
    data = {**document.data, **missing, COMMAND: command.text}
    return Document(source=document.source, data=data, places=document.places)


def _command_target(document: Document) -> Target:
    _check_foreign_keys(document, "a command")
    for path in [(key,) for key in ("entry_point", "version", UNDECLARED) if document.data.get(key) is not None]:
        raise document.error(path, "is only for project; remove it")
    if (document.data.get("execution") or {}).get("env_manager") not in (None, "local"):
        reason = "is only for project: a command runs in the environment that is there; remove it"
        raise document.error(("execution", "env_manager"), reason)
    command, seed = _read(document), document.data.get("seed_parameter")
    if seed is not None and not command.passes_seed(seed):
        reason = f"{seed!r} is not passed on by the command; write --{seed} {{seed}} or {{parameters}} in it"
        raise document.error(("seed_parameter",), reason)
    return Target(
        label="the command",
        parameters=dict.fromkeys(sorted(command.names | ({seed} if seed is not None else set()))),
        is_open=True,
        takes_all=command.passes_all,
        seed_parameter=seed,
        is_command=True,
    )


def _read(document: Document) -> Command:
    text = document.data[COMMAND]
    if not isinstance(text, str):
        raise document.error((COMMAND,), f"must be a command such as python train.py {{parameters}}, not {text!r}")
    try:
        return read_command(text)
    except CommandError as error:
        raise document.error((COMMAND,), str(error)) from None


def _undeclared(document: Document) -> frozenset[str]:
    raw = document.data.get(UNDECLARED) or []
    if not isinstance(raw, (list, tuple)) or not all(isinstance(name, str) and name for name in raw):
        raise document.error((UNDECLARED,), f"must be a list of names of parameters, not {shortened(raw)}")
    return frozenset(raw)


def with_entry_point(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of a sweep file with the default entry point of a foreign project."""
    if data.get("project") is None or data.get("entry_point") is not None:
        return dict(data)
    return {**data, "entry_point": ENTRY_POINT}


def _find_study(
    document: Document, parameter_names: StudyParameters, known_studies: Iterable[str]
) -> tuple[str, Mapping[str, Any]]:
    study = document.data.get("study")
    if not isinstance(study, str) or not study:
        reason = "is missing" if study is None else f"must be the name of a study, not {study!r}"
        raise document.error(("study",), f"{reason}; {known_names('', known_studies)}")
    try:
        names = parameter_names(study)
    except UserError as error:
        raise document.error(("study",), str(error)) from None
    if names is None:
        raise document.error(("study",), f"there is no study '{study}'; {known_names(study, known_studies)}")
    return study, names


def _check_study_keys(document: Document) -> None:
    execution = document.data.get("execution")
    below = execution if isinstance(execution, Mapping) else {}
    given: list[KeyPath] = [(key,) for key in (*PROJECT_KEYS, UNDECLARED) if document.data.get(key) is not None]
    given += [("execution", key) for key in PROJECT_EXECUTION_KEYS if below.get(key) is not None]
    given += [(*path, "artifact") for path, one in _objectives(document) if one.get("artifact") is not None]
    for path in given:
        raise document.error(path, "is only for project or command: a study is trained in the worker itself; remove it")


def _check_project_keys(document: Document) -> None:
    data = document.data
    for key in ("project", *PROJECT_KEYS):
        value = data.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise document.error((key,), f"must be text, not {shortened(value)}; quote it")
    if data.get("version") is not None and not _GIT_URI.match(data["project"]):
        reason = f"{data['version']!r} is a ref of git, and project {data['project']!r} is a folder; remove version"
        raise document.error(("version",), reason)
    _check_foreign_keys(document, "a foreign project")


def _check_foreign_keys(document: Document, who: str) -> None:
    """Refuse what goes only with a study; `who` is what is trained in its place."""
    data = document.data
    seed = data.get("seed_parameter")
    if seed is not None and (not isinstance(seed, str) or not seed):
        raise document.error(("seed_parameter",), f"must be text, not {seed!r}; quote it")
    for key, what in (("models", "logs no models with the engine"), ("promote", "has no model to promote")):
        if data.get(key) is not None:
            raise document.error((key,), f"is only for study: {who} {what}; remove it")
    execution = data.get("execution")
    below = execution if isinstance(execution, Mapping) else {}
    for key in STUDY_EXECUTION_KEYS:
        if below.get(key) is not None:
            raise document.error(("execution", key), f"is only for study: {who} keeps its own; remove it")
    population = below.get("population")
    if population == "auto" or (isinstance(population, int) and population > 1):
        reason = f"{population} is only for study: a foreign process trains one replicate; remove it"
        raise document.error(("execution", "population"), reason)
    stages = data.get("stages")
    for n, stage in enumerate(stages if isinstance(stages, list) else []):
        if isinstance(stage, Mapping) and stage.get("resume") is True:
            reason = "true is only for study: a foreign process has no checkpoints of the engine; give false or auto"
            raise document.error(("stages", n, "resume"), reason)


def _objectives(document: Document) -> list[tuple[KeyPath, Mapping[str, Any]]]:
    raw = document.data.get("objective")
    if isinstance(raw, Mapping):
        return [(("objective",), raw)]
    several = raw if isinstance(raw, list) else []
    return [(("objective", n), one) for n, one in enumerate(several) if isinstance(one, Mapping)]

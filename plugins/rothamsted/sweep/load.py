"""From a sweep file to a sweep and its study: the schema asks the study which parameters there are.

Apart because `spec` knows no study and `study` knows no sweep file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import UserError
from rothamsted.mlproject import study_commands
from rothamsted.spec import Sweep, comment, load_sweep
from rothamsted.study import Study, field_types, load_study, set_fields


def load(path: str | Path, overrides: Mapping[str, str], root: Path) -> tuple[Sweep, Study]:
    """Read and check a sweep file of the project at `root`; also its study.

    Raises:
        SpecError: the file, an override, or a condition that the study refuses.
        StudyError: the study cannot be imported.
    """
    commands = study_commands(root)
    studies: dict[str, Study] = {}

    def study_of(name: str) -> Study:
        if name not in studies:
            studies[name] = load_study(commands[name], root)
        return studies[name]

    def parameter_names(name: str) -> Mapping[str, Any] | None:
        return field_types(study_of(name).config) if name in commands else None

    def check_condition(name: str, flat: Mapping[str, Any]) -> None:
        set_fields(study_of(name).config, flat)

    sweep = load_sweep(
        path,
        overrides,
        parameter_names=parameter_names,
        check_condition=check_condition,
        known_studies=sorted(commands),
    )
    return sweep, study_of(sweep.study)


def find_study(name: str, root: Path) -> Study:
    """The study behind an entry point of MLproject.

    Raises:
        UserError: there is no such entry point, or it is no study.
    """
    commands = study_commands(root)
    if name not in commands:
        raise UserError(
            f"study '{name}' is not an entry point of {root / 'MLproject'} that runs python -m projects.NAME; "
            f"known: {', '.join(sorted(commands)) or 'none'}"
        )
    return load_study(commands[name], root)


def opening_comment(path: Path) -> str:
    """The comment that a sweep file opens with: its question, cost, expected result and source."""
    return comment.opening_comment(path.read_text(encoding="utf-8"))

"""Finds a study through the command of its MLproject entry point: `python -m projects.NAME ...`.

It is apart because it is the one place where the engine imports a study, so that no other names one.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path

from rothamsted.errors import StudyError
from rothamsted.studies.contract import Study

_COMMAND = re.compile(r"(?:^|\s)\S*python[\d.]*\s+(?:-[A-Za-ln-z]+\s+)*-m\s+(?P<module>[A-Za-z_][\w.]*)")


def study_module(command: str) -> str | None:
    """The module of a command `python -m MODULE ...`, or None if the command is not of that form."""
    found = _COMMAND.search(command)
    return found["module"] if found else None


def load_study(command: str, root: Path) -> Study:
    """Import the study behind an entry point's command.

    Args:
        command: the entry point's command in MLproject.
        root: the project's root, from which the command would run. It is put on `sys.path`.

    Returns:
        The object `STUDY` of the module's `__main__`.

    Raises:
        StudyError: the command is of another form, or the module is missing, outside the root, broken,
            or has no `STUDY`.
    """
    place = f"entry point command {command!r}"
    module = study_module(command)
    if module is None:
        raise StudyError(f"{place}: a study's command must be 'python -m projects.NAME ...'; write it so in MLproject")
    root = root.resolve()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    name = f"{module}.__main__"
    _check_place(place, name, module, root)
    try:
        found = getattr(importlib.import_module(name), "STUDY", None)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"{place}: importing {name} raised {type(error).__name__}: {error}; mend that first"
        ) from error
    if not isinstance(found, Study):
        raise StudyError(f"{place}: {name} has no STUDY of the type Study, but {found!r}; write STUDY = Study(...)")
    return found


def _check_place(place: str, name: str, module: str, root: Path) -> None:
    """Look before importing: a module outside the root is somebody else's program, not a study."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        spec = None
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"{place}: importing {module} raised {type(error).__name__}: {error}; mend that first"
        ) from error
    if spec is None or spec.origin is None:
        expected = root.joinpath(*module.split("."), "__main__.py")
        raise StudyError(f"{place}: there is no {name} under {root}; add {expected}")
    if not Path(spec.origin).resolve().is_relative_to(root):
        raise StudyError(f"{place}: {name} is {spec.origin}, outside {root}; a study lies in its project's root")

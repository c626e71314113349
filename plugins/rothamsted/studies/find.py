"""Find a study: a function, `train.py:train`, or an entry point of MLproject that runs `python -m projects.NAME`.

The engine imports studies only here.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from rothamsted.errors import StudyError, UserError, raised
from rothamsted.mlproject import study_commands
from rothamsted.named_files import is_file
from rothamsted.studies.contract import Study
from rothamsted.studies.function import as_study
from rothamsted.studies.scripts import import_script
from rothamsted.suggest import known_names

_COMMAND = re.compile(r"(?:^|\s)\S*python[\d.]*\s+(?:-[A-Za-ln-z]+\s+)*-m\s+(?P<module>[A-Za-z_][\w.]*)")


def find(target: str | Callable[..., Any], root: Path) -> Study:
    """Find the study that a sweep file, a command or a call names.

    Args:
        target: a function or a study; `train.py:train`, or `train.py` with one study in it; an entry point.
        root: of the project: paths are from there, or from the working directory; entry points are of its MLproject.

    Raises:
        UserError: there is none, or it cannot be imported.

    Example:
        >>> find(lambda seed, x=0.0: x, Path()).name
        'function'
    """
    if not isinstance(target, str):
        return as_study(target)
    if is_script(target):
        return _of_script(target, root)
    commands = study_commands(root)
    if target not in commands:
        raise UserError(
            f"study '{target}' is not an entry point of {root / 'MLproject'} that runs python -m projects.NAME, and no "
            f"script such as train.py:train; {known_names(target, sorted(commands))}"
        )
    return load_study(commands[target], root)


def is_script(target: str) -> bool:
    """Say whether a target is a script's function, not an entry point."""
    return ":" in target or target.endswith(".py")


def _of_script(target: str, root: Path) -> Study:
    text, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    if not text:
        return _of_cell(name)
    module, path = _module_of(text, root)
    if name:
        if (found := getattr(module, name, None)) is None:
            raise StudyError(f"{path}: has no {name!r}; {known_names(name, _functions(module))}")
        if not isinstance(found, Study) and not callable(found):
            raise StudyError(f"{path}: {name} must be a function, not {found!r}; name another")
        return as_study(found)
    return _only_study(module, path)


def _of_cell(name: str) -> Study:
    """The function of this name in the notebook, or at the prompt, that asks."""
    main = sys.modules.get("__main__")
    found = getattr(main, name, None) if getattr(main, "__file__", None) is None else None
    if not isinstance(found, (FunctionType, Study)):
        raise StudyError(
            f"study ':{name}': is a function of a notebook or a prompt, and no file holds it; "
            f"run the cell that defines {name}, or put it in a file and name that: train.py:train"
        )
    return as_study(found)


def _module_of(text: str, root: Path) -> tuple[ModuleType, str]:
    """The module of a script or, where the text does not end in .py, of a package; and what errors call it."""
    if text.endswith(".py"):
        path = root / text if is_file(root / text) else Path(text)
        return import_script(path), str(path)
    try:
        return importlib.import_module(text), text
    except ImportError as error:
        raise StudyError(
            f"study {text}:...: cannot be imported ({error}); name a script, train.py:train, or a module that is found"
        ) from error


def _functions(module: ModuleType) -> list[str]:
    """The functions and studies that a script defines."""
    own = (FunctionType, Study)
    is_own = {
        n: isinstance(v, own) and getattr(v, "__module__", "") == module.__name__ for n, v in vars(module).items()
    }
    return sorted(name for name, yes in is_own.items() if yes)


def _only_study(module: ModuleType, place: str) -> Study:
    """The one study of a module.

    Raises:
        StudyError: it has none, or several.
    """
    found = {id(value): (name, value) for name, value in vars(module).items() if isinstance(value, Study)}
    if len(found) == 1:
        return next(iter(found.values()))[1]
    names = sorted(name for name, _ in found.values())
    if names:
        raise StudyError(f"{place}: has {len(names)} studies: {', '.join(names)}; name one: {place}:{names[0]}")
    raise StudyError(f"{place}: has no study; write @study above a function, or name one: {place}:train")


def study_module(command: str) -> str | None:
    """Return the module of a command `python -m MODULE ...`, or None if the command is not of that form."""
    found = _COMMAND.search(command)
    return found["module"] if found else None


def load_study(command: str, root: Path) -> Study:
    """Import the study behind an entry point's command.

    Args:
        command: the entry point's command in MLproject.
        root: the project's root, from which the command would run. It is put on `sys.path`.

    Returns:
        The object `STUDY` of the module's `__main__`, or the one study there.

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
        loaded = importlib.import_module(name)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{place}: importing {name} raised {raised(error)}; correct that first") from error
    found = getattr(loaded, "STUDY", None)
    if found is None and any(isinstance(value, Study) for value in vars(loaded).values()):
        return _only_study(loaded, name)
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
        raise StudyError(f"{place}: importing {module} raised {raised(error)}; correct that first") from error
    if spec is None or spec.origin is None:
        expected = root.joinpath(*module.split("."), "__main__.py")
        raise StudyError(f"{place}: there is no {name} under {root}; add {expected}")
    if not Path(spec.origin).resolve().is_relative_to(root):
        raise StudyError(f"{place}: {name} is {spec.origin}, outside {root}; a study lies in its project's root")

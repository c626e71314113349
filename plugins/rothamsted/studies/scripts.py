"""Import a script by its path, as a module, without running its `train.main()`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from rothamsted.errors import StudyError, UserError, raised
from rothamsted.named_files import is_file

_imported: set[str] = set()


def is_script_module(name: str) -> bool:
    """Say whether a module was imported by its path: by its name another process may not find it."""
    return name in _imported


def import_script(path: Path) -> ModuleType:
    """Import the module of a script once.

    Raises:
        StudyError: it is not there, or raises.
    """
    path = path.resolve()
    if not is_file(path):
        raise StudyError(f"{path}: there is no such script; give the path of one, such as train.py:train")
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module  # also where it is the program that runs
    spec = importlib.util.spec_from_file_location(_module_name(path), path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{path}: is not a Python file; its name must end in .py")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # as when it is run
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    _imported.add(spec.name)
    try:
        spec.loader.exec_module(module)
    except UserError:
        del sys.modules[spec.name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise StudyError(
            f"{path}: importing it raised {raised(error)}{_at(error, path)}; "
            'what is not a definition belongs below if __name__ == "__main__":'
        ) from error
    return module


def _module_name(path: Path) -> str:
    """Its own name, as `import` would call it, unless another module has that."""
    name = path.stem
    if name.isidentifier() and name not in sys.modules and name not in sys.stdlib_module_names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin == str(path):
            return name
    return f"script_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"


def _at(error: BaseException, path: Path) -> str:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""

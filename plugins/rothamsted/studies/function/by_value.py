"""Give a function to the workers: pickled with what a script or a notebook defines, by name from a module.

So a worker needs neither the script nor the notebook, and nothing runs twice. Globals are pickled once, with the
function.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rothamsted.errors import StudyError, raised
from rothamsted.studies.atomic import write_atomically
from rothamsted.studies.contract import Study
from rothamsted.studies.function.signature import types_of
from rothamsted.studies.function.source import used_globals
from rothamsted.studies.scripts import is_script_module

FILE = "function.pkl"
_here: dict[str, Study] = {}  # for workers in threads of this process: the very function


@contextmanager
def given_to_workers(study: Any, folder: Path, *, is_here: bool) -> Iterator[str | None]:
    """Yield what a worker reads with `read_function`; None if it finds the study by its name or its script.

    Args:
        study: what is trained.
        folder: where the function lies while this is open.
        is_here: workers are threads of this process.

    Raises:
        StudyError: names what cannot be pickled.
    """
    function = study.function if isinstance(study, Study) else None
    if function is None or is_script_module(getattr(function.call, "__module__", "") or ""):
        yield None
        return
    path = folder / FILE
    if is_here:
        _here[str(path)] = study
    else:
        write_atomically(path, pickle.dumps((sys.path, function.pickled())))
    try:
        yield str(path)
    finally:
        _here.pop(str(path), None)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # checkpoints are there
            folder.rmdir()


def read_function(path: str) -> Study:
    """Read the study that a worker was given.

    Raises:
        StudyError: a module that it uses is not here, or the file is gone.
    """
    from rothamsted.studies.function.made import study

    if path in _here:
        return _here[path]
    try:
        places, content = pickle.loads(Path(path).read_bytes())
        sys.path.extend(place for place in places if place not in sys.path)
        function, declared, types = pickle.loads(content)
        for one, hints in types:
            one.__annotations__ = hints
    except Exception as error:
        raise StudyError(
            f"the study's function cannot be read by a worker: {raised(error)}; "
            "a module that it uses must be found there, too"
        ) from error
    return study(**declared)(function)


def pickled_function(function: Callable[..., Any], declared: Mapping[str, Any]) -> bytes:
    """Pickle the function, what it uses, and the arguments of `study` that it was made with.

    Raises:
        StudyError: names the global that cannot be pickled.
    """
    import cloudpickle

    try:
        return cloudpickle.dumps((function, dict(declared), types_of(function)), protocol=5)
    except Exception as error:
        raise StudyError(f"study {declared['name']!r}: {_unpicklable(function, error)}") from error


def _unpicklable(function: Any, error: Exception) -> str:
    import cloudpickle

    for name, value in used_globals(function).items():
        try:
            cloudpickle.dumps(value, protocol=5)
        except Exception as own:
            return (
                f"the workers cannot be given {name}, a value of type {type(value).__name__} that it uses "
                f"({raised(own)[:200]}); make it inside the function, or give execution: {{executor: in_process}}"
            )
    return f"cannot be sent to the workers ({raised(error)[:200]}); make what it needs inside the function"

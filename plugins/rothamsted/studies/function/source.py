"""Find where a function is defined, and compute a digest of its source and of what it calls."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_CONSTANTS = (bool, int, float, str, bytes, type(None))
_INSTALLED = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})


def target_of_function(function: Callable[..., Any]) -> str:
    """Name the function as a sweep file does: train.py:train, from the working directory if it lies below it.

    Of a package it is package.module:train. A name after a colon alone stands for a function that no file holds under
    its name: a notebook's, or one made inside another.
    """
    inner = plain_function(function)
    path = source_file(inner)
    name = getattr(inner, "__qualname__", "")
    if path is None or not name.isidentifier():
        return f":{name.rpartition('.')[2] or 'function'}"
    module = sys.modules[inner.__module__]
    if getattr(module, "__package__", "") and module.__name__ != "__main__":
        return f"{module.__name__}:{name}"
    here = Path.cwd()
    return f"{path.relative_to(here).as_posix() if path.is_relative_to(here) else path}:{name}"


def source_file(function: Any) -> Path | None:
    """Find the file that holds a function; None: a notebook or a prompt does."""
    code = getattr(plain_function(function), "__code__", None)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    named = getattr(module, "__file__", None)
    if code is None or named is None or "ipykernel" in code.co_filename:
        return None
    path = Path(code.co_filename).resolve()
    return path if path.is_file() else None


def digest_of_function(function: Callable[..., Any]) -> str:
    """Return the SHA-256, in hex, of the source of a function and of the functions, classes and constants that it uses.

    What is installed as a package is not followed, nor what globals hold beside constants.
    """
    digest = hashlib.sha256()
    for name, text in sorted(_used(function)):
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()


def plain_function(function: Any) -> Any:
    """Find the function within partial objects, decorators and objects that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if inspect.isroutine(function) else type(function).__call__


def used_globals(function: Any) -> dict[str, Any]:
    """Return the globals and the closure's variables that a function names, and their values."""
    inner = plain_function(function)
    if not isinstance(inner, FunctionType):
        return {}
    found = {name: inner.__globals__[name] for name in _names(inner.__code__) if name in inner.__globals__}
    for name, cell in zip(inner.__code__.co_freevars, inner.__closure__ or ()):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return found


def _used(function: Any) -> set[tuple[str, str]]:
    """(name, source) of all that a function uses, itself among them."""
    found: set[tuple[str, str]] = set()
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", function)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, _CONSTANTS) or (
            isinstance(value, tuple) and all(isinstance(v, _CONSTANTS) for v in value)
        ):
            found.add((name, repr(value)))
            continue
        value = getattr(value, "__wrapped__", value)
        if id(value) in seen or not _is_own(value):
            continue
        seen.add(id(value))
        text = _source(value)
        found.add((name if isinstance(value, ModuleType) else getattr(value, "__qualname__", name), text))
        waiting.extend(_inner(value))
    return found


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, type):
        for member in vars(value).values():
            yield from used_globals(member).items() if isinstance(member, FunctionType) else ()
    elif not isinstance(value, ModuleType):
        yield from used_globals(value).items()


def _is_own(value: Any) -> bool:
    """Whether it is source of the user: a function, a class or a module that is not installed."""
    if isinstance(value, ModuleType):
        path = getattr(value, "__file__", None)
    elif isinstance(value, type) or callable(value):
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        path = getattr(module, "__file__", None) or ("" if getattr(module, "__name__", "") == "__main__" else None)
    else:
        return False
    return path is not None and not path.startswith(_INSTALLED) and not path.startswith(_ENGINE)


def _source(value: Any) -> str:
    if isinstance(value, ModuleType):
        return Path(str(value.__file__)).read_text(encoding="utf-8", errors="replace")
    try:
        return inspect.getsource(value if isinstance(value, type) else plain_function(value))
    except (OSError, TypeError):  # typed at a prompt: its bytecode stands for it
        code = getattr(plain_function(value), "__code__", None)
        return code.co_code.hex() + repr(_plain_constants(code)) if code is not None else repr(type(value))


def _plain_constants(code: CodeType) -> list[Any]:
    return [one for one in code.co_consts if isinstance(one, _CONSTANTS)]


def _names(code: CodeType) -> set[str]:
    """Names that code and the code inside it use."""
    found = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, CodeType):
            found |= _names(one)
    return found


_ENGINE = str(Path(__file__).parents[2])

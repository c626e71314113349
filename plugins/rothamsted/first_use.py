"""Import the names of a package at their first use, so that importing the package is quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def at_first_use(
    package: str, homes: Mapping[str, str], names: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose names lie in its modules (PEP 562).

    Args:
        package: its `__name__`.
        homes: name -> the module below the package that has it. No name may be that of a module of the package.
        names: its `globals()`, which keep what was imported.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = names[name] = getattr(import_module(f"{package}.{homes[name]}"), name)
        return value

    return get, lambda: sorted({*names, *homes})

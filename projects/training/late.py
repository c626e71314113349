"""Import the libraries of a training when it starts, so that a study's --help is quick."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from importlib import import_module
from typing import Any


def imported_late(module: str) -> Callable[..., Generator[Any, None, list[Any]]]:
    """Return the `train` of a module, which is imported when the first measurement is asked for.

    Args:
        module: "projects.batch_size.train".
    """

    def train(configs: Sequence[Any], state: Mapping[str, Any] | None = None) -> Generator[Any, None, list[Any]]:
        return (yield from import_module(module).train(configs, state))

    return train

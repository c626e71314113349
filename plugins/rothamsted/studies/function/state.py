"""Turn the state that a function reports into arrays of a checkpoint, and back.

A state is pickled as a whole, so that shared parts stay shared: an optimizer has the parameters of its net. It includes
the states of the random generators.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

import numpy as np

from rothamsted.errors import StudyError, raised
from rothamsted.studies.function.seeding import generator_states, restore_generators

_KEY = "pickle"


def packed(state: Any, *, step: int, place: str) -> dict[str, np.ndarray]:
    """Return a state as a checkpoint keeps it, with the generators' states now.

    Args:
        state: a mapping, or a function that gives one.
        step: at which it was reported.
        place: the function, as errors call it.

    Raises:
        StudyError: it is no mapping, or names the item that cannot be stored.
    """
    found = state() if callable(state) else state
    if not isinstance(found, Mapping):
        raise StudyError(
            f"{place}: state must be a mapping of names to values, not {type(found).__name__}; "
            'report state={"net": ..., "epoch": ...}'
        )
    whole = {"state": dict(found), "generators": generator_states(), "step": step}
    try:
        content = _pickled(whole)
    except Exception as error:
        raise StudyError(f"{place}: {_unstorable(found, error)}") from error
    return {_KEY: np.frombuffer(content, np.uint8)}


def unpacked(arrays: Mapping[str, np.ndarray], place: str) -> tuple[RestoredState, int]:
    """Return the state that a checkpoint holds, and the step that it is of.

    Raises:
        StudyError: its classes are not there any more.
    """
    try:
        whole = pickle.loads(arrays[_KEY].tobytes())
    except Exception as error:
        raise StudyError(
            f"{place}: its checkpoint cannot be read: {raised(error)}; remove the checkpoint to start again"
        ) from error
    return RestoredState(whole["state"], lambda: restore_generators(whole["generators"])), int(whole["step"])


@final
class RestoredState(Mapping[str, Any]):
    """Holds a state to go on from.

    Until training goes on, reading an item sets the generators back to where they were.
    """

    def __init__(self, items: Mapping[str, Any], restore: Callable[[], None]) -> None:
        self._items, self._restore, self._is_over = items, restore, False

    def __getitem__(self, name: str) -> Any:
        if not self._is_over:
            self._restore()
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def go_on(self) -> None:
        """Note that training has measured again: from now on a read is only a read."""
        self._is_over = True


def _pickled(value: Any) -> bytes:
    import cloudpickle  # also what a script or a notebook defines

    return cloudpickle.dumps(value, protocol=5)


def _unstorable(state: Mapping[str, Any], error: Exception) -> str:
    """The first item that cannot be pickled, with the reason."""
    for name, value in state.items():
        try:
            _pickled(value)
        except Exception as own:
            return (
                f"state[{name!r}] is of type {type(value).__name__} and cannot be stored ({raised(own)[:200]}); "
                "give arrays, tensors, state_dict() or plain values, and make the rest again"
            )
    return f"its state cannot be stored ({raised(error)[:200]}); give arrays, tensors, state_dict() or plain values"

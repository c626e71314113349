"""Check states of trainings as flat arrays, and keep the weights for the models of members."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KEPT = "kept/"  # begins the names of the weights that the models get

Kept = dict[int, dict[str, np.ndarray]]  # member -> the parameters that its model gets, named as in its state


def keep(arrays: Mapping[str, np.ndarray], kept: Kept, mask: np.ndarray) -> None:
    """Keep the present parameters for the models of some members.

    Args:
        arrays: The state as it is now; every array below parameters/ has a leading member axis.
        kept: What each member has kept so far; changed in place.
        mask: Which members, (member,) bool.
    """
    for member in np.flatnonzero(mask).tolist():
        kept[member] = {name: arrays[name][member] for name in arrays if name.startswith("parameters/")}


def kept_in(state: Mapping[str, np.ndarray]) -> Kept:
    """Return what members had kept when a state was taken."""
    kept: Kept = {}
    for name in (name for name in state if name.startswith(KEPT)):
        member, parameter = name.removeprefix(KEPT).split("/", 1)
        kept.setdefault(int(member), {})[parameter] = state[name]
    return kept


def held(kept: Kept) -> dict[str, np.ndarray]:
    """Return what members have kept, as part of a state; `kept_in` reads it."""
    return {f"{KEPT}{member}/{name}": array for member, own in kept.items() for name, array in own.items()}


def without_kept(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a state without the weights that models get."""
    return {name: array for name, array in state.items() if not name.startswith(KEPT)}


def check_fits(state: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], *, owner: str, has: str) -> None:
    """Refuse a state of another training.

    Args:
        state: The state to go on from, without what is kept.
        expected: The state at step 0 of the same training, which gives names, shapes and types.
        owner: Whose state it should be, for the error: "this model".
        has: And what an array of it is like: "this model has".

    Raises:
        ValueError: An array is missing, left over, or has another shape or type.
    """
    if set(state) != set(expected):
        names = ", ".join(sorted(set(state) ^ set(expected)))
        raise ValueError(f"state: has other arrays than {owner} ({names}); start without a state")
    for name, array in expected.items():
        found = np.asarray(state[name])
        if (found.shape, found.dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"state: {name} is {found.dtype}{list(found.shape)} where {has} "
                f"{array.dtype}{list(array.shape)}; start without a state"
            )

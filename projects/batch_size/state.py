"""A population as a flat dictionary of arrays and back: what a checkpoint holds.

Apart so that the training loop does not know how its state is spelled. Every array but `step` has a leading
member axis, also for one member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from projects.batch_size.program import Members, Origin


class Progress(NamedTuple):
    """A population right after a measurement."""

    step: int
    members: Members
    origin: Origin  # what a centred model subtracts
    diverged: np.ndarray  # (member,) bool
    steps_to_target: np.ndarray  # (member,) steps; NaN where the target loss has not been reached


Kept = dict[int, dict[str, np.ndarray]]  # member -> the parameters that its model gets, named as in `flat_state`
KEPT = "kept/"


def keep(progress: Progress, kept: Kept, mask: np.ndarray) -> None:
    """Let the models of some members have the parameters as they are now."""
    arrays = flat_state(progress, {})
    for member in np.flatnonzero(mask).tolist():
        kept[member] = {name: arrays[name][member] for name in arrays if name.startswith("parameters/")}


def kept_in(state: Mapping[str, np.ndarray]) -> Kept:
    """What had been kept where a state of `flat_state` was taken."""
    kept: Kept = {}
    for name in (name for name in state if name.startswith(KEPT)):
        member, parameter = name.removeprefix(KEPT).split("/", 1)
        kept.setdefault(int(member), {})[parameter] = state[name]
    return kept


def flat_state(progress: Progress, kept: Kept) -> dict[str, np.ndarray]:
    """The arrays from which training goes on bit for bit, and those that are kept for the models."""
    n_members = len(progress.diverged)
    state = {
        "step": np.asarray(progress.step, np.int64),
        "diverged": progress.diverged.copy(),
        "steps_to_target": progress.steps_to_target.copy(),
    }
    for name, leaf in _named_leaves(progress).items():
        array = np.array(leaf)
        state[name] = array if n_members > 1 else array[None]
    held = {f"{KEPT}{member}/{name}": array for member, own in kept.items() for name, array in own.items()}
    return state | held


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """The population that `flat_state` wrote down; outputs at theta_0 are left to be computed again.

    Args:
        start: The same population at step 0, which gives names, shapes and types.
        state: From `flat_state`.

    Raises:
        ValueError: The state is of another population: an array is missing, left over, or has another shape
            or type.
    """
    expected = flat_state(start, {})
    state = {name: array for name, array in state.items() if not name.startswith(KEPT)}
    if set(state) != set(expected):
        names = ", ".join(sorted(set(state) ^ set(expected)))
        raise ValueError(f"state: has other arrays than this population ({names}); start without a state")
    for name, array in expected.items():
        found = state[name]
        if (found.shape, found.dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"state: {name} is {found.dtype}{list(found.shape)} where these configs have "
                f"{array.dtype}{list(array.shape)}; start without a state"
            )
    n_members = len(start.diverged)
    leaves = [state[name] if n_members > 1 else state[name][0] for name in _named_leaves(start)]
    shape = jax.tree.structure((start.members, start.origin.parameters))
    members, origin = jax.tree.unflatten(shape, leaves)
    return Progress(
        int(state["step"]),
        members,
        Origin(origin, None),
        state["diverged"].copy(),
        state["steps_to_target"].copy(),
    )


def _named_leaves(progress: Progress) -> dict[str, Any]:
    """Leaves by path, in the order in which JAX flattens them: parameters, optimiser state, theta_0."""
    trees = {"parameters": progress.members.parameters, "optimizer": progress.members.optimizer}
    leaves = {}
    for tree_name, tree in {**trees, "origin": progress.origin.parameters}.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            leaves[f"{tree_name}/{jax.tree_util.keystr(path, simple=True, separator='/')}"] = leaf
    return leaves

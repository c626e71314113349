"""A population as a flat dictionary of arrays and back: what a checkpoint holds.

Apart so that the training loop does not know how its state is spelled. Every array but `step` has a leading
member axis, also for one member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from projects.global_workspace.program import Members


class Progress(NamedTuple):
    """A population right after a measurement."""

    step: int
    members: Members
    diverged: np.ndarray  # (member,) bool
    best_loss: np.ndarray  # (member,) lowest validation loss measured after the first update; NaN before


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


def with_kept(now: Progress, kept: Kept) -> Progress:
    """The population with the parameters that its models get in place of the last ones."""
    if not kept:
        return now
    arrays, is_alone = flat_state(now, {}), len(now.diverged) == 1
    leaves = []
    for name in _named_leaves(now.members):
        array = arrays[name].copy()
        for member, own in kept.items():
            if name in own:
                array[member] = own[name]
        leaves.append(array[0] if is_alone else array)
    return now._replace(members=jax.device_put(jax.tree.unflatten(jax.tree.structure(now.members), leaves)))


def flat_state(progress: Progress, kept: Kept) -> dict[str, np.ndarray]:
    """The arrays from which training goes on bit for bit, and those that are kept for the models."""
    is_alone = len(progress.diverged) == 1
    state = {
        "step": np.asarray(progress.step, np.int64),
        "diverged": progress.diverged.copy(),
        "best_loss": progress.best_loss.copy(),
    }
    for name, leaf in _named_leaves(progress.members).items():
        array = np.array(leaf)
        state[name] = array[None] if is_alone else array
    held = {f"{KEPT}{member}/{name}": array for member, own in kept.items() for name, array in own.items()}
    return state | held


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """The population that `flat_state` wrote down.

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
    is_alone = len(start.diverged) == 1
    leaves = [state[name][0] if is_alone else state[name] for name in _named_leaves(start.members)]
    members = jax.device_put(jax.tree.unflatten(jax.tree.structure(start.members), leaves))
    return Progress(int(state["step"]), members, state["diverged"].copy(), state["best_loss"].copy())


def _named_leaves(members: Members) -> dict[str, Any]:
    """Leaves by path (parameters/encoders/visual/0/weight), in the order in which JAX flattens them."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(members)
    }

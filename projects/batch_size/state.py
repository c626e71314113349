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
from projects.training import state as training_state
from projects.training.state import Kept, check_fits, held, without_kept


class Progress(NamedTuple):
    """A population right after a measurement."""

    step: int
    members: Members
    origin: Origin  # what a centred model subtracts
    diverged: np.ndarray  # (member,) bool
    steps_to_target: np.ndarray  # (member,) steps; NaN where the target loss has not been reached


def keep(progress: Progress, kept: Kept, mask: np.ndarray) -> None:
    """Let the models of some members have the parameters as they are now."""
    training_state.keep(flat_state(progress, {}), kept, mask)


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
    return state | held(kept)


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """The population that `flat_state` wrote down; outputs at theta_0 are left to be computed again.

    Args:
        start: The same population at step 0, which gives names, shapes and types.
        state: From `flat_state`.

    Raises:
        ValueError: The state is of another population: an array is missing, left over, or has another shape
            or type.
    """
    state = without_kept(state)
    check_fits(state, flat_state(start, {}), owner="this population", has="these configs have")
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

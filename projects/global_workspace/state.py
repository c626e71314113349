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
from projects.training import state as training_state
from projects.training.state import Kept, check_fits, held, without_kept


class Progress(NamedTuple):
    """A population right after a measurement."""

    step: int
    members: Members
    diverged: np.ndarray  # (member,) bool
    best_loss: np.ndarray  # (member,) lowest validation loss measured after the first update; NaN before


def keep(progress: Progress, kept: Kept, mask: np.ndarray) -> None:
    """Let the models of some members have the parameters as they are now."""
    training_state.keep(flat_state(progress, {}), kept, mask)


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
    return state | held(kept)


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """The population that `flat_state` wrote down.

    Args:
        start: The same population at step 0, which gives names, shapes and types.
        state: From `flat_state`.

    Raises:
        ValueError: The state is of another population: an array is missing, left over, or has another shape
            or type.
    """
    state = without_kept(state)
    check_fits(state, flat_state(start, {}), owner="this population", has="these configs have")
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

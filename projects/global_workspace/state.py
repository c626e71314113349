"""Turn a population into a flat dictionary of arrays for a checkpoint, and back.

Every array except `step` has a leading member axis, also for one member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from projects.global_workspace.program import Members
from projects.training.state import Kept, held
from projects.training.trees import flat_arrays, leaves_in, named_leaves


class Progress(NamedTuple):
    """Holds a population right after a measurement."""

    step: int
    members: Members
    diverged: np.ndarray  # (member,) bool
    best_loss: np.ndarray  # (member,) lowest validation loss measured after the first update; NaN before


def with_kept(now: Progress, kept: Kept) -> Progress:
    """Return the population with the parameters that its models get in place of the last ones."""
    if not kept:
        return now
    arrays, is_alone = flat_state(now, {}), len(now.diverged) == 1
    leaves = []
    for name in named_leaves(now.members):
        array = arrays[name].copy()
        for member, own in kept.items():
            if name in own:
                array[member] = own[name]
        leaves.append(array[0] if is_alone else array)
    return now._replace(members=jax.device_put(jax.tree.unflatten(jax.tree.structure(now.members), leaves)))


def flat_state(progress: Progress, kept: Kept) -> dict[str, np.ndarray]:
    """Return the arrays from which training goes on bit for bit, and those that are kept for the models."""
    return {
        "step": np.asarray(progress.step, np.int64),
        "diverged": progress.diverged.copy(),
        "best_loss": progress.best_loss.copy(),
        **flat_arrays(named_leaves(progress.members), len(progress.diverged)),
        **held(kept),
    }


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """Return the population of a state of `flat_state`, given the same population at step 0.

    Raises:
        ValueError: The state is of another population, see `leaves_in`.
    """
    leaves = leaves_in(state, list(named_leaves(start.members)), flat_state(start, {}), len(start.diverged))
    members = jax.device_put(jax.tree.unflatten(jax.tree.structure(start.members), leaves))
    return Progress(int(state["step"]), members, state["diverged"].copy(), state["best_loss"].copy())

"""Turn a population into a flat dictionary of arrays for a checkpoint, and back.

Every array except `step` has a leading member axis, also for one member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from projects.batch_size.program import Members, Origin
from projects.training.state import Kept, held
from projects.training.trees import flat_arrays, leaves_in, named_leaves


class Progress(NamedTuple):
    """Holds a population right after a measurement."""

    step: int
    members: Members
    origin: Origin  # what a centred model subtracts
    diverged: np.ndarray  # (member,) bool
    steps_to_target: np.ndarray  # (member,) steps; NaN where the target loss has not been reached


def flat_state(progress: Progress, kept: Kept) -> dict[str, np.ndarray]:
    """Return the arrays from which training goes on bit for bit, and those that are kept for the models."""
    return {
        "step": np.asarray(progress.step, np.int64),
        "diverged": progress.diverged.copy(),
        "steps_to_target": progress.steps_to_target.copy(),
        **flat_arrays(_named_leaves(progress), len(progress.diverged)),
        **held(kept),
    }


def restored(start: Progress, state: Mapping[str, np.ndarray]) -> Progress:
    """Return the population of a state of `flat_state`, given the same population at step 0.

    Outputs at theta_0 are computed again later. A state of another population raises ValueError, see `leaves_in`.
    """
    leaves = leaves_in(state, list(_named_leaves(start)), flat_state(start, {}), len(start.diverged))
    shape = jax.tree.structure((start.members, start.origin.parameters))
    members, origin = jax.tree.unflatten(shape, leaves)
    diverged, reached = (state[name].copy() for name in ("diverged", "steps_to_target"))
    return Progress(int(state["step"]), members, Origin(origin, None), diverged, reached)


def _named_leaves(progress: Progress) -> dict[str, Any]:
    """Leaves by path, in the order in which JAX flattens them: parameters, optimiser state, theta_0."""
    members = progress.members
    return {
        **named_leaves({"parameters": members.parameters}),
        **named_leaves({"optimizer": members.optimizer}),
        **named_leaves({"origin": progress.origin.parameters}),
    }

"""Stack trees of JAX arrays of a population, and turn them into the flat arrays of a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from projects.training.state import check_fits, without_kept


def stacked(members: Sequence[Any]) -> Any:
    """Return one tree for a population: a single member's own, else with a leading member axis."""
    if len(members) == 1:
        return members[0]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *members)


def named_leaves(trees: Mapping[str, Any] | tuple[Any, ...]) -> dict[str, Any]:
    """Leaves by path ("parameters/0/weight"), in the order in which JAX flattens them."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(trees)
    }


def flat_arrays(leaves: Mapping[str, Any], n_members: int) -> dict[str, np.ndarray]:
    """Copy leaves for a state: each has a leading member axis, also for one member."""
    arrays = {name: np.array(leaf) for name, leaf in leaves.items()}
    return arrays if n_members > 1 else {name: array[None] for name, array in arrays.items()}


def leaves_in(
    state: Mapping[str, np.ndarray], names: Sequence[str], start: Mapping[str, np.ndarray], n_members: int
) -> list[np.ndarray]:
    """Return the leaves of these names that a state holds, as `flat_arrays` took them.

    Args:
        state: The state to go on from.
        names: Names of the leaves, in their order.
        start: The state of the same population at step 0, which gives names, shapes and types.
        n_members: Number of members.

    Raises:
        ValueError: The state is of another population: an array is missing, left over, or has another shape or type.
    """
    state = without_kept(state)
    check_fits(state, start, owner="this population", has="these configs have")
    return [state[name] if n_members > 1 else state[name][0] for name in names]

"""Decompose information: what two sources tell about a target each alone, both alike, and only together.

Williams and Beer 2010, arXiv:1004.2515. The lattice fixes all four parts once the redundant one is known; which
redundancy is right is open, so the measure is always named:

- i_min: expected minimum specific information (Williams and Beer 2010). Known to call two independent sources that
  are copied to the target redundant.
- mmi: the smaller of the two mutual informations (Barrett 2015, arXiv:1411.2832). An upper bound of all of these.
- broja: what is left where the unique information is least among all distributions with the same pairs of target and
  source (Bertschinger, Rauh, Olbrich, Jost, Ay 2014, arXiv:1311.2852). A convex problem; see `broja.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from projects.global_workspace.information.broja import broja_redundancy
from projects.global_workspace.information.entropy import information_of, joint_distribution

Measure = Literal["i_min", "mmi", "broja"]


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """Holds the four parts in bits; their sum is the information of both sources together about the target."""

    redundant: float
    unique_first: float
    unique_second: float
    synergistic: float
    measure: str  # the redundancy that was used

    @property
    def total(self) -> float:
        """Return I(target; first, second) in bits."""
        return self.redundant + self.unique_first + self.unique_second + self.synergistic


def decompose_samples(
    target: np.ndarray, first: np.ndarray, second: np.ndarray, *, measure: Measure = "broja"
) -> Decomposition:
    """Decompose observed shares (plug-in; see `entropy.py` for its bias).

    Args:
        target: n samples, (n,) or (n, k), discrete; a row is one value.
        first: the same n samples of the first source.
        second: the same n samples of the second source.
        measure: the redundancy.

    Raises:
        ValueError: the numbers of samples differ or are 0, or the measure is not known.
    """
    return decompose(joint_distribution(target, first, second), measure=measure)


def decompose(joint: np.ndarray, *, measure: Measure = "broja") -> Decomposition:
    """Decompose a distribution.

    Args:
        joint: probabilities (target, first, second), of sum 1.
        measure: the redundancy.

    Raises:
        ValueError: it is no distribution over three variables, or the measure is not known.
    """
    if joint.ndim != 3 or (joint < 0).any() or not np.isclose(joint.sum(), 1):
        raise ValueError(
            f"joint must hold probabilities over (target, first, second); got the shape {joint.shape} and the sum "
            f"{joint.sum():.6g}"
        )
    if measure not in REDUNDANCIES:
        raise ValueError(f"measure={measure!r} is not known; known: {', '.join(REDUNDANCIES)}")
    with_first, with_second = joint.sum(2), joint.sum(1)  # (target, source) each
    first, second = information_of(with_first), information_of(with_second)
    both = information_of(joint.reshape(len(joint), -1))
    redundant = REDUNDANCIES[measure](joint)
    return Decomposition(
        redundant=redundant,
        unique_first=first - redundant,
        unique_second=second - redundant,
        synergistic=both - first - second + redundant,
        measure=measure,
    )


def minimum_information(joint: np.ndarray) -> float:
    """Return the smaller of I(target; first) and I(target; second) in bits."""
    return min(information_of(joint.sum(2)), information_of(joint.sum(1)))


def expected_minimum_specific_information(joint: np.ndarray) -> float:
    """Compute I_min in bits: sum over t of p(t) times the smaller specific information of the sources about t.

    The specific information of a source is I(t; S) = sum over s of p(s | t) log2(p(t | s) / p(t)) (DeWeese and
    Meister 1999; Williams and Beer 2010).
    """
    p_target = joint.sum((1, 2))  # (target,)
    specific = [_specific_information(pairs, p_target) for pairs in (joint.sum(2), joint.sum(1))]
    return float((p_target * np.minimum(*specific)).sum())


def _specific_information(pairs: np.ndarray, p_target: np.ndarray) -> np.ndarray:
    """Specific information of one source about each value of the target; pairs (target, source) -> (target,)."""
    possible = pairs > 0
    ratio = np.divide(pairs, pairs.sum(0) * p_target[:, None], where=possible, out=np.ones_like(pairs))
    given_target = np.divide(pairs, p_target[:, None], where=possible, out=np.zeros_like(pairs))
    return (given_target * np.log2(ratio)).sum(1)


REDUNDANCIES: Mapping[str, Callable[[np.ndarray], float]] = MappingProxyType(
    {"i_min": expected_minimum_specific_information, "mmi": minimum_information, "broja": broja_redundancy}
)

"""Partial information decomposition of gates whose parts the literature states."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from projects.global_workspace.information import Decomposition, decompose, decompose_samples
from projects.global_workspace.information.decomposition import REDUNDANCIES

AND_REDUNDANCY = 0.75 * np.log2(4 / 3)  # = 0.311278, all that either input of an AND tells: 1 of 2 inputs decides


def gate(output: Callable[[int, int], object], values: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target and sources of a gate: every pair of inputs once, so equally likely."""
    first, second = np.array(list(itertools.product(range(values), repeat=2))).T
    return np.array([output(int(a), int(b)) for a, b in zip(first, second)]), first, second


def redundant_and_exclusive_or() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RDNXOR: both sources share one bit, and the target has it beside the exclusive or of another bit of each."""
    rows = np.array(list(itertools.product(range(2), repeat=3)))  # shared, own bit of first, own bit of second
    shared, a, b = rows.T
    return np.stack([shared, a ^ b], 1), np.stack([shared, a], 1), np.stack([shared, b], 1)


XOR = gate(lambda a, b: a ^ b)
AND = gate(lambda a, b: a & b)
COPY = gate(lambda a, b: (a, b))
FIRST = gate(lambda a, b: a)
SAME = (np.array([0, 1]),) * 3
SUM = gate(lambda a, b: a + b)

# (redundant, unique of first, unique of second, synergistic) in bits.
KNOWN = [
    # Williams and Beer 2010: an exclusive or is synergy alone, by every measure.
    ("xor", XOR, "i_min", (0, 0, 0, 1)),
    ("xor", XOR, "mmi", (0, 0, 0, 1)),
    ("xor", XOR, "broja", (0, 0, 0, 1)),
    # Bertschinger et al. 2014, the AND: 0.311 redundant, 0 unique, 0.5 synergistic; I_min agrees.
    ("and", AND, "i_min", (AND_REDUNDANCY, 0, 0, 0.5)),
    ("and", AND, "mmi", (AND_REDUNDANCY, 0, 0, 0.5)),
    ("and", AND, "broja", (AND_REDUNDANCY, 0, 0, 0.5)),
    # The copy of two independent bits: Bertschinger et al. 2014 call both unique; that I_min calls one of them
    # redundant is Harder, Salge and Polani's objection (2013, arXiv:1207.2080); MMI does so too.
    ("copy", COPY, "i_min", (1, 0, 0, 1)),
    ("copy", COPY, "mmi", (1, 0, 0, 1)),
    ("copy", COPY, "broja", (0, 1, 1, 0)),
    # A target that is the first source: 1 bit unique to it. One that is both sources: 1 bit redundant.
    ("first", FIRST, "i_min", (0, 1, 0, 0)),
    ("first", FIRST, "broja", (0, 1, 0, 0)),
    ("same", SAME, "i_min", (1, 0, 0, 0)),
    ("same", SAME, "mmi", (1, 0, 0, 0)),
    ("same", SAME, "broja", (1, 0, 0, 0)),
    # The sum of two bits: each tells 0.5 bit, by symmetry and the marginals redundant; both tell 1.5, so 1 is synergy.
    ("sum", SUM, "broja", (0.5, 0, 0, 1)),
    # RDNXOR of Griffith and Koch 2014 (arXiv:1205.4265): 1 bit redundant and 1 bit synergistic.
    ("rdnxor", redundant_and_exclusive_or(), "broja", (1, 0, 0, 1)),
    ("rdnxor", redundant_and_exclusive_or(), "i_min", (1, 0, 0, 1)),
    # Eight values: an exclusive or of numbers of 3 bits is 3 bits of synergy.
    ("xor of 3 bits", gate(lambda a, b: a ^ b, 8), "i_min", (0, 0, 0, 3)),
]


def parts(found: Decomposition) -> tuple[float, float, float, float]:
    return found.redundant, found.unique_first, found.unique_second, found.synergistic


@pytest.mark.parametrize(("name", "samples", "measure", "bits"), KNOWN, ids=[f"{k[0]}-{k[2]}" for k in KNOWN])
def test_a_gate_has_the_parts_that_the_literature_states(
    name: str, samples: tuple[np.ndarray, np.ndarray, np.ndarray], measure: str, bits: tuple[float, ...]
) -> None:
    assert parts(decompose_samples(*samples, measure=measure)) == pytest.approx(bits, abs=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", sorted(REDUNDANCIES))
def test_the_parts_add_up_to_what_the_sources_tell(measure: str) -> None:
    joint = np.random.default_rng(2).dirichlet(np.ones(18)).reshape(2, 3, 3)
    found = decompose(joint, measure=measure)  # type: ignore[arg-type]
    first = joint.sum(2)
    # I(target; first) = redundant + unique_first (Williams and Beer 2010), the left side from its definition.
    told = (first * np.log2(first / np.outer(first.sum(1), first.sum(0)))).sum()
    assert found.redundant + found.unique_first == pytest.approx(told, abs=1e-9)
    pairs = joint.reshape(2, 9)
    both = (pairs * np.log2(pairs / np.outer(pairs.sum(1), pairs.sum(0)))).sum()
    assert found.total == pytest.approx(both, abs=1e-9)


def test_exchanging_the_sources_exchanges_their_unique_parts() -> None:
    joint = np.random.default_rng(3).dirichlet(np.ones(12)).reshape(2, 3, 2)
    one, other = decompose(joint), decompose(joint.swapaxes(1, 2))
    assert parts(other) == pytest.approx(
        (one.redundant, one.unique_second, one.unique_first, one.synergistic), abs=1e-6
    )


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got the shape \(2, 2, 2\) and the sum 8"):
        decompose(np.ones((2, 2, 2)))


def test_an_unknown_measure_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"measure='imin' is not known; known: i_min, mmi, broja"):
        decompose(np.full((2, 2, 2), 1 / 8), measure="imin")  # type: ignore[arg-type]

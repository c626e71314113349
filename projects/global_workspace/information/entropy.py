"""Estimate entropy and mutual information of discrete samples, in bits, by the plug-in estimator.

The estimator takes observed shares for probabilities. It is exact for a complete design, and too high on average by
about (a - 1)(b - 1) / (2 n ln 2) bits for n independent draws of variables with a and b values (Miller 1955).
"""

from __future__ import annotations

import math

import numpy as np


def entropy(probabilities: np.ndarray) -> float:
    """Compute the Shannon entropy of a distribution in bits; its cells may have any shape, and 0 log 0 is 0."""
    p = probabilities[probabilities > 0]
    return float(-(p * np.log2(p)).sum()) + 0.0  # + 0.0: no negative zero


def mutual_information(x: np.ndarray, y: np.ndarray) -> float:
    """Estimate the mutual information of two discrete variables in bits (plug-in).

    Args:
        x: n samples, (n,), or (n, k): then a row is one value.
        y: the same n samples of the other variable.

    Raises:
        ValueError: the numbers of samples differ or are 0.
    """
    joint = joint_distribution(x, y)
    return information_of(joint)


def information_of(joint: np.ndarray) -> float:
    """Compute the mutual information in bits of the two variables of a joint distribution, (a, b)."""
    return entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint)


def joint_distribution(*variables: np.ndarray) -> np.ndarray:
    """Return observed shares of the combinations of values: one axis a variable, in the order of its sorted values.

    Args:
        variables: each (n,) or (n, k), discrete; a row is one value.

    Raises:
        ValueError: the numbers of samples differ or are 0.
    """
    lengths = {len(variable) for variable in variables}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"variables must have the same number of samples, at least one; got {sorted(lengths)}")
    coded = [_code(np.asarray(variable)) for variable in variables]
    sizes = tuple(size for _, size in coded)
    cells = np.ravel_multi_index(tuple(codes for codes, _ in coded), sizes)
    return np.bincount(cells, minlength=math.prod(sizes)).reshape(sizes) / lengths.pop()


def _code(variable: np.ndarray) -> tuple[np.ndarray, int]:
    """Values as numbers from 0, and how many there are."""
    values, codes = np.unique(variable.reshape(len(variable), -1), axis=0, return_inverse=True)
    return codes.reshape(-1), len(values)

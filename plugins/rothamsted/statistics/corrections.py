"""Correct the p-values of a family of tests, so that the error rate holds for the family."""

from __future__ import annotations

import numpy as np

from rothamsted.catalog import CORRECTIONS


def correct(p_values: np.ndarray, method: str) -> np.ndarray:
    """Return corrected p-values; compare each with 1 - level.

    Args:
        p_values: (test,) in [0, 1]; NaN marks a test that could not be made; it is not part of the family.
        method: A name of `catalog.CORRECTIONS`, not of a joint one.

    Returns:
        (test,) in the order given, at most 1, NaN for tests that could not be made.

    Raises:
        ValueError: An unknown or joint method, or a p-value outside [0, 1].
    """
    if CORRECTIONS[method].is_joint:
        raise ValueError(f"correction: {method!r} is joint: it takes the replicates, not p-values")
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"p_values: shape {values.shape}, must be one number a test")
    made = ~np.isnan(values)
    family = values[made]
    if len(family) and not (family.min() >= 0 and family.max() <= 1):
        raise ValueError(f"p_values: {family[(family < 0) | (family > 1)][0]} lies outside 0 to 1")
    corrected = np.full(len(values), np.nan)
    corrected[made] = CORRECTIONS.function(method)(family)
    return corrected


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct by Holm (1979), Scandinavian Journal of Statistics 6(2): never less powerful than Bonferroni.

    It takes several families at once, each along the last axis: (..., test).
    """
    n_tests = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1)
    n_left = n_tests - np.arange(n_tests)  # hypotheses not yet rejected, this one included
    corrected = np.empty(p_values.shape)
    stepped = np.maximum.accumulate(np.take_along_axis(p_values, order, -1) * n_left, axis=-1)
    np.put_along_axis(corrected, order, stepped, -1)
    return np.minimum(corrected, 1.0)


def bonferroni(p_values: np.ndarray) -> np.ndarray:
    """Multiply by the size of the family: valid under any dependence. Dunn (1961), JASA 56(293)."""
    return np.minimum(p_values * len(p_values), 1.0)


def bh(p_values: np.ndarray) -> np.ndarray:
    """Correct by Benjamini & Hochberg (1995), JRSS B 57(1): bounds the share of false findings among the findings."""
    n = len(p_values)
    order = np.argsort(p_values)[::-1]
    corrected = np.empty(n)
    corrected[order] = np.minimum.accumulate(p_values[order] * n / np.arange(n, 0, -1))
    return np.minimum(corrected, 1.0)


def none(p_values: np.ndarray) -> np.ndarray:
    """Leave each as it is: every test errs by itself."""
    return p_values.copy()

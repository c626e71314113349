"""The distribution of the greatest of several t statistics that share a reference and a standard deviation.

Apart, because comparisons with a reference and the choice of the best both need it, and because scipy's general
multivariate t is integrated by random numbers: four digits, in seconds where this takes milliseconds.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtri, log_ndtr, ndtr

_STEP_Z = 0.16  # of the shared mean, in standard errors
_STEP_LOG_S = 0.15  # of the logarithm of the standard deviation; with few degrees of freedom it spans a wide range
_LEAST_NODES = 60


def dunnett_tail(t: float, loadings: np.ndarray, df: int, *, is_two_sided: bool) -> float:
    """Return the probability that the greatest of several t statistics with one reference is above t.

    They share the reference's mean and one standard deviation: given both, they are independent. Dunnett (1955),
    equation 4, integrated by the trapezoid rule, over the logarithm of the standard deviation.

    Args:
        t: The bound; of the absolute values where two-sided.
        loadings: (group,) sqrt(n_j / (n_j + n_reference)) of each group.
        df: Degrees of freedom of the standard deviation.
        is_two_sided: Look at absolute values.
    """
    log_s, weights_s = _sd_nodes(df)
    z = np.arange(-9.5, 9.5, _STEP_Z)
    weights_z = np.exp(-z * z / 2)
    weights_z /= weights_z.sum()
    bound = t * np.exp(log_s)[:, None]  # (s, 1)
    log_none = np.zeros((len(log_s), len(z)))  # log probability that no group is beyond, given s and z
    for loading, count in zip(*np.unique(loadings, return_counts=True), strict=True):
        rest = math.sqrt(1 - loading**2)
        upper = (bound - loading * z) / rest  # (s, z)
        if is_two_sided:
            beyond = ndtr(-upper) + ndtr((-bound - loading * z) / rest)
            with np.errstate(divide="ignore"):
                log_none += count * np.log1p(-np.minimum(beyond, 1.0))
        else:
            log_none += count * log_ndtr(upper)
    return float(min(1.0, weights_s @ -np.expm1(log_none) @ weights_z))


def _sd_nodes(df: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights for the logarithm of a sample standard deviation over the true one."""
    least, most = (0.5 * math.log(chdtri(df, upper) / df) for upper in (1 - 1e-15, 1e-18))
    log_s = np.linspace(least, most, max(_LEAST_NODES, math.ceil((most - least) / _STEP_LOG_S)))
    log_density = df * log_s - df * np.exp(2 * log_s) / 2
    weights = np.exp(log_density - log_density.max())
    return log_s, weights / weights.sum()

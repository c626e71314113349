"""Measure how well bits can be read from the frozen workspace by a logistic regression (probes).

scikit-learn on the host is fast enough: a fit takes milliseconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

N_RANDOM_FEATURES = 128  # of the nonlinear probe
_MOST_ITERATIONS = 200  # of L-BFGS, at scikit-learn's default penalty


class Reading(NamedTuple):
    """Holds the results of a probe on rows that it was not fitted on, as means over the bits."""

    accuracy: float
    normalised_cross_entropy: float  # cross-entropy / entropy of the bit: 0 knows it, 1 knows nothing
    chance: float  # accuracy of always saying what is more frequent
    predicted: np.ndarray  # (row, bit), 0 or 1


def read_bits(fit_on: np.ndarray, fit_bits: np.ndarray, test_on: np.ndarray, test_bits: np.ndarray) -> Reading:
    """Fit one logistic regression for each bit, and measure all of them.

    Args:
        fit_on: Workspaces, (row, workspace).
        fit_bits: 0 or 1, (row, bit).
        test_on: Workspaces of other rows, (row, workspace).
        test_bits: Their bits, (row, bit).
    """
    with threadpool_limits(1):  # equal numbers however many workers share the machine
        probability = np.stack([_probability(fit_on, bit, test_on) for bit in fit_bits.T], axis=1)
    predicted = (probability > 0.5).astype(np.int8)
    return Reading(
        accuracy=float(np.mean(predicted == test_bits)),
        normalised_cross_entropy=normalised_cross_entropy(probability, test_bits),
        chance=chance_accuracy(test_bits),
        predicted=predicted,
    )


def normalised_cross_entropy(probability: np.ndarray, bits: np.ndarray) -> float:
    """Divide the cross-entropy of predicted probabilities by the entropy of the bit, a mean over bits; (row, bit) both.

    The entropy is that of the bit's frequency in these rows, so that a prediction of that frequency gives 1.
    """
    p = np.clip(np.asarray(probability, np.float64), 1e-12, 1 - 1e-12)
    crossed = -np.where(bits == 1, np.log(p), np.log1p(-p)).mean(axis=0)
    share = bits.mean(axis=0)
    entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share))
    return float(np.mean(crossed / entropy))


def chance_accuracy(bits: np.ndarray) -> float:
    """Return the accuracy of always saying what is more frequent, a mean over bits; (row, bit)."""
    share = bits.mean(axis=0)
    return float(np.mean(np.maximum(share, 1 - share)))


def random_features(workspace: np.ndarray) -> np.ndarray:
    """Return the workspace and fixed random ReLU features of it: what a nonlinear probe reads, (row, workspace + 128).

    Equal widths have equal weights, so that probes of two runs differ only in their inputs.
    """
    n_dims = workspace.shape[1]
    rng = np.random.default_rng([n_dims, N_RANDOM_FEATURES])
    weights = rng.standard_normal((n_dims, N_RANDOM_FEATURES)) / np.sqrt(n_dims)
    features = np.maximum(workspace @ weights + rng.uniform(-1, 1, N_RANDOM_FEATURES), 0)
    return np.hstack([workspace, features])


def _probability(fit_on: np.ndarray, bit: np.ndarray, test_on: np.ndarray) -> np.ndarray:
    center, spread = fit_on.mean(axis=0), fit_on.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    probe = LogisticRegression(max_iter=_MOST_ITERATIONS).fit((fit_on - center) / spread, bit)
    return probe.predict_proba((test_on - center) / spread)[:, 1]

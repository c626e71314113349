"""Define the promotion rules, rows of `catalog.RULES`: the threshold of an improvement from the policy's number."""

from __future__ import annotations

import numpy as np


def superiority(amount: float, champion: np.ndarray) -> float:
    """Demand an improvement by more than the smallest one that matters."""
    return amount


def non_inferiority(amount: float, champion: np.ndarray) -> float:
    """Demand a loss of less than the margin, if any."""
    return -amount

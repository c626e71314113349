"""The promotion rules, rows of `catalog.RULES`: what an improvement must exceed, from the policy's number."""

from __future__ import annotations

import numpy as np


def superiority(amount: float, champion: np.ndarray) -> float:
    """Better by more than the smallest improvement that matters."""
    return amount


def non_inferiority(amount: float, champion: np.ndarray) -> float:
    """Worse by less than the margin, if at all."""
    return -amount

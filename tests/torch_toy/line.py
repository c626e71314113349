"""The NumPy model: all that its predictions need is here, so that whoever serves it imports nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Line:
    """y = x w + b."""

    parameters: Mapping[str, np.ndarray]  # weight (feature,), bias ()
    input_example: np.ndarray = field(repr=False)  # (row, feature)
    pip_requirements: tuple[str, ...] = (f"numpy=={version('numpy')}",)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(row, feature) -> (row,)."""
        return x @ self.parameters["weight"] + self.parameters["bias"]


@dataclass(frozen=True, kw_only=True)
class Bare:
    """No model by the contract: it predicts, and that is all."""

    weight: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight


@dataclass(frozen=True, kw_only=True)
class Raising(Line):
    """Its predict does not work."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        raise ValueError("no such feature")


@dataclass(frozen=True, kw_only=True)
class Infinite(Line):
    """Its predict overflows."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x), np.inf)


@dataclass(frozen=True, kw_only=True)
class Local(Line):
    """Holds what cannot be pickled by reference."""

    secret: Any = None


KINDS = {"whole": Line, "raises": Raising, "infinite": Infinite}

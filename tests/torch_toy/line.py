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


TEXTS = {"prompt": np.array(["Once upon", "größer"]), "n_letters": np.array([2, 1])}


@dataclass(frozen=True, kw_only=True)
class Completer(Line):
    """Goes on with a text: prompts and numbers of letters in, texts and their lengths out."""

    input_example: Mapping[str, np.ndarray] = field(repr=False, default_factory=lambda: TEXTS)  # type: ignore[assignment]

    def predict(self, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:  # type: ignore[override]
        """(row,) text and (row,) whole numbers -> (row,) text and (row,) lengths."""
        pairs = zip(x["prompt"].tolist(), x["n_letters"].tolist(), strict=True)
        texts = [prompt + "!" * int(n_letters) for prompt, n_letters in pairs]
        return {"text": np.array(texts), "length": np.array([len(text) for text in texts])}


@dataclass(frozen=True, kw_only=True)
class Shouter(Line):
    """An array of text in, an array of text out."""

    input_example: np.ndarray = field(repr=False, default_factory=lambda: TEXTS["prompt"])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(row,) text -> (row,) text."""
        return np.char.upper(x)


KINDS = {"text": Completer, "shout": Shouter, "whole": Line, "raises": Raising, "infinite": Infinite}

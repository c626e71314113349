"""Configs of runs that take a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from projects.language_model.config import Config, shape_of
from projects.language_model.model import Transformer
from projects.language_model.train import Measurement, train

FIELDS: dict[str, Any] = {
    "vocab_size": 300,
    "context_length": 16,
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 2,
    "d_ff": 24,
    "batch_size": 4,
    "max_iterations": 12,
    "warmup_iters": 2,
    "log_interval": 4,
    "eval_interval": 4,
    "eval_sequences": 8,
    "sample_tokens": 4,
    "device": "cpu",
}


def small(**fields: Any) -> Config:
    """A config of a small run, with some fields of its own."""
    return Config(**{**FIELDS, **fields})


def small_model(seed: int = 0, dtype: torch.dtype = torch.float64, **fields: Any) -> Transformer:
    """A model with drawn weights, in float64 so that equal means equal to fifteen digits."""
    model = Transformer(shape_of(small(**fields)), torch.Generator().manual_seed(seed))
    return model.to(dtype)


def some_tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    """Tokens of the small vocabulary."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, FIELDS["vocab_size"], shape))


def measurements(config: Config, state: dict[str, np.ndarray] | None = None) -> list[Measurement]:
    """All measurements of a run."""
    return list(taken(config, state))


def taken(config: Config, state: dict[str, np.ndarray] | None = None) -> Iterator[Measurement]:
    """The measurements of a run one by one, of which that at step 4 is kept: an objective might say so."""
    for measurement in train([config], state):
        if measurement is not None:  # None says that everything is set up
            measurement.keep(np.array([measurement.step == 4]))
            yield measurement

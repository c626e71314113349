"""Runs the study's generator to its end; shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from projects.global_workspace.config import Config
from projects.global_workspace.train import train
from projects.global_workspace.trained import TrainedModel
from projects.training.measurement import Measurement
from rothamsted.studies import set_fields
from tests.projects.driven import to_the_end
from tests.projects.global_workspace.made_up import SMALL

# One padded program serves most tests: compiling takes seconds, training milliseconds.
QUICK = {
    "evals": 3,
    "data": SMALL,
    "model.hidden_dim": 8,
    "model.n_layers": 0,
    "model.workspace_dim": 5,
    "model.max_workspace_dim": 7,
    "training.epochs": 3,
    "training.batch_size": 64,
    "probe_rows": 128,
}


# For jax.jit in tests that look at numbers and not at speed: compiling takes half as long.
QUICKLY_COMPILED = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def quick(**changes: Any) -> Config:
    """A small config; dotted names are written with two underscores: model__workspace_dim=3."""
    return set_fields(Config, {**QUICK, **{name.replace("__", "."): value for name, value in changes.items()}})


def run(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> tuple[list[Measurement], list[TrainedModel]]:
    """Every measurement, and the trained models."""
    return to_the_end(train(configs, state))


def values_of(measurements: Sequence[Measurement], member: int = 0) -> list[dict[str, float]]:
    """The metrics of one member, in order."""
    return [{name: float(own[member]) for name, own in m.metrics.items()} for m in measurements]

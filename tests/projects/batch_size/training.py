"""Runs the study's generator to its end; shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from projects.batch_size.config import Config
from projects.batch_size.train import train
from projects.batch_size.trained import TrainedModel
from projects.training.measurement import Measurement
from tests.projects.driven import to_the_end


def run(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> tuple[list[Measurement], list[TrainedModel]]:
    """Every measurement, and the trained models."""
    return to_the_end(train(configs, state))


def parameters_at(config: Config, point: int = -1) -> dict[str, np.ndarray]:
    """One member's parameters at a measurement, by name such as `0/weight`."""
    measurements, _ = run([config])
    state = measurements[point].state()
    prefix = "parameters/"
    return {name.removeprefix(prefix): a[0] for name, a in state.items() if name.startswith(prefix)}

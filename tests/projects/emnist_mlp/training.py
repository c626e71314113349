"""Runs the study's generator to its end, on data that take a moment to draw; shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from projects.emnist_mlp.config import Config
from projects.emnist_mlp.train import train
from projects.emnist_mlp.trained import TrainedModel
from projects.training.measurement import Measurement
from tests.projects.driven import to_the_end

# 6 x 47 drawn images, of which 28 are for validation: 254 to train on, 8 steps an epoch, the last of 30 rows.
HELD_STEP = 8  # of 16
SMALL = {"per_class": 6, "test_per_class": 2}


def quick(**fields: Any) -> Config:
    """A config that trains in a few hundredths of a second."""
    return Config.model_validate(
        {"data": SMALL, "model": {"hidden_dims": [16]}, "batch_size": 32, "epochs": 2, "evals": 4, **fields}
    )


def run(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> tuple[list[Measurement], list[TrainedModel]]:
    """Every measurement, and the trained models, of the weights that `hold_some` holds."""
    return to_the_end(train(configs, state), lambda measurement: hold_some(configs, measurement))


def hold_some(configs: Sequence[Config], measurement: Measurement) -> None:
    """What an objective might do: it holds one step of each member but those of seed 2."""
    if measurement.step == HELD_STEP:
        measurement.keep(np.array([config.seed != 2 for config in configs]))


def taken(configs: Sequence[Config]) -> Iterator[Measurement]:
    """The measurements of `run` one by one: what they offer is that of the present moment."""
    for measurement in train(configs):
        if measurement is not None:
            hold_some(configs, measurement)
            yield measurement

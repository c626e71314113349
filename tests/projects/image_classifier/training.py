"""Small configs and a runner of the study's generator; shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from projects.image_classifier.config import Config
from projects.image_classifier.train import Measurement, train
from projects.image_classifier.trained import TrainedModel
from rothamsted.studies import set_fields
from tests.projects.driven import to_the_end

TINY = {
    "epochs": 3,
    "batch_size": 10,
    "data.image_size": 12,
    "data.n_train": 40,
    "data.n_val": 30,
    "model.width": 4,
    "model.blocks": 2,
}


def tiny(**fields: Any) -> Config:
    """A config that trains in milliseconds; dots of names as double underscores."""
    return set_fields(Config, {**TINY, **{name.replace("__", "."): value for name, value in fields.items()}})


def run(config: Config, state: Mapping[str, np.ndarray] | None = None) -> tuple[list[Measurement], TrainedModel]:
    """Every measurement, and the trained model, which has the weights of the second epoch where there are so many."""
    measurements, (model,) = to_the_end(train([config], state), _keep_the_second)
    return measurements, model


def _keep_the_second(measured: Measurement) -> None:
    measured.keep(np.array([measured.epoch == 2]))


def measured_epochs(config: Config) -> Iterator[Measurement]:
    """The measurements of `run` one by one: what they offer is that of the present moment."""
    for measured in train([config]):
        if measured is not None:
            _keep_the_second(measured)
            yield measured


def curves(measurements: list[Measurement]) -> list[dict[str, float]]:
    """Metrics as plain numbers; NaN as text, so that equal is equal."""
    return [{name: repr(float(v[0])) for name, v in measured.metrics.items()} for measured in measurements]

"""Put the data of a study on the device, in the precision of the run, once for many trainings.

All runs share them; the other arguments of a compiled call belong to one run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp

from projects.batch_size.config import MOST_MEASURED_TRAIN_ROWS
from projects.batch_size.data import DataConfig, load_dataset
from projects.batch_size.data.teacher import Teacher, make_teacher


class Rows(NamedTuple):
    """Holds inputs and targets of some rows."""

    x: jax.Array  # (row, feature)
    y: jax.Array  # classes (row,), or targets (row, output)


class Arrays(NamedTuple):
    """Holds the data of a study on the device."""

    train: Rows  # where data are online one row, for its shape
    measured: Rows | None  # training rows that are measured on; None: drawn afresh by each member
    val: Rows
    teacher: Teacher | None  # draws every batch where data are online


@lru_cache(maxsize=2)
def device_arrays(config: DataConfig, digest: str, dtype: str) -> Arrays:
    """Put a data set on the device, once for many trainings.

    Args:
        config: The data set.
        digest: Digest of the data set, so that other rows under the same config are not taken for these.
        dtype: `float32` or `float64`; the caller has switched JAX to it.
    """
    data = load_dataset(config)
    train, val = (
        Rows(jnp.asarray(x, dtype), jnp.asarray(y, dtype if y.ndim == 2 else None))
        for x, y in ((data.train_x, data.train_y), (data.val_x, data.val_y))
    )
    n_measured = min(len(data.train_x), len(data.val_x), MOST_MEASURED_TRAIN_ROWS)
    measured = None if config.online else Rows(train.x[:n_measured], train.y[:n_measured])
    return Arrays(train, measured, val, make_teacher(config) if config.online else None)

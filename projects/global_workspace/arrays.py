"""Put the data of a study on the device, once for many trainings.

All runs share them; the other arguments of a compiled call belong to one run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp

from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.dataset import Split
from projects.global_workspace.data.load import load_data
from projects.global_workspace.losses import Rows

# Rows on which training losses are measured: more would let measuring cost as much as training.
MOST_MEASURED_TRAIN_ROWS = 1024


class Arrays(NamedTuple):
    """Holds the parts of a data set on the device."""

    train: Rows
    measured: Rows  # the first training rows
    validation: Rows
    test: Rows


@lru_cache(maxsize=2)
def device_arrays(config: DataConfig, digest: str) -> Arrays:
    """Put a data set on the device.

    Args:
        config: The data set.
        digest: Digest of the data set, so that other rows under the same config are not taken for these.
    """
    data = load_data(config)
    train = rows_of(data.train)
    return Arrays(train, first_rows(train, MOST_MEASURED_TRAIN_ROWS), rows_of(data.validation), rows_of(data.test))


def rows_of(split: Split) -> Rows:
    """Put a part of the data on the device as arrays."""
    domains = {domain: jnp.asarray(x, jnp.float32) for domain, x in split.domains.items()}
    return Rows(domains, jnp.asarray(split.synergy, jnp.float32))


def first_rows(rows: Rows, n: int) -> Rows:
    """Return at most so many rows, from the first."""
    return Rows({domain: x[:n] for domain, x in rows.domains.items()}, rows.targets[:n])

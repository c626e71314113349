"""Load the images of a configuration, by one row of a table for each data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from projects.emnist_mlp.data.config import DataConfig
from projects.emnist_mlp.data.dataset import Dataset, Rows, Source, digest_of, locked
from projects.emnist_mlp.data.emnist import read_emnist
from projects.emnist_mlp.data.fonts import read_fonts
from projects.emnist_mlp.data.mnist import read_mnist
from projects.emnist_mlp.data.split import split_rows
from projects.emnist_mlp.data.synthetic import read_expansion
from projects.files.reading import given_path

_READERS: dict[str, Callable[[DataConfig], Source]] = {
    "fonts": read_fonts,
    "emnist": read_emnist,
    "mnist": read_mnist,
}


def load_dataset(config: DataConfig) -> Dataset:
    """Read or draw the data that a configuration names, split and expanded.

    The last two stay in memory, so a worker reads a file once. A file that changes later is not read again by the same
    process. Equal configurations give equal arrays and one digest.

    Raises:
        DataProblem: a file is missing or damaged, or more rows are asked for than there are.
    """
    return _load(config, Path.cwd())


def read_source(config: DataConfig) -> Source:
    """Read the data set before it is split; errors as in `load_dataset`."""
    return _READERS[config.name](config)


@lru_cache(maxsize=2)
def _load(config: DataConfig, working_directory: Path) -> Dataset:
    """One data set; the working directory is part of the key: a relative path is another file there."""
    source = read_source(config)
    chosen, kept = split_rows(
        source.train.y, n_train=config.n_train, n_validation=config.n_validation, seed=config.seed
    )
    train, validation = (locked(Rows(source.train.x[rows], source.train.y[rows])) for rows in (chosen, kept))
    if config.synthetic is not None:
        added = read_expansion(given_path(config.synthetic), source, chosen)
        train = locked(Rows(np.concatenate([train.x, added.x]), np.concatenate([train.y, added.y])))
    parts = (train, validation, source.test)
    return Dataset(*parts, classes=source.classes, digest=digest_of(parts, source.classes))

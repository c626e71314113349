"""Load the data of a configuration, by one row of a table for each data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from projects.batch_size.data.config import DataConfig
from projects.batch_size.data.dataset import Dataset
from projects.batch_size.data.digits import load_digits
from projects.batch_size.data.mnist import load_mnist
from projects.batch_size.data.mnist1m import load_mnist1m


def load_dataset(config: DataConfig) -> Dataset:
    """Read or draw the data that a configuration names.

    The last two data sets stay in memory (MNIST-1M is 3 GB as float32), so a worker reads a file once. A file that
    changes later is not read again by the same process. Equal configurations give equal arrays and one digest.
    `teacher` with `online` gives one training row, for its shape only: `sample_teacher` draws the rows to train on.

    Args:
        config: the data set and the part of it that is used.

    Returns:
        Read-only arrays, shared by all callers.

    Raises:
        DataProblem: a file is missing or damaged, or more rows are asked for than there are.
    """
    return _load(config, Path.cwd())


@lru_cache(maxsize=2)
def _load(config: DataConfig, working_directory: Path) -> Dataset:
    """One data set; the working directory is part of the key: a relative `path` is another file there."""
    return _LOADERS[config.name](config)


def _draw_teacher(config: DataConfig) -> Dataset:
    from projects.batch_size.data.teacher import draw_teacher_dataset  # imports jax, which files do without

    return draw_teacher_dataset(config)


_LOADERS: dict[str, Callable[[DataConfig], Dataset]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "mnist1m": load_mnist1m,
    "teacher": _draw_teacher,
}

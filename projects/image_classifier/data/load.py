"""Load the images of a configuration, by one row of a table for each data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from projects.image_classifier.data.cifar10 import load_cifar10
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.data.dataset import ImageSet
from projects.image_classifier.data.folder import load_folder
from projects.image_classifier.data.made import make_pictures

_LOADERS: dict[str, Callable[[DataConfig], ImageSet]] = {
    "made": make_pictures,
    "folder": load_folder,
    "cifar10": load_cifar10,
}


def load_images(config: DataConfig) -> ImageSet:
    """Read or make the images that a configuration names.

    The last two sets stay in memory, so a worker reads files once. A file that changes later is not read again by the
    same process. Equal configurations give equal arrays and one digest.

    Raises:
        DataProblem: images are missing or damaged, or more are asked for than there are.
    """
    return _load(config, Path.cwd())


@lru_cache(maxsize=2)
def _load(config: DataConfig, working_directory: Path) -> ImageSet:
    """One set; the working directory is part of the key: a relative `path` is another folder there."""
    return _LOADERS[config.name](config)

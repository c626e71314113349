"""`python -m projects.image_classifier`: the only place where this study meets the engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projects.files.problem import DataProblem
from projects.image_classifier.config import Config, is_longer
from rothamsted.study import Keep, Study, main

if TYPE_CHECKING:
    from projects.image_classifier.train import Measurement
    from projects.image_classifier.trained import TrainedModel


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """`projects.image_classifier.train.train`; PyTorch is imported when it starts, so that --help does without."""
    from projects.image_classifier.train import train as train_one

    return (yield from train_one(configs, state))


def data_digest(config: Config) -> str:
    """The digest of the images that a config trains on and is measured on; weights to start from must be there, too."""
    from projects.image_classifier.data.load import load_images

    if config.model.weights is not None:
        from projects.image_classifier.weights import check_there

        check_there(Path(config.model.weights).expanduser())
    return load_images(config.data).digest


def keeps(config: Config) -> Keep:
    """By hand the best epoch by `monitor` is kept; in a sweep its objective says."""
    return Keep(metric=config.monitor, direction="minimize" if config.monitor == "val_loss" else "maximize")


def prepare_cifar10(*, source: str | None = None, target: Path | None = None) -> Path:
    """`projects.image_classifier.data.cifar10.prepare_cifar10`, imported when it is asked for."""
    from projects.image_classifier.data.cifar10 import prepare_cifar10 as prepare

    return prepare(source=source, target=target)


def prepare_b0_weights(
    *, source: str | None = None, target: Path | None = None, epochs: int = 12, n_train: int = 4000, seed: int = 0
) -> Path:
    """`projects.image_classifier.pretrain.prepare_b0_weights`, imported when it is asked for."""
    from projects.image_classifier.pretrain import prepare_b0_weights as prepare

    return prepare(source=source, target=target, epochs=epochs, n_train=n_train, seed=seed)


STUDY = Study(
    name="image_classifier",
    config=Config,
    train=train,
    rtol=0.0,
    extends=is_longer,
    datasets={"cifar10": prepare_cifar10, "b0_weights": prepare_b0_weights},
    data_digest=data_digest,
    user_errors=(DataProblem,),
    keeps=keeps,
)

if __name__ == "__main__":
    main(STUDY)

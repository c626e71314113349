"""Make initial weights for EfficientNet-B0: torchvision's published ones, or trained here on letters.

It makes a file that later trainings read (`model.weights`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save

from projects.files.download import download, write_atomically
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_there
from projects.image_classifier.config import Config, ModelConfig, OptimizerConfig, ScheduleConfig
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.models import build_network
from projects.image_classifier.train import train
from projects.image_classifier.weights import (
    FOLDER,
    IMAGENET,
    PUBLISHED,
    PUBLISHED_SHA256,
    load_weights,
    read_weights,
    weights_path,
)

URL = f"https://download.pytorch.org/models/{PUBLISHED}"
N_IMAGENET_CLASSES = 1000
TARGET = FOLDER / "weights.safetensors"


def prepare_b0_weights(
    *,
    source: str | None = None,
    target: Path | None = None,
    epochs: int = 12,
    n_train: int = 4000,
    seed: int = 0,
    url: str = URL,
    sha256: str = PUBLISHED_SHA256,
) -> Path:
    """Make the file that `model.weights` names.

    Args:
        source: `torchvision` takes the weights that torchvision publishes (ImageNet, 21 MB) from beside the target or
            from PyTorch's downloads, else downloads them; a path takes such a file from there; `letters` or None
            trains on the made letters, without any file.
        target: the .safetensors file to write; TARGET where it is None.
        epochs: of training on letters.
        n_train: letters to train on.
        seed: of training on letters.
        url: where `torchvision` downloads from.
        sha256: of what is downloaded.

    Raises:
        DataProblem: the file cannot be had or is of another network.
    """
    target = target or TARGET
    if target.suffix != ".safetensors":
        raise DataProblem(f"target: {target} must end in .safetensors; rename it")
    if source in (None, "letters"):
        weights = _trained_on_letters(epochs, n_train, seed)
    else:
        path = given_path(source)
        if source == "torchvision":
            path = _published(url, sha256, target.parent)
        weights = _checked(path)
    write_atomically(target, save({name: value.contiguous() for name, value in weights.items()}))
    return target


def _trained_on_letters(epochs: int, n_train: int, seed: int) -> dict[str, torch.Tensor]:
    config = Config(
        seed=seed,
        epochs=epochs,
        checkpoints="none",
        threads=torch.get_num_threads(),
        batch_size=32,
        model=ModelConfig(family="efficientnet_b0", dropout=0.0, drop_path=0.0),  # with them it hardly begins to learn
        optimizer=OptimizerConfig(lr=1e-3),
        schedule=ScheduleConfig(name="cosine", warmup_epochs=min(1, epochs / 2)),
        data=DataConfig(characters="letters", n_train=n_train),
    )
    training = train([config])
    while True:
        try:
            measured = next(training)
        except StopIteration as ended:
            return {name: torch.from_numpy(array.copy()) for name, array in ended.value[0].arrays.items()}
        if measured is None:  # everything is set up
            continue
        print(
            f"epoch {measured.epoch:g} of {epochs}: train_accuracy {measured.metrics['train_accuracy'][0]:.3f}, "
            f"val_accuracy {measured.metrics['val_accuracy'][0]:.3f}",
            flush=True,
        )


def _published(url: str, sha256: str, folder: Path) -> Path:
    """The published file, checked by its digest: one that is here already, or downloaded into a folder."""
    name = url.rsplit("/", 1)[1]
    here = weights_path(IMAGENET)
    way_out = "remove it"
    if name == PUBLISHED and is_there(here, way_out=way_out) and not is_there(folder / name, way_out=way_out):
        return here  # read_weights checks its digest
    try:
        return download(url, folder / name, checksum=sha256)
    except DataProblem as problem:
        raise DataProblem(f"{problem}; or copy the file from elsewhere to {folder / name}") from problem


def _checked(path: Path) -> dict[str, torch.Tensor]:
    """A file's weights, once they have been put into a network with as many classes."""
    weights = read_weights(path)
    head = weights.get("classifier.1.bias")
    n_classes = N_IMAGENET_CLASSES if head is None else len(head)
    network = build_network("efficientnet_b0", n_classes, {"dropout": 0.0, "drop_path": 0.0})
    load_weights(network, path, keeps_head=True)
    return weights

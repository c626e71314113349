"""Weights for EfficientNet-B0 to start from: torchvision's published ones, or made here from letters.

Apart, because it makes a file that later trainings read (`model.weights`), and is no part of any of them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save

from projects.files.download import download, write_atomically
from projects.files.problem import DataProblem
from projects.image_classifier.config import Config, ModelConfig, OptimizerConfig, ScheduleConfig
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.models import build_network
from projects.image_classifier.train import train
from projects.image_classifier.weights import load_weights, read_weights

URL = "https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth"
SHA256 = "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934"  # its first digits are in the file's name
N_IMAGENET_CLASSES = 1000
TARGET = Path("data") / "efficientnet_b0" / "weights.safetensors"


def prepare_b0_weights(
    *,
    source: str | None = None,
    target: Path | None = None,
    epochs: int = 12,
    n_train: int = 4000,
    seed: int = 0,
    url: str = URL,
    sha256: str = SHA256,
) -> Path:
    """Make the file that `model.weights` names.

    Args:
        source: `torchvision` downloads the weights that torchvision publishes (ImageNet, 21 MB); a path takes such
            a file from there; `letters` or None trains on the made letters, without any file.
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
        path = Path(source).expanduser()
        if source == "torchvision":
            path = download(url, target.parent / url.rsplit("/", 1)[1], checksum=sha256)
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


def _checked(path: Path) -> dict[str, torch.Tensor]:
    """A file's weights, once they have been put into a network with as many classes."""
    weights = read_weights(path)
    head = weights.get("classifier.1.bias")
    n_classes = N_IMAGENET_CLASSES if head is None else len(head)
    network = build_network("efficientnet_b0", n_classes, {"dropout": 0.0, "drop_path": 0.0})
    load_weights(network, path, keeps_head=True)
    return weights

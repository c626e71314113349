"""Run the study by `python -m projects.image_classifier`; only this file imports the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from projects.files.problem import DataProblem
from projects.image_classifier.config import Config, is_longer
from projects.training.late import imported_late
from rothamsted.studies import Keep, Metric, Study, main


def data_digest(config: Config) -> str:
    """Return the digest of the images that a config trains on and is measured on.

    Weights to start from must be there, too.
    """
    from projects.image_classifier.data.load import load_images

    if config.model.weights is not None:
        from projects.image_classifier.weights import check_there, weights_path

        check_there(weights_path(config.model.weights))
    return load_images(config.data).digest


def rows(config: Config) -> dict[str, int]:
    """Return the images behind each accuracy: all of their part, of training as many as there are for validation."""
    from projects.image_classifier.data.load import load_images

    data = load_images(config.data)
    n_val = len(data.val.labels)
    of_class = np.bincount(data.val.labels, minlength=data.n_classes)
    return {
        "train_accuracy": min(len(data.train.labels), n_val),
        "val_accuracy": n_val,
        "best_val_accuracy": n_val,
        **{f"class_accuracy/{name}": int(n) for name, n in zip(data.class_names, of_class, strict=True) if n},
        **({"test/accuracy": len(data.test.labels)} if data.test is not None else {}),
    }


def keeps(config: Config) -> Keep:
    """Keep the best epoch by `monitor` in a training by hand; in a sweep its objective says."""
    return Keep(metric=config.monitor, direction="minimize" if config.monitor == "val_loss" else "maximize")


def prepare_cifar10(*, source: str | None = None, target: Path | None = None) -> Path:
    """Put CIFAR-10's files into a folder: downloaded, or taken from an archive or a folder."""
    from projects.image_classifier.data.cifar10 import prepare_cifar10 as prepare

    return prepare(source=source, target=target)


def prepare_b0_weights(
    *, source: str | None = None, target: Path | None = None, epochs: int = 12, n_train: int = 4000, seed: int = 0
) -> Path:
    """Make weights that EfficientNet-B0 can start from: torchvision's published ones, or trained here on letters."""
    from projects.image_classifier.pretrain import prepare_b0_weights as prepare

    return prepare(source=source, target=target, epochs=epochs, n_train=n_train, seed=seed)


_PARTS = {"train": "training", "val": "validation", "best_val": "best validation"}

STUDY = Study(
    name="image_classifier",
    config=Config,
    train=imported_late("projects.image_classifier.train"),
    rtol=0.0,
    extends=is_longer,
    datasets={"cifar10": prepare_cifar10, "b0_weights": prepare_b0_weights},
    data_digest=data_digest,
    user_errors=(DataProblem,),
    metrics={
        **{f"{part}_loss": Metric(direction="minimize", low=0, label=f"{name} loss") for part, name in _PARTS.items()},
        **{
            f"{part}_accuracy": Metric(direction="maximize", low=0, high=1, label=f"{name} accuracy")
            for part, name in _PARTS.items()
        },
        "test/loss": Metric(direction="minimize", low=0, label="test loss"),
        "test/accuracy": Metric(direction="maximize", low=0, high=1, label="test accuracy"),
        "test/f1": Metric(direction="maximize", low=0, high=1, label="test F1, a mean over classes"),
        "val_f1": Metric(direction="maximize", low=0, high=1, label="validation F1, a mean over classes"),
        "class_accuracy/*": Metric(direction="maximize", low=0, high=1, label="validation accuracy of one class"),
        "generalization_gap": Metric(low=-1, high=1, label="training less validation accuracy"),
        "batch_loss": Metric(direction="minimize", low=0, label="loss of the augmented batches"),
        "learning_rate": Metric(low=0, label="learning rate"),
        "samples_seen": Metric(low=0, label="training samples seen"),
        "best_epoch": Metric(low=0, label="epoch of the best weights"),
        "epochs_to_90": Metric(direction="minimize", low=0, label="epochs to 90 % of the best accuracy"),
        "val_accuracy_sd": Metric(
            direction="minimize", low=0, label="sd of validation accuracy over the last third of the epochs"
        ),
        "grad_norm": Metric(low=0, label="norm of the gradient"),
    },
    rows=rows,
    keeps=keeps,
    monitor="monitor",
    uses_gpu=True,
)

if __name__ == "__main__":
    main(STUDY)

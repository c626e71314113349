"""Run the study by `python -m projects.batch_size`; only this file imports the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from projects.batch_size.config import MOST_MEASURED_TRAIN_ROWS, RTOL, VARIES, Config, is_longer, static_key
from projects.batch_size.data import DataConfig, DataProblem, load_dataset
from projects.batch_size.data.config import data_folder
from projects.batch_size.data.mnist import prepare_mnist
from projects.batch_size.data.mnist1m import prepare_mnist1m
from projects.training.batches import n_rows_of
from projects.training.late import imported_late
from rothamsted.studies import Keep, Metric, Study, main


def data_digest(config: Config) -> str:
    """Return the digest of the rows that a config trains on and is measured on."""
    return load_dataset(config.data).digest


def rows(config: Config) -> dict[str, int]:
    """Return the rows behind each accuracy; none if the data have no classes."""
    data = load_dataset(config.data)
    if data.n_classes is None:
        return {}
    n_val = len(data.val_y)
    n_measured = min(len(data.train_y), n_val, MOST_MEASURED_TRAIN_ROWS)
    of_test = {} if data.test_y is None else {"test/accuracy": len(data.test_y)}
    return {"train_accuracy": n_measured, "val_accuracy": n_val, **of_test}


def extends(new: Config, old: Config) -> bool:
    """Say whether training `new` may go on from the end of `old`: not if `new` would have filled the last batch."""
    if not is_longer(new, old):
        return False
    if old.epochs is None or new.epochs == old.epochs:
        return True
    return n_rows_of(old.epochs, len(load_dataset(old.data).train_x)) % old.batch_size == 0


def _into_own_folder(
    name: Literal["mnist", "mnist1m"], prepare: Callable[[str | None, Path], Path]
) -> Callable[..., Path]:
    """Let a preparation write to where `data.path` looks by default, when no target is named."""

    def prepare_dataset(*, source: str | None = None, target: Path | None = None) -> Path:
        return prepare(source, target or data_folder(DataConfig(name=name)))

    return prepare_dataset


STUDY = Study(
    name="batch_size",
    config=Config,
    train=imported_late("projects.batch_size.train"),
    varies=VARIES,
    rtol=RTOL,
    static_key=static_key,
    extends=extends,
    datasets={
        "mnist": _into_own_folder("mnist", prepare_mnist),
        "mnist1m": _into_own_folder("mnist1m", prepare_mnist1m),
    },
    data_digest=data_digest,
    user_errors=(DataProblem,),
    metrics={
        "train_loss": Metric(direction="minimize", low=0, label="training loss"),
        "val_loss": Metric(direction="minimize", low=0, label="validation loss"),
        "train_accuracy": Metric(direction="maximize", low=0, high=1, label="training accuracy"),
        "val_accuracy": Metric(direction="maximize", low=0, high=1, label="validation accuracy"),
        "learning_rate": Metric(low=0, label="learning rate"),
        "grad_norm": Metric(low=0, label="norm of the gradient"),
        "weight_norm": Metric(low=0, label="norm of the weights"),
        "samples_seen": Metric(low=0, label="training samples seen"),
        "test/loss": Metric(direction="minimize", low=0, label="test loss"),
        "test/accuracy": Metric(direction="maximize", low=0, high=1, label="test accuracy"),
        "steps_to_target": Metric(direction="minimize", low=0, label="steps to the target loss"),
        "samples_to_target": Metric(direction="minimize", low=0, label="training samples to the target loss"),
    },
    rows=rows,
    keeps=lambda config: Keep(metric="val_loss", direction="minimize"),
    uses_gpu=True,
)

if __name__ == "__main__":
    main(STUDY)

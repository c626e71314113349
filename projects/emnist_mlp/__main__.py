"""Run the study by `python -m projects.emnist_mlp`; only this file imports the engine."""

from __future__ import annotations

from pathlib import Path

from projects.emnist_mlp.config import MOST_MEASURED_TRAIN_ROWS, RTOL, VARIES, Config, is_longer
from projects.emnist_mlp.data import DataProblem, load_dataset
from projects.emnist_mlp.data.config import FOLDER
from projects.emnist_mlp.data.emnist import prepare_emnist
from projects.emnist_mlp.data.synthetic import prepare_synthetic
from projects.training.late import imported_late
from rothamsted.studies import Keep, Metric, Study, main


def data_digest(config: Config) -> str:
    """Return the digest of the rows that a config trains on and is measured on."""
    return load_dataset(config.data).digest


def rows(config: Config) -> dict[str, int]:
    """Return the rows behind each accuracy."""
    data = load_dataset(config.data)
    return {
        "train/accuracy": min(len(data.train.y), MOST_MEASURED_TRAIN_ROWS),
        "validation/accuracy": len(data.validation.y),
        "test/accuracy": len(data.test.y),
    }


def prepare_balanced(*, source: str | None = None, target: Path | None = None) -> Path:
    """Put the files of EMNIST Balanced into a folder; without a target where `data.path` looks by default."""
    return prepare_emnist(source, target or FOLDER / "emnist")


STUDY = Study(
    name="emnist_mlp",
    config=Config,
    train=imported_late("projects.emnist_mlp.train"),
    varies=VARIES,
    rtol=RTOL,
    extends=is_longer,
    datasets={"emnist": prepare_balanced, "synthetic_emnist": prepare_synthetic},
    data_digest=data_digest,
    user_errors=(DataProblem,),
    metrics={
        **{
            f"{part}/{name}": metric
            for part in ("train", "validation", "test")
            for name, metric in (
                ("loss", Metric(direction="minimize", low=0, label=f"{part} loss")),
                ("accuracy", Metric(direction="maximize", low=0, high=1, label=f"{part} accuracy")),
            )
        },
        "gap/accuracy": Metric(low=-1, high=1, label="training less validation accuracy"),
        "learning_rate": Metric(low=0, label="learning rate"),
        "weight_norm": Metric(low=0, label="norm of the weights"),
        "samples_seen": Metric(low=0, label="training samples seen"),
    },
    rows=rows,
    keeps=lambda config: Keep(metric="validation/loss", direction="minimize"),
    uses_gpu=True,
)

if __name__ == "__main__":
    main(STUDY)

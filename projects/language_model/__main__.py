"""Run the study by `python -m projects.language_model`; only this file imports the engine."""

from __future__ import annotations

from pathlib import Path

from projects.files.problem import DataProblem
from projects.language_model.config import Config
from projects.language_model.problem import DeviceProblem
from projects.training.late import imported_late
from rothamsted.studies import Keep, Metric, Study, main


def data_digest(config: Config) -> str:
    """Return the digest of the tokens that a config trains on and is measured on, and of their vocabulary."""
    from projects.language_model.data import load_tokens

    return load_tokens(config).digest


def prepare(
    *,
    source: str | None = None,
    target: Path | None = None,
    vocab_size: int | None = None,
    train_sha256: str | None = None,
    valid_sha256: str | None = None,
) -> Path:
    """Copy or download the text of TinyStories; with a vocab_size, also make its vocabulary and tokens."""
    from projects.language_model.data.tinystories import NAME, prepare_tinystories

    checksums = {"train_sha256": train_sha256, "valid_sha256": valid_sha256}
    return prepare_tinystories(source, target or Path("data") / NAME, vocab_size=vocab_size, **checksums)


STUDY = Study(
    name="language_model",
    config=Config,
    train=imported_late("projects.language_model.train"),
    rtol=0.0,
    datasets={"tinystories": prepare},
    data_digest=data_digest,
    user_errors=(DataProblem, DeviceProblem),
    metrics={
        "train_loss": Metric(direction="minimize", low=0, unit="nat", label="training loss"),
        "val_loss": Metric(direction="minimize", low=0, unit="nat", label="validation loss"),
        "val_perplexity": Metric(direction="minimize", low=1, label="validation perplexity"),
        "val_bits_per_byte": Metric(direction="minimize", low=0, unit="bit", label="validation bits a byte"),
        "test/loss": Metric(direction="minimize", low=0, unit="nat", label="test loss"),
        "test/perplexity": Metric(direction="minimize", low=1, label="test perplexity"),
        "test/bits_per_byte": Metric(direction="minimize", low=0, unit="bit", label="test bits a byte"),
        "learning_rate": Metric(low=0, label="learning rate"),
        "grad_norm": Metric(low=0, label="norm of the gradient"),
        "samples_seen": Metric(low=0, label="training sequences seen"),
        "tokens_seen": Metric(low=0, label="training tokens seen"),
        "tokens_per_second": Metric(direction="maximize", low=0, unit="1/s", label="training tokens a second"),
        "peak_memory_mib": Metric(direction="minimize", low=0, unit="MiB", label="peak memory"),
        "parameters": Metric(low=0, label="parameters"),
        "parameters_without_embedding": Metric(low=0, label="parameters without the embedding"),
        "mfu": Metric(direction="maximize", low=0, label="share of the device's peak"),
    },
    keeps=lambda config: Keep(metric="val_loss", direction="minimize"),
    uses_gpu=True,
)

if __name__ == "__main__":
    main(STUDY)

"""Run the study by `python -m projects.global_workspace`; only this file imports the engine."""

from __future__ import annotations

from projects.files.problem import DataProblem
from projects.global_workspace.config import TERMS, Config
from projects.global_workspace.data.prepare import prepare_simple_shapes
from projects.global_workspace.population import RTOL, VARIES, is_longer, static_key
from projects.training.late import imported_late
from rothamsted.studies import Keep, Metric, Study, main


def data_digest(config: Config) -> str:
    """Return the digest of the rows that a config trains on and is measured on."""
    from projects.global_workspace.data.load import load_data

    return load_data(config.data).digest


def rows(config: Config) -> dict[str, int]:
    """Say how many bits each accuracy of a probe is over: those of all its columns, in the rows of its part."""
    from projects.global_workspace.data.load import load_data
    from projects.global_workspace.probed import bits_of_probes

    data = load_data(config.data)
    return {
        f"{prefix}probe/{kind}_accuracy": n_bits * split.n
        for prefix, split in (("", data.validation), ("test/", data.test))
        for kind, n_bits in bits_of_probes(config).items()
    }


STUDY = Study(
    name="global_workspace",
    config=Config,
    train=imported_late("projects.global_workspace.train"),
    varies=VARIES,
    rtol=RTOL,
    static_key=static_key,
    extends=is_longer,
    datasets={"simple_shapes": prepare_simple_shapes},
    data_digest=data_digest,
    user_errors=(DataProblem,),
    metrics={
        **{
            f"{part}/{name}": Metric(direction="minimize", low=0, label=f"{part} {name.replace('_', ' ')}")
            for part, names in (("train", ("objective", "loss", *TERMS)), ("validation", ("loss", "best_loss", *TERMS)))
            for name in names
        },
        "reconstruction/*_mse": Metric(direction="minimize", low=0, label="squared error of reconstruction"),
        "*_accuracy": Metric(direction="maximize", low=0, high=1, label="share of bits that are read rightly"),
        "*_normalised_cross_entropy": Metric(direction="minimize", low=0, label="cross-entropy over entropy"),
        "probe/*_chance": Metric(low=0, high=1, label="accuracy of the more frequent answer"),
        "readout/*_mse": Metric(direction="minimize", low=0, label="squared error on validation rows"),
        "readout/variance_*": Metric(low=0, label="variance of validation rows"),
        "test/probe/*_chance": Metric(low=0, high=1, label="accuracy of the more frequent answer, test rows"),
        "test/pid/*": Metric(unit="bit", label="part of the information, test rows"),
        "test/*_mse": Metric(direction="minimize", low=0, label="squared error on test rows"),
        "test/variance_*": Metric(low=0, label="variance of test rows"),
        "pid/*": Metric(unit="bit", label="part of the information"),  # an estimate: rounding may put it below 0
        "learning_rate": Metric(low=0, label="learning rate"),
        "samples_seen": Metric(low=0, label="training samples seen"),
    },
    rows=rows,
    keeps=lambda config: Keep(metric="probe/synergy_accuracy", direction="maximize", reduce="last"),
    uses_gpu=True,
)

if __name__ == "__main__":
    main(STUDY)

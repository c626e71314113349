"""One study at a time: its contract, the driver that trains it, its checkpoints and exports, runs by hand.

Importing this is cheap, so that `python -m projects.<study> --help` answers at once: MLflow, matplotlib and
the command line are imported where they are used.
"""

from rothamsted.metric import Metric
from rothamsted.study.artifacts import Contents, log_artifacts, write_artifacts
from rothamsted.study.by_hand import main, run_by_hand
from rothamsted.study.checkpoint import Checkpoint, Snapshot
from rothamsted.study.command_line import ByHand
from rothamsted.study.contract import (
    MeasurementLike,
    Study,
    check_population,
    digest_of_data,
    population_key,
    rows_of_shares,
)
from rothamsted.study.driver import OnArtifacts, drive
from rothamsted.study.exports import write_exports
from rothamsted.study.fields import field_names, field_types, flatten, set_fields
from rothamsted.study.find import load_study, study_module
from rothamsted.study.keep import Keep
from rothamsted.study.prepare import describe_datasets, prepare_data
from rothamsted.study.provenance import source_tags, study_tags
from rothamsted.study.signals import StopRequest, stop_on_signals

__all__ = [
    "ByHand",
    "Checkpoint",
    "Contents",
    "Keep",
    "MeasurementLike",
    "Metric",
    "OnArtifacts",
    "Snapshot",
    "StopRequest",
    "Study",
    "check_population",
    "describe_datasets",
    "digest_of_data",
    "drive",
    "field_names",
    "field_types",
    "flatten",
    "load_study",
    "log_artifacts",
    "main",
    "population_key",
    "prepare_data",
    "rows_of_shares",
    "run_by_hand",
    "set_fields",
    "source_tags",
    "stop_on_signals",
    "study_module",
    "study_tags",
    "write_artifacts",
    "write_exports",
]

"""Train one study: its contract, the driver that trains it, its checkpoints and exports, runs by hand.

Importing this is quick, so that `python -m projects.<study> --help` answers at once: MLflow, matplotlib and the command
line are imported where they are used.
"""

from rothamsted.metric import Metric
from rothamsted.studies.artifacts import Contents, log_artifacts, write_artifacts
from rothamsted.studies.by_hand import main, run_by_hand
from rothamsted.studies.checkpoint import Checkpoint, Snapshot
from rothamsted.studies.checkpoint_files import CheckpointFiles
from rothamsted.studies.command_line import ByHand
from rothamsted.studies.contract import (
    MeasurementLike,
    Study,
    check_population,
    digest_of_data,
    population_key,
    rows_of_shares,
)
from rothamsted.studies.driver import OnArtifacts, drive
from rothamsted.studies.exports import CONFIG_FILE, config_text, write_exports
from rothamsted.studies.fields import field_names, field_types, flatten, set_fields
from rothamsted.studies.find import find, is_script, load_study, study_module
from rothamsted.studies.keep import Keep
from rothamsted.studies.multirun import has_several
from rothamsted.studies.prepare import describe_datasets, prepare_data
from rothamsted.studies.provenance import machine_facts, origin_files, source_tags, study_tags, without_origin
from rothamsted.studies.signals import StopRequest, stop_on_signals

__all__ = [
    "CONFIG_FILE",
    "ByHand",
    "Checkpoint",
    "CheckpointFiles",
    "Contents",
    "Keep",
    "MeasurementLike",
    "Metric",
    "OnArtifacts",
    "Snapshot",
    "StopRequest",
    "Study",
    "check_population",
    "config_text",
    "describe_datasets",
    "digest_of_data",
    "drive",
    "field_names",
    "field_types",
    "find",
    "flatten",
    "has_several",
    "is_script",
    "load_study",
    "log_artifacts",
    "machine_facts",
    "main",
    "origin_files",
    "population_key",
    "prepare_data",
    "rows_of_shares",
    "run_by_hand",
    "set_fields",
    "source_tags",
    "stop_on_signals",
    "study_module",
    "study_tags",
    "without_origin",
    "write_artifacts",
    "write_exports",
]

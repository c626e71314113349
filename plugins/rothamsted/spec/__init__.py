"""Read and check sweep files: one schema, one loader, and the values of a checked sweep."""

from rothamsted.spec.document import dotted
from rothamsted.spec.grown import Begun, Growth, growth
from rothamsted.spec.load import SWEEP_KEYS, from_resolved, load_sweep
from rothamsted.spec.not_yet import NOT_YET, NotYet
from rothamsted.spec.plan import Plan, most_workers, n_workers, plan
from rothamsted.spec.recorded import digest, recorded, secrets_of, with_secrets, without_secrets_in
from rothamsted.spec.resolved import PLACE_KEYS, difference, resolved
from rothamsted.spec.schema import (
    FILE_KEYS,
    Confirm,
    EarlyStopping,
    Execution,
    Objective,
    Pruner,
    Racing,
    Replicates,
    Sampler,
    Stage,
    Statistics,
    Sweep,
    Task,
    WarmStart,
)

__all__ = [
    "FILE_KEYS",
    "NOT_YET",
    "PLACE_KEYS",
    "SWEEP_KEYS",
    "Begun",
    "Confirm",
    "EarlyStopping",
    "Execution",
    "Growth",
    "NotYet",
    "Objective",
    "Plan",
    "Pruner",
    "Racing",
    "Replicates",
    "Sampler",
    "Stage",
    "Statistics",
    "Sweep",
    "Task",
    "WarmStart",
    "difference",
    "digest",
    "dotted",
    "from_resolved",
    "growth",
    "load_sweep",
    "most_workers",
    "n_workers",
    "plan",
    "recorded",
    "resolved",
    "secrets_of",
    "with_secrets",
    "without_secrets_in",
]

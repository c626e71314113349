"""The sweep file: one schema, one loader, and what can be asked of a checked sweep."""

from rothamsted.spec.document import dotted
from rothamsted.spec.load import SWEEP_KEYS, from_resolved, load_sweep
from rothamsted.spec.not_yet import NOT_YET, NotYet
from rothamsted.spec.plan import Plan, plan
from rothamsted.spec.resolved import PLACE_KEYS, difference, digest, grown_only, resolved, seeds_of
from rothamsted.spec.schema import Confirm, Execution, Objective, Racing, Replicates, Sampler, Statistics, Sweep

__all__ = [
    "NOT_YET",
    "PLACE_KEYS",
    "SWEEP_KEYS",
    "Confirm",
    "Execution",
    "NotYet",
    "Objective",
    "Plan",
    "Racing",
    "Replicates",
    "Sampler",
    "Statistics",
    "Sweep",
    "difference",
    "digest",
    "dotted",
    "from_resolved",
    "grown_only",
    "load_sweep",
    "plan",
    "resolved",
    "seeds_of",
]

"""Define the values of promotion: the evidence for a model, and the verdict on it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rothamsted.metric import Metric

if TYPE_CHECKING:
    from rothamsted.statistics import Interval

Decision = Literal["promoted", "kept", "undecided"]


@dataclass(frozen=True, kw_only=True)
class EvidenceRun:
    """Holds one replicate of a model's evidence."""

    run_id: str
    seed: str
    objective: float  # NaN where it diverged or failed
    metrics: Mapping[str, float] = field(default_factory=dict)  # final values
    outcome: str = "finished"  # finished, diverged, failed
    model_uri: str = ""  # of the model logged with it; empty where none was


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Holds the evidence for one model: replicates of its condition, on seeds that the search did not use."""

    label: str  # its condition, in a line
    config: Mapping[str, Any]  # dotted field of the study's config -> value, without the seed
    study: str
    runs: tuple[EvidenceRun, ...]
    sweep: str  # name
    sweep_run_id: str
    commit: str  # of git; empty where unknown
    code_digest: str  # SHA-256 of the study's source files; empty where unknown
    data_digest: str  # of the data that it trained on; empty where the study has none
    metric: str
    version: str = ""  # of the registered model; empty for one that is not registered yet
    metrics: Mapping[str, Metric] = field(default_factory=dict)  # what its study declares of them

    def digest(self) -> str:
        """Return the SHA-256 of the evidence's objectives; altered evidence has another one."""
        rows = sorted((r.run_id, r.seed, repr(float(r.objective)), r.outcome) for r in self.runs)
        text = json.dumps([self.study, self.metric, self.data_digest, rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def metric_digest(self, metric: str) -> str:
        """Return the SHA-256 of the final values of one metric; a run without it counts as NaN."""
        rows = sorted((run.run_id, repr(float(run.metrics.get(metric, math.nan)))) for run in self.runs)
        return hashlib.sha256(json.dumps([metric, rows], separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ConstraintResult:
    """Holds one constraint of a policy, and whether the evidence meets it."""

    text: str  # as in the policy
    value: float  # NaN where the metric is not there
    is_met: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Holds what was decided about a challenger, and why."""

    decision: Decision
    reasons: tuple[str, ...]  # sentences; the first says it all
    compared_with: str = ""  # version of the champion; empty where there was none
    is_paired: bool = False  # both ran on common fresh seeds
    difference: Interval | None = None  # challenger minus champion, in the objective's units
    p_value: float | None = None
    test: str = ""
    level: float = 0.95
    look: int = 1  # at this challenger against this champion
    share: float = 0.0  # of the error rate that this look could spend; 0 where nothing was compared
    n: int = 0  # pairs, or the smaller group
    more_replicates: int | None = None  # for undecided: how many more a contestant would probably decide
    constraints: tuple[ConstraintResult, ...] = ()

"""Check a policy's constraints on other metrics: `parameters < 5e6`, `predict_ms < 20`, `val_accuracy/ci_low > 0.9`.

A constraint is NAME or NAME/STATISTIC, then one of < <= > >=, then a number. It is read by a regular expression and a
table of four operators, and never evaluated as code."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.metric import SUMMARY_KEYS, Metric, declared
from rothamsted.promotion.types import ConstraintResult, Evidence, EvidenceRun
from rothamsted.wording import count, joined, level_percent, number, verb

STATISTICS = tuple(key for key in SUMMARY_KEYS if key not in ("sem", "n"))
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MISSPELT = 0.8  # how like a statistic the end of a name must be to count as misspelt: ci_lo, Mean

_FORM = re.compile(
    r"\s*(?P<name>[A-Za-z_][\w.:@/-]*)"
    r"\s*(?P<sign><=|>=|<|>)"
    r"\s*(?P<bound>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)\s*",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class PolicyConstraint:
    """Holds a bound on one statistic of one metric over the replicates."""

    text: str  # as in the policy
    metric: str
    statistic: str  # one of STATISTICS
    sign: str  # one of OPERATORS
    bound: float


def parse_constraint(text: str) -> PolicyConstraint:
    """Read a constraint.

    Raises:
        ValueError: it has another form, a bound that is not finite, or an unknown statistic.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is not a constraint; write METRIC or METRIC/STATISTIC, one of {' '.join(OPERATORS)}, and a "
            f"number, as in val_accuracy/ci_low > 0.9; statistics: {', '.join(STATISTICS)}"
        )
    bound = float(found["bound"])
    if not math.isfinite(bound):
        raise ValueError(f"{text!r}: {found['bound']} is too large for a float; give a smaller one")
    metric, statistic = _split(found["name"])
    return PolicyConstraint(text=text.strip(), metric=metric, statistic=statistic, sign=found["sign"], bound=bound)


def metrics_of(texts: Sequence[str]) -> list[str]:
    """Return the metrics of constraints, each once."""
    return list(dict.fromkeys(parse_constraint(text).metric for text in texts))


def check_constraints(evidence: Evidence, texts: Sequence[str], *, level: float) -> tuple[ConstraintResult, ...]:
    """Check the finished replicates of a model against constraints.

    If a finished replicate lacks a metric, or it is NaN or infinite, the constraint is not met: the mean of the others
    would be that of the lucky ones.

    Args:
        evidence: the model's evidence; the final metrics of its finished runs count.
        texts: the constraints, as `parse_constraint` reads them.
        level: coverage of ci_low to ci_high by Student's t, both ends together.
    """
    finished = [run for run in evidence.runs if run.outcome == "finished"]
    return tuple(_check(parse_constraint(text), finished, evidence.metrics, level) for text in texts)


def _split(name: str) -> tuple[str, str]:
    """Split NAME/STATISTIC; names of metrics may contain slashes too."""
    metric, slash, last = name.rpartition("/")
    if slash and metric and last in STATISTICS:
        return metric, last
    if slash and (close := difflib.get_close_matches(last.lower(), STATISTICS, n=1, cutoff=MISSPELT)):
        raise ValueError(
            f"{name}: {last} is not a statistic; did you mean {close[0]}? known: {', '.join(STATISTICS)} "
            f"(a metric of this name is written {name}/mean)"
        )
    return name, "mean"


def _check(
    constraint: PolicyConstraint, finished: Sequence[EvidenceRun], metrics: Mapping[str, Metric], level: float
) -> ConstraintResult:
    values = np.array([run.metrics.get(constraint.metric, math.nan) for run in finished], dtype=np.float64)
    n_finite = int(np.isfinite(values).sum())
    from rothamsted.statistics import summarize  # a policy is checked without what computes

    summary = summarize(values[:, None], level, declared(metrics, constraint.metric))
    value = float(summary[constraint.statistic][0]) if n_finite else math.nan
    if n_finite == 0:
        return _unmet(constraint, math.nan, _absence(constraint, finished))
    if n_finite < len(finished):
        missing = len(finished) - n_finite
        reason = (
            f"{missing} of {count(len(finished), 'replicate')} {verb(missing, 'has', 'have')} no finite "
            f"{constraint.metric}"
        )
        return _unmet(constraint, value, reason)
    if math.isnan(value):
        why = "one replicate has" if n_finite == 1 else f"{n_finite} values, all at one end of their range, have"
        return _unmet(constraint, value, f"{why} no {constraint.statistic}")
    is_met = OPERATORS[constraint.sign](value, constraint.bound)
    at = f", {level_percent(level)}" if constraint.statistic.startswith("ci_") else ""
    reason = f"{constraint.statistic} {number(value, 6)} (n = {n_finite}{at})"
    return ConstraintResult(text=constraint.text, value=value, is_met=is_met, reason=reason)


def _absence(constraint: PolicyConstraint, finished: Sequence[EvidenceRun]) -> str:
    """Why there is no value at all, and which metrics there are."""
    if not finished:
        return "no finished replicate"
    if any(constraint.metric in run.metrics for run in finished):
        return f"no replicate has a finite {constraint.metric}"
    known = sorted({name for run in finished for name in run.metrics})
    close = difflib.get_close_matches(constraint.metric, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"no replicate has a metric {constraint.metric}; {hint}known: {joined(known) or 'none'}"


def _unmet(constraint: PolicyConstraint, value: float, reason: str) -> ConstraintResult:
    return ConstraintResult(text=constraint.text, value=value, is_met=False, reason=reason)

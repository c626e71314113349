"""Give the best condition of a search, or the best on fresh seeds, as a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Analysis, ConditionSummary, Interval, Phase
from rothamsted.errors import UserError
from rothamsted.wording import estimate


@dataclass(frozen=True, kw_only=True)
class ConditionEstimate:
    """Holds a condition with its mean and the interval for the mean.

    Attributes:
        values: parameter -> value.
        mean: mean of the objective over its replicates, or the number that `objective.over` names, in the metric's
            unit.
        ci_low, ci_high: ends of the interval for it, at the level of the analysis; NaN if there is none.
        n: number of replicates.
        verdict: best, as good, open or worse; empty if nothing could be compared.
        label: the values as one line.
        condition: number of the condition.
        run_id: MLflow run of its trial, or of its trial on fresh seeds.
        model: URI of a trained model; empty if none was logged.

    Example:
        >>> import rothamsted as rt
        >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
        >>> best = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss").best
        >>> best.values, best.n, best.verdict
        ({'lr': 0.1}, 3, 'best')
    """

    values: Mapping[str, Any]
    mean: float
    ci_low: float
    ci_high: float
    n: int
    verdict: str
    label: str
    condition: int
    run_id: str
    model: str

    def __repr__(self) -> str:
        written = estimate(self.mean, self.ci_low, self.ci_high)
        return f"{self.label}: {written.value} {written.interval}, n = {self.n}" + (
            f", {self.verdict}" if self.verdict else ""
        )


def best_of(analysis: Analysis) -> ConditionEstimate:
    """Return the best condition of the search, by its own mean.

    Raises:
        UserError: no condition has a mean.
    """
    if not analysis.ranking:
        raise UserError(f"best: no condition of {analysis.dataset.name} has a mean yet; look at .replicates for why")
    number = analysis.ranking[0]
    summary = next(one for one in analysis.objective if one.condition == number)
    return _estimate(analysis, number, "search", summary, summary.interval, summary.value)


def confirmed_of(analysis: Analysis) -> ConditionEstimate:
    """Return the best condition on fresh seeds: the estimate to report.

    Raises:
        UserError: nothing is confirmed.
    """
    for one in analysis.confirmed:
        if one.mean is not None and one.summary is not None:
            return _estimate(analysis, one.condition, "confirm", one.summary, one.confirmed, one.mean)
    why = analysis.gaps.get("confirmed", "it has no mean on fresh seeds")
    raise UserError(f"confirmed: {analysis.dataset.name}: {why}")


def _estimate(
    analysis: Analysis, number: int, phase: Phase, summary: ConditionSummary, interval: Interval | None, mean: float
) -> ConditionEstimate:
    condition = next(one for one in analysis.dataset.conditions if one.number == number)
    members = members_of(analysis.dataset, phase)[number]
    against = analysis.best.verdicts.get(number) if analysis.best else None
    is_best = number in analysis.ranking[:1]
    return ConditionEstimate(
        values=dict(condition.values),
        mean=mean,
        ci_low=interval.low if interval else math.nan,
        ci_high=interval.high if interval else math.nan,
        n=summary.n,
        verdict="best" if is_best else against.verdict if against else "",
        label=condition.label,
        condition=number,
        run_id=condition.confirm_run_id if phase == "confirm" else condition.run_id,
        model=next((one.model for one in members if one.model), ""),
    )

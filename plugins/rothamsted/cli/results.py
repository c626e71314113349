"""Turn an analysis into plain values, which --json prints for a sweep, an analysis or a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.analysis.values import Analysis, ConditionSummary
from rothamsted.reporting.verdicts import verdict_of


def plain_analysis(analysis: Analysis) -> dict[str, Any]:
    """Return the conditions, best first, those without a place at the end, and the confirmed ones."""
    dataset, summaries = analysis.dataset, {one.condition: one for one in analysis.objective}
    numbers = [*analysis.ranking, *(number for number in summaries if number not in analysis.ranking)]
    conditions = {one.number: one for one in dataset.conditions}
    ranks = {number: rank for rank, number in enumerate(analysis.ranking, start=1)}
    return {
        "sweep": dataset.name,
        "run_id": dataset.run_id,
        "experiment_id": dataset.experiment_id,
        "is_complete": dataset.is_complete,
        "metric": dataset.objective.metric,
        "direction": dataset.objective.direction,
        "level": analysis.level,
        "conditions": [
            {
                "condition": number,
                "values": dict(conditions[number].values),
                "rank": ranks.get(number),
                "verdict": verdict_of(analysis, number) if analysis.best is not None and number in ranks else None,
                **_estimate(summaries[number]),
                "run_id": conditions[number].run_id,
            }
            for number in numbers
        ],
        "confirmed": [
            {
                "condition": one.condition,
                "values": dict(conditions[one.condition].values),
                **(_estimate(one.summary) if one.summary is not None else {}),
            }
            for one in analysis.confirmed
        ],
        "marks": list(analysis.marks),
    }


def _estimate(summary: ConditionSummary) -> Mapping[str, Any]:
    interval = summary.interval
    return {
        "value": summary.value,
        "ci_low": interval.low if interval is not None else None,
        "ci_high": interval.high if interval is not None else None,
        "n": summary.n,
    }

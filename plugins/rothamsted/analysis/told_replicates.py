"""Read and write what the search keeps of each replicate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import not_finite
from rothamsted.analysis.values import Phase, Replicate
from rothamsted.records import Outcome
from rothamsted.search import ToldTrial
from rothamsted.spec import Sweep

_LONGEST_REASON = 500  # characters


def told_replicates(attributes: Mapping[str, Any], sweep: Sweep, *, trial: int, ended_ms: int = 0) -> list[Replicate]:
    """Return the replicates in a trial's attributes. The trial of a confirmation is one replicate of a condition.

    Args:
        attributes: Attributes of the trial.
        sweep: The sweep of the trial.
        trial: Number of the trial in its queue.
        ended_ms: When it ended, milliseconds since 1970.
    """
    item: Mapping[str, Any] | None = attributes.get(tags.CONFIRMS)
    result = attributes.get(tags.RESULT, {"replicates": ()})
    phase: Phase = "search" if item is None else "confirm"
    number = trial if item is None else item["trial"]
    models = result.get("models", {})
    return [
        _replicate(one, sweep, number, phase, ended_ms, models.get(str(one["replicate"]), {}))
        for one in result["replicates"]
    ]


def replicates_of(trial: ToldTrial, sweep: Sweep) -> list[Replicate]:
    """Return the replicates of a trial of the search or of the confirmation."""
    return told_replicates(trial.attributes, sweep, trial=trial.number, ended_ms=trial.ended_ms)


def told_outcomes(result: Mapping[str, Any]) -> dict[int, str]:
    """Return replicate -> its outcome, from a trial's recorded result."""
    return {one["replicate"]: one["outcome"] for one in result["replicates"]}


def as_told(one: Replicate) -> dict[str, Any]:
    """Return a replicate as the search keeps it, in JSON values."""
    reason = one.reason or one.stopped_early
    return {
        "replicate": one.number,
        "seed": int(one.seed),
        "run_id": one.run_id,
        "outcome": one.outcome,
        "objective": one.objective if one.has_score else None,
        **({"others": list(one.others)} if one.others else {}),
        **({"attempt": one.attempt} if one.attempt > 1 else {}),
        **({"last": dict(one.last)} if one.last else {}),
        **({"tested": dict(one.tested)} if one.tested else {}),
        **({"reason": reason[:_LONGEST_REASON]} if reason else {}),
    }


def _replicate(
    told: Mapping[str, Any], sweep: Sweep, condition: int, phase: Phase, ended_ms: int, model: Mapping[str, str]
) -> Replicate:
    """One of them; a finished one of an older sweep whose objective is not finite has diverged."""
    objective, others, outcome = told["objective"], tuple(told.get("others", ())), told["outcome"]
    reason = told.get("reason", "")
    metrics = [one.metric for one in sweep.objectives]
    if outcome == Outcome.FINISHED and (why := not_finite((objective, *others), metrics)):
        outcome, reason = Outcome.DIVERGED.value, why
    is_finished = outcome == Outcome.FINISHED
    return Replicate(
        run_id=told["run_id"],
        condition=condition,
        seed=str(told["seed"]),
        outcome=outcome,
        objective=float(objective) if is_finished and objective is not None else math.nan,
        seconds=math.nan,
        phase=phase,
        reason="" if is_finished else reason,
        stopped_early=reason if is_finished else "",
        others=others if is_finished else (),
        last=told.get("last", {}),
        tested=told.get("tested", {}),
        ended_ms=ended_ms,
        number=told["replicate"],
        attempt=told.get("attempt", 1),
        model=model.get("uri", ""),
        model_problem=model.get("problem", ""),
        varied=sweep.varied_by(told["seed"]),
    )

"""Compare sweeps or runs: each is a condition of the result, and the first is the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rothamsted import tracking
from rothamsted.analysis.read_compared import read_compared
from rothamsted.analysis.scored import direction_by_name, with_score
from rothamsted.analysis.settings import settings_of
from rothamsted.analysis.values import Dataset
from rothamsted.calls.result import Result
from rothamsted.errors import UserError
from rothamsted.metric import declared
from rothamsted.spec import Objective

PLACE = "rt.compare"


def compare(
    results_or_names: Sequence[Result | str],
    /,
    *,
    names: Sequence[str] | None = None,
    metric: str | None = None,
    direction: Literal["minimize", "maximize"] | None = None,
    level: float | None = None,
) -> Result:
    """Compare results: each becomes one row, by its best condition, on fresh seeds if it has them.

    Args:
        results_or_names: two or more results, names of sweeps, or names or ids of runs.
        names: a name for each, in their order; None: its own name.
        metric: the metric to compare by; None: the objective that they have in common.
        direction: minimize or maximize; None: as the sweeps set or declare it, or as the metric's name says.
        level: confidence level of intervals and verdicts; None: the level of the sweeps' files if they agree, else
            0.95.

    Raises:
        UserError: fewer than two are given, nothing has this name, or they have no metric in common.

    Example:
        >>> from rothamsted import analyze
        >>> def trained(shift: float) -> Result:
        ...     rows = [{"lr": 0.1, "seed": seed, "loss": shift + seed / 100} for seed in (0, 1, 2)]
        ...     return analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
        >>> compared = compare([trained(0.0), trained(1.0)], names=["A", "B"])
        >>> compared.conditions[["label", "verdict"]].to_dict("records")
        [{'label': 'A', 'verdict': 'best'}, {'label': 'B', 'verdict': 'worse'}]
    """
    if isinstance(results_or_names, (str, Result)) or len(results_or_names) < 2:
        raise UserError(f"{PLACE}: takes a list of two or more results or names, such as ['a', 'b']")
    if names is not None and len(names) != len(results_or_names):
        raise UserError(f"{PLACE}: {len(names)} names for {len(results_or_names)} results; give one each")
    if level is not None and not 0 < level < 1:
        raise UserError(f"{PLACE}: level={level} must lie between 0 and 1, such as 0.95")
    if direction is not None and metric is None:
        raise UserError(f"{PLACE}: direction={direction} needs metric=…; give it, too")
    results = [one for one in results_or_names if isinstance(one, Result)]
    objective = None if metric is None else _objective(metric, direction, results)
    references = [one if isinstance(one, str) else _dataset(one, objective) for one in results_or_names]
    uri = tracking.tracking_uri()
    if any(isinstance(one, str) for one in references):
        tracking.check_reachable(uri)
    dataset, _ = read_compared(references, uri=uri, objective=objective, names=names or ())
    settings = replace(settings_of(dataset.statistics), reference=0)
    settings = settings if level is None else replace(settings, level=level)
    return Result(dataset=dataset, settings=settings)


def _dataset(result: Result, objective: Objective | None) -> Dataset:
    """The result's data, by the metric that is asked for."""
    if objective is None or objective.metric == result.dataset.objective.metric:
        return result.dataset
    return with_score(result.with_curves([objective.metric]), objective)


def _objective(metric: str, direction: str | None, results: Sequence[Result]) -> Objective:
    for one in results:
        own = one.dataset.objective
        if own.metric == metric and direction in (None, own.direction):
            return own
        direction = direction or declared(one.dataset.metrics, metric).direction
    direction = direction or direction_by_name(metric)
    if direction is None:
        raise UserError(f"{PLACE}: direction is missing: is more {metric} better? give 'maximize' or 'minimize'")
    return Objective.model_validate({"metric": metric, "direction": direction})

"""Give a dataset another objective: another metric of its curves, or a score made of several."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import numpy as np

from rothamsted.analysis.objectives import not_finite, objective_of
from rothamsted.analysis.values import Dataset, Objective, Replicate, Series
from rothamsted.errors import StoreError
from rothamsted.expression import Expression, ExpressionError
from rothamsted.suggest import known_names

Direction = Literal["minimize", "maximize"]
_BRACED = re.compile(r"\{[^{}]*\}")
_BETTER_HIGH = ("acc", "f1", "auc", "score", "reward", "precision", "recall", "r2")
_BETTER_LOW = ("loss", "error", "err", "mse", "mae", "rmse", "nll", "perplexity", "ppl", "seconds", "time")


def direction_by_name(metric: str) -> Direction | None:
    """Return the direction that the name of a metric tells, or None."""
    words = metric.lower()
    if any(word in words for word in _BETTER_HIGH):
        return "maximize"
    return "minimize" if any(word in words for word in _BETTER_LOW) else None


def score_of(
    objective: Objective, known: Collection[str], place: str, *, is_direction_guessed: bool
) -> Objective | None:
    """Return the composite score that an objective's metric spells; None if it is the name of a metric.

    Args:
        objective: Its metric is a name, or arithmetic on names: `val_acc - max(0, train_acc - val_acc - 3)`.
        known: The metrics that are logged. Their names are names, even if they look like arithmetic (`train/acc`).
        place: What errors call the data.
        is_direction_guessed: Whether the direction is a guess. A score has no name to guess by.

    Raises:
        StoreError: It is arithmetic on a metric that was not logged, or has no direction.
    """
    text = objective.metric
    if text in known or not known:
        return None
    try:
        names = Expression(text).names
    except ExpressionError:
        return None
    missing = sorted(names - set(known))
    if not names or names == {text} or (missing and _is_name(text)):
        return None
    if missing:
        hint = known_names(missing[0], known)
        unbraced = [name for name in known if not name.isidentifier() and name in _BRACED.sub("", text)]
        if unbraced:
            longest = max(unbraced, key=len)
            hint = f"{longest} is a name, not arithmetic: write {{{longest}}}"
        raise StoreError(f"{place}: metric={text}: no replicate has the metric {missing[0]!r}; {hint}")
    if is_direction_guessed:
        raise StoreError(
            f"{place}: direction is missing: is more {text} better? give direction=maximize or direction=minimize"
        )
    values = {**objective.model_dump(exclude={"metric", "name"}), "expression": text}
    return Objective.model_validate(values)


def _is_name(text: str) -> bool:
    """Whether a text reads like the name of one metric: `val/los` is no division."""
    return re.fullmatch(r"[A-Za-z_][\w./]*", text) is not None


def with_score(dataset: Dataset, objective: Objective) -> Dataset:
    """Return the dataset with a score as its objective, computed at every step that has all its metrics.

    Args:
        dataset: A dataset with the curves of these metrics.
        objective: A composite score, or a metric.
    """
    expression = Expression(objective.expression or f"{{{objective.metric}}}")
    is_foreign = bool({"project", "command"} & dataset.design.keys())  # there step 0 counts: nobody knows what it means
    replicates = tuple(_scored(one, expression, objective, counts_step_0=is_foreign) for one in dataset.replicates)
    return replace(dataset, objective=objective, others=(), replicates=replicates)


def _scored(one: Replicate, expression: Expression, objective: Objective, *, counts_step_0: bool) -> Replicate:
    series = _series(one, expression)
    made = {} if series is None else {objective.metric: series}
    last = {} if series is None else {objective.metric: float(series.values[-1])}
    own = replace(one, objective=math.nan, others=(), series={**one.series, **made}, metrics={**one.metrics, **last})
    if one.outcome not in ("finished", "diverged"):
        return own
    value = objective_of(series, objective, counts_step_0=counts_step_0)
    if why := not_finite([value], [objective.metric]):
        return replace(own, outcome="diverged", reason=why)
    if one.outcome == "diverged":
        return own
    return replace(own, objective=math.nan if value is None else value)


def _series(one: Replicate, expression: Expression) -> Series | None:
    """The score's curve; None where its metrics were never logged at one step."""
    if not expression.names <= one.series.keys() or not expression.names:
        return None
    curves = {name: one.series[name] for name in expression.names}
    steps = sorted(set.intersection(*(set(curve.steps.tolist()) for curve in curves.values())))
    if not steps:
        return None
    at = {name: dict(zip(curve.steps.tolist(), curve.values.tolist())) for name, curve in curves.items()}
    values = [expression.evaluate({name: at[name][step] for name in curves}) for step in steps]
    first = next(iter(curves.values()))
    kept = np.isin(first.steps, steps)
    return Series(
        steps=first.steps[kept],
        values=np.array(values, dtype=np.float64),
        seconds=first.seconds[kept],
        epochs=first.epochs[kept],
        samples=None if first.samples is None else first.samples[kept],
    )

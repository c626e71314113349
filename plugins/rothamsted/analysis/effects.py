"""Compute the effects of a dataset's factors on its objective.

This needs factors with levels that several conditions share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Dataset, FactorEffects
from rothamsted.statistics import factor_effects

_ABSENT = "not set"  # the level of a factor that does not apply to a condition


def effects_of(dataset: Dataset, numbers: Sequence[int], *, level: float) -> tuple[FactorEffects | None, str]:
    """Return the analysis of variance over the ranked conditions, or None with the reason if it does not apply."""
    varying = [factor.name for factor in dataset.factors if len(factor.levels) > 1]
    if not varying:
        return None, "no factor has more than one level"
    conditions = {condition.number: condition for condition in dataset.conditions}
    members = members_of(dataset)
    observed = [
        (number, r)
        for number in numbers
        for r in members[number]
        if r.outcome == "finished" and np.isfinite(r.objective)
    ]
    levels = {
        name: [_level(conditions[number].values.get(name, _ABSENT)) for number, _ in observed] for name in varying
    }
    has_seeds = all(r.seed for _, r in observed)
    found = factor_effects(
        np.array([r.objective for _, r in observed]),
        levels,
        seeds=[r.seed for _, r in observed] if has_seeds else None,
        level=level,
        errors="own",
    )
    return (found, "") if found.rows else (None, found.note)


def _level(value: Any) -> Any:
    """A level that can be a key: numbers and texts stay, lists and maps become their text."""
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if isinstance(value, int | float | str | bool) or value is None:
        return value
    return json.dumps(value, sort_keys=True, default=str)

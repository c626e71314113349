"""Whether what a study logs is what it has declared."""

from __future__ import annotations

import math
from typing import Any

from rothamsted.metric import UNKNOWN, declared
from rothamsted.records import Measured, Outcome
from rothamsted.study import Study, drive


def not_as_declared(study: Study, config: Any) -> list[str]:
    """What a training of a config logs undeclared, or outside its declared range; empty where all is well."""
    seen: list[Measured] = []
    (ending,) = drive(study, [config], on_measurement=lambda member, measured: seen.append(measured))
    assert ending.outcome is Outcome.FINISHED, ending.reason
    found = set()
    logged = [*(measured.metrics for measured in seen), ending.closing]
    for name, value in [item for metrics in logged for item in metrics.items()]:
        metric = declared(study.known_metrics, name)
        if metric is UNKNOWN:
            found.add(f"{name} is not declared")
        if math.isfinite(value) and not metric.holds(value):
            found.add(f"{name} = {value} is not {metric.range_words}")
    return sorted(found)

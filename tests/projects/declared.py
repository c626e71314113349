"""Whether what a study logs is what it has declared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rothamsted.metric import UNKNOWN, declared
from rothamsted.records import Measured, Outcome
from rothamsted.statistics.shares import why_no_share
from rothamsted.studies import Study, drive, rows_of_shares


def not_as_declared(study: Study, config: Any) -> list[str]:
    """What a training of a config logs undeclared, out of range or as no share of its rows; empty where all is well."""
    seen: list[Measured] = []
    (ending,) = drive(study, [config], on_measurement=lambda member, measured: seen.append(measured))
    assert ending.outcome is Outcome.FINISHED, ending.reason
    found, study = set(), study.with_rows(rows_of_shares(study, [config]))
    logged = [*(measured.metrics for measured in seen), ending.closing]
    for name, value in [item for metrics in logged for item in metrics.items()]:
        metric = declared(study.known_metrics, name)
        if metric is UNKNOWN:
            found.add(f"{name} is not declared")
        if math.isfinite(value) and not metric.holds(value):
            found.add(f"{name} = {value} is not {metric.range_words}")
        if metric.rows is not None and math.isfinite(value) and (said := why_no_share(np.array([value]), metric)):
            found.add(f"{name}: {said}")
    return sorted(found)

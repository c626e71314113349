"""Compare conditions with a named reference by medians, interquartile means or quantiles.

`compared` does so by means.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rothamsted.analysis.better import with_better
from rothamsted.analysis.compared import compared_rows, joined_tests
from rothamsted.analysis.values import ComparisonRow, Comparisons
from rothamsted.statistics import correct
from rothamsted.statistics.centre_differences import CentreDifference, centre_difference
from rothamsted.statistics.pairing import pairing
from rothamsted.statistics.reduce import Direction

CORRECTION = "holm"


def compare_centres_with(
    values: np.ndarray,
    numbers: Sequence[int],
    reference: int,
    *,
    over: str,
    level: float,
    direction: Direction,
    gaps: dict[str, str],
    seeds: Mapping[int, Sequence[str]],
) -> Comparisons:
    """Compare conditions with a reference; the p-values are corrected for all rows together (Holm).

    Args:
        values: (condition, seed), the best first; NaN if missing.
        numbers: The conditions' numbers.
        reference: One of them.
        over: The number of a condition, as `objective.over`; not the mean.
        level: Nominal coverage; a row differs if its corrected p is below 1 - level.
        direction: Which way is better.
        gaps: Gets a note if not all conditions are compared.
        seeds: Seeds of the values that count, by condition; empty if one is not known.
    """
    against = values[list(numbers).index(reference)]
    others = compared_rows(numbers, reference, gaps)
    rows, labels = [], Counter[str]()
    for row, number in others:
        pairs = pairing(seeds[number], seeds[reference])
        found = centre_difference(values[row], against, over=over, is_paired=pairs.is_paired, level=level)
        labels[found.label] += 1
        few = "" if math.isfinite(found.low) else f"too few replicates (n = {found.n}) for an interval at {level:g}"
        why = "" if pairs.is_paired else f"{found.label}, not paired: {pairs.why}"
        rows.append(_row(number, reference, found, note="; ".join(part for part in (few, why) if part)))
    corrected = correct(np.array([row.p_value for row in rows]), CORRECTION)
    family = Comparisons(
        reference=reference,
        test=joined_tests(labels),
        correction=CORRECTION,
        level=level,
        rows=tuple(
            replace(row, p_corrected=float(p), is_different=bool(p < 1 - level))
            for row, p in zip(rows, corrected, strict=True)
        ),
    )
    is_paired = all(pairing(seeds[number], seeds[reference]).is_paired for _, number in others)
    found = with_better(family, values, numbers, is_paired=is_paired, direction=direction)
    return replace(
        found,
        rows=tuple(
            replace(row, probability_better=row.better.n_better / row.better.n_compared) if row.better else row
            for row in found.rows
        ),
    )


def _row(condition: int, reference: int, found: CentreDifference, *, note: str) -> ComparisonRow:
    """One difference, before the correction; an effect in standard deviations is of means alone."""
    return ComparisonRow(
        condition=condition,
        reference=reference,
        n=found.n,
        difference=found.estimate,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        p_corrected=found.p_value,
        effect=math.nan,
        effect_low=math.nan,
        effect_high=math.nan,
        probability_better=math.nan,
        is_different=False,
        note=note,
    )

"""Conditions against a reference, and the set that cannot be told from the best.

Apart from the analysis because a comparison has parts (test, effect, probability, correction) that belong together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from rothamsted.analysis.values import BestSet, ComparisonRow, Comparisons
from rothamsted.catalog import CORRECTIONS, TESTS
from rothamsted.statistics import compare, compare_with_best, correct, probability_better
from rothamsted.statistics.compare import Answer

MOST_COMPARED = 500  # rows of one family; the rest of a larger sweep is far from the best anyway


def best_set(
    values: np.ndarray,
    numbers: Sequence[int],
    *,
    direction: Literal["minimize", "maximize"],
    level: float,
    paired: bool,
) -> BestSet | None:
    """Which conditions cannot be told from the best.

    Args:
        values: (condition, seed), best mean first; NaN where missing.
        numbers: The conditions' numbers.
        direction: Which way is better.
        level: Probability that the truly best one is in the set.
        paired: Whether the columns are common seeds.
    """
    found = compare_with_best(values, direction=direction, level=level, is_paired=paired)
    if found is None:
        return None
    return BestSet(
        best=numbers[found.winner],
        members=tuple(numbers[index] for index in found.members),
        method=found.method,
        level=level,
    )


def compare_with(
    values: np.ndarray,
    numbers: Sequence[int],
    reference: int,
    *,
    test: str,
    correction: str,
    level: float,
    direction: Literal["minimize", "maximize"],
    gaps: dict[str, str],
) -> Comparisons:
    """Compare conditions with a reference; the p-values are corrected for all rows together.

    Args:
        values: (condition, seed), best mean first; NaN where missing.
        numbers: The conditions' numbers.
        reference: One of them.
        test: A name of TESTS.
        correction: A name of CORRECTIONS; a joint one replaces the test.
        level: Nominal coverage; a row differs where its corrected p is below 1 - level.
        direction: Which way is better.
        gaps: Told where not all conditions are compared.
    """
    against = values[list(numbers).index(reference)]
    others = [(row, number) for row, number in enumerate(numbers) if number != reference]
    if len(others) > MOST_COMPARED:
        gaps["comparisons beyond"] = f"only the {MOST_COMPARED} best of {len(others)} conditions are compared"
        others = others[:MOST_COMPARED]
    rows = [_row(values[row], against, number, reference, test, level, direction) for row, number in others]
    if CORRECTIONS[correction].is_joint:
        kept = [list(numbers).index(number) for number in (reference, *(row.condition for row in rows))]
        return _jointly(values[kept], reference, rows, correction, level=level, is_paired=TESTS[test].is_paired)
    corrected = correct(np.array([row.p_value for row in rows]), correction)
    alpha = 1 - level
    return Comparisons(
        reference=reference,
        test=TESTS[test].label,
        correction=correction,
        level=level,
        rows=tuple(
            _with_corrected(row, float(p), is_different=bool(p < alpha)) for row, p in zip(rows, corrected, strict=True)
        ),
    )


def _row(
    own: np.ndarray,
    against: np.ndarray,
    number: int,
    reference: int,
    test: str,
    level: float,
    direction: Literal["minimize", "maximize"],
) -> ComparisonRow:
    found = compare(own, against, test=test, level=level)
    paired = TESTS[test].is_paired
    better = probability_better(own, against, direction=direction, is_paired=paired, level=level)
    return ComparisonRow(
        condition=number,
        reference=reference,
        n=found.n,
        difference=found.estimate,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        p_corrected=found.p_value,
        effect=found.effect.estimate,
        effect_low=found.effect.low,
        effect_high=found.effect.high,
        probability_better=math.nan if better is None else better.estimate,
        is_different=False,
        note=found.note,
    )


def _with_corrected(row: ComparisonRow, p: float, *, is_different: bool) -> ComparisonRow:
    return replace(row, p_corrected=p, is_different=is_different)


def _jointly(
    groups: np.ndarray, reference: int, rows: Sequence[ComparisonRow], name: str, *, level: float, is_paired: bool
) -> Comparisons:
    """The rows with the intervals and p-values of a procedure for the whole family; effects stay as they are.

    Args:
        groups: (condition, seed), the reference first, then those of the rows.
        reference: The number of the first.
        rows: The others, compared one by one.
        name: A joint one of `catalog.CORRECTIONS`.
        level: Probability that all intervals hold.
        is_paired: Whether the columns are common seeds.
    """
    answers = [Answer(*one) for one in CORRECTIONS.function(name)(groups, level, is_paired)]
    return Comparisons(
        reference=reference,
        test=f"{CORRECTIONS[name].label}{', seeds as blocks' if is_paired else ''}",
        correction=name,
        level=level,
        rows=tuple(
            replace(
                row,
                difference=one.estimate,
                low=one.low,
                high=one.high,
                p_value=one.p_value,
                p_corrected=one.p_value,
                is_different=bool(one.p_value < 1 - level),
                note=one.note,
            )
            for row, one in zip(rows, answers, strict=True)
        ),
    )

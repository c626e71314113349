"""Compare conditions with the best of the others, and with a named reference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from rothamsted.analysis.values import Best, ComparisonRow, Comparisons, Dataset
from rothamsted.catalog import CORRECTIONS, TESTS
from rothamsted.space import among, is_equal_value
from rothamsted.statistics import compare, compare_with_best, correct, probability_better
from rothamsted.statistics.centres import MEAN
from rothamsted.statistics.compare import Answer
from rothamsted.statistics.pairing import Pairing, pairing, pairing_of_all

MOST_COMPARED = 500  # rows of one family, best mean first


def best_of(
    values: np.ndarray,
    numbers: Sequence[int],
    *,
    direction: Literal["minimize", "maximize"],
    level: float,
    paired: bool,
    method: str,
    smallest_difference: float | None,
    means: Sequence[float],
    over: str = MEAN,
) -> Best | None:
    """Compare each condition with the best of the others.

    Args:
        values: (condition, seed), best mean first; NaN if missing.
        numbers: The conditions' numbers.
        direction: Which way is better.
        level: Probability that the truly best condition is in the set, and that no best condition is called worse.
        paired: Whether columns are common seeds.
        method: A name in BEST_METHODS.
        smallest_difference: A loss up to this does not matter; None: every loss matters.
        means: The means that conditions are ranked by.
        over: The number of a condition, as `objective.over`.
    """
    found = compare_with_best(
        values,
        direction=direction,
        is_paired=paired,
        level=level,
        smallest_difference=smallest_difference,
        method=method,
        means=np.array(means, dtype=np.float64),
        over=over,
    )
    if found is None:
        return None
    return Best(
        winner=numbers[found.winner],
        verdicts=dict(zip(numbers, found.rows, strict=True)),
        method=found.method,
        level=level,
        smallest_difference=smallest_difference,
        warnings=(*found.warnings, *([found.note] if found.note else [])),
    )


def reference_of(dataset: Dataset, wanted: int | Mapping[str, Any]) -> tuple[int | None, str]:
    """Return the number of the condition with this number or these values, or None and why there is none."""
    if isinstance(wanted, int):
        is_there = any(condition.number == wanted for condition in dataset.conditions)
        numbers = [condition.number for condition in dataset.conditions]
        there = f"{min(numbers)} to {max(numbers)}" if numbers else "none"
        return (
            (wanted, "") if is_there else (None, f"the reference, condition {wanted}, is not there; there are: {there}")
        )
    levels = {factor.name: factor.levels for factor in dataset.factors}
    meant = {name: among(levels.get(name, ()), value) for name, value in wanted.items()}
    found = [
        condition.number
        for condition in dataset.conditions
        if all(n in condition.values and is_equal_value(condition.values[n], v) for n, v in meant.items())
    ]
    if len(found) == 1:
        return found[0], ""
    named = ", ".join(f"{name}={value}" for name, value in wanted.items())
    what = "no condition has" if not found else f"{len(found)} conditions have"
    return None, f"the reference: {what} {named}; name one condition by all its values"


def compared_rows(numbers: Sequence[int], reference: int, gaps: dict[str, str]) -> list[tuple[int, int]]:
    """Return the row and the number of each condition that is compared with the reference, the best first.

    Args:
        numbers: The conditions' numbers, the best first.
        reference: One of them.
        gaps: Gets a note if not all conditions are compared.
    """
    others = [(row, number) for row, number in enumerate(numbers) if number != reference]
    if len(others) > MOST_COMPARED:
        gaps["comparisons beyond"] = f"only the {MOST_COMPARED} best of {len(others)} conditions are compared"
    return others[:MOST_COMPARED]


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
    seeds: Mapping[int, Sequence[str]],
) -> Comparisons:
    """Compare conditions with a reference; the p-values are corrected for all rows together.

    Args:
        values: (condition, seed), best mean first; NaN if missing.
        numbers: The conditions' numbers.
        reference: One of them.
        test: A name of TESTS.
        correction: A name of CORRECTIONS; a joint one replaces the test.
        level: Nominal coverage; a row differs if its corrected p is below 1 - level.
        direction: Which way is better.
        gaps: Gets a note if not all conditions are compared.
        seeds: Seeds of the values that count, by condition; empty if one is not known. A paired test is replaced by its
            unpaired twin in rows that seeds do not pair, and in all rows if seeds pair too few.
    """
    family = pairing_of_all([seeds[number] for number in numbers])
    against = values[list(numbers).index(reference)]
    others = compared_rows(numbers, reference, gaps)
    rows, labels = [], Counter[str]()
    for row, number in others:
        own, why = _test_of(test, pairing(seeds[number], seeds[reference]))
        one = _row(values[row], against, number, reference, own, level, direction)
        rows.append(replace(one, note="; ".join(part for part in (one.note, why) if part)))
        labels[TESTS[own].label] += 1
    if CORRECTIONS[correction].is_joint:
        kept = [list(numbers).index(number) for number in (reference, *(row.condition for row in rows))]
        is_paired = TESTS[test].is_paired and family.is_paired
        return replace(
            _jointly(values[kept], reference, rows, correction, level=level, is_paired=is_paired),
            why_unpaired=family.why,
        )
    corrected = correct(np.array([row.p_value for row in rows]), correction)
    alpha = 1 - level
    return Comparisons(
        reference=reference,
        test=joined_tests(labels) or TESTS[test].label,
        correction=correction,
        level=level,
        rows=tuple(
            _with_corrected(row, float(p), is_different=bool(p < alpha)) for row, p in zip(rows, corrected, strict=True)
        ),
        why_unpaired="" if TESTS[test].is_paired else family.why,
    )


def joined_tests(n_rows: Mapping[str, int]) -> str:
    """Name the tests of the rows of a family: 'paired t', or 'paired t (14 rows), Welch (1)'."""
    names = sorted(n_rows, key=lambda name: -n_rows[name])
    if len(names) < 2:
        return "".join(names)
    first, *rest = names
    return ", ".join([f"{first} ({n_rows[first]} rows)", *(f"{name} ({n_rows[name]})" for name in rest)])


def _test_of(test: str, pairs: Pairing) -> tuple[str, str]:
    """The test of one row, and what is said where it is another one than that of all."""
    if not TESTS[test].is_paired or pairs.is_paired:
        return test, ""
    own = TESTS[test].twin or "welch"
    return own, f"{TESTS[own].label}, not paired: {pairs.why}"


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
    is_bound = math.isfinite(found.p_bound)  # no spread at all: the p-value is at most so much
    p_value = found.p_bound if is_bound else found.p_value
    return ComparisonRow(
        condition=number,
        reference=reference,
        n=found.n,
        difference=found.estimate,
        low=found.low,
        high=found.high,
        p_value=p_value,
        p_corrected=p_value,
        effect=found.effect.estimate,
        effect_low=found.effect.low,
        effect_high=found.effect.high,
        probability_better=math.nan if better is None else better.estimate,
        is_different=False,
        note=f"{found.note}; p is that of the largest spread that rounding could hide" if is_bound else found.note,
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

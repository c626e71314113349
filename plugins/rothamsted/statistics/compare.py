"""Test whether one condition differs from another: difference, interval, p-value.

Every comparison of means in a report, and every promotion, uses this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from rothamsted.catalog import TESTS
from rothamsted.registries import load
from rothamsted.rows import TwoSampleRow
from rothamsted.statistics.effects import Effect, cohens_d, finite_pairs, finite_values, greatest, rounding
from rothamsted.statistics.exact import Counted, exchanges, sign_flips, signed_rank
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.resolution import smallest_step
from rothamsted.statistics.special import stdtr, stdtrit

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Holds the difference sample A minus sample B."""

    estimate: float  # of the means; for wilcoxon the Hodges-Lehmann median
    low: float  # -inf for "less", and where so few replicates exclude nothing
    high: float  # inf for "greater", and where so few replicates exclude nothing
    level: float  # nominal coverage, in (0, 1); one-sided for a one-sided alternative
    p_value: float  # NaN where undefined: the note says why
    n: int  # pairs, or the smaller sample
    n_a: int  # values used
    n_b: int
    n_excluded: int  # pairs of which a value is missing or infinite; unpaired: values
    test: str  # its name in `catalog.TESTS`
    alternative: Alternative
    margin: float
    effect: Effect  # Cohen's d: d_z for a paired test, pooled otherwise
    note: str = ""  # why something is undefined, or what these replicates cannot show
    p_bound: float = math.nan  # where equal differences leave no p-value: most that it can be, see `compare`


@dataclass(frozen=True, kw_only=True)
class Question:
    """Holds the question to a test: alternative, null difference, level, seed."""

    alternative: Alternative
    null: float  # the difference that is tested
    level: float
    seed: int

    @property
    def tail(self) -> float:
        """Give the error probability of each limit."""
        return (1 - self.level) / 2 if self.alternative == "two-sided" else 1 - self.level


class Answer(NamedTuple):
    """Holds the answer of a test; undefined numbers are NaN."""

    estimate: float
    low: float
    high: float
    p_value: float
    note: str = ""


def compare(
    a: np.ndarray,
    b: np.ndarray,
    *,
    test: str,
    level: float = DEFAULT_LEVEL,
    seed: int = 0,
    margin: float = 0.0,
    alternative: Alternative = "two-sided",
) -> Difference:
    """Compare two samples.

    The interval agrees with the test: p is at most 1 - level if the null difference lies outside the interval.

    Args:
        a: (replicate,) NaN marks a missing value; NaN and infinity are left out, for a paired test with their
            partner, and counted.
        b: (replicate,) aligned with `a` by seed for a paired test, of any length otherwise.
        test: A name of `catalog.TESTS`.
        level: Nominal coverage, in (0, 1).
        seed: Seed of the permutations, if there are too many to count all.
        margin: For a one-sided alternative, in the unit of the values: "greater" tests whether A - B > -margin,
            "less" whether A - B < margin. Positive tests for not being worse, negative for being better by as much.
        alternative: The claim that is tested: A - B is not 0, is greater, is less.

    Returns:
        The difference. With fewer than two values, or without spread if the test needs one, interval and p-value are
        NaN and the note says so. If a two-sided t test lacks only spread, and the difference is not 0, `p_bound` is the
        p-value for the largest spread that rounding could hide. Values are taken as rounded to the smallest step
        between them, with variance step**2 / 12 (Sheppard's correction), or, if there are only two distinct values, to
        their last digits.

    Raises:
        ValueError: Unknown test or alternative, level outside (0, 1), margin without a side, samples that are
            not pairs for a paired test.
    """
    chosen = _check(test, level, margin, alternative)
    if chosen.is_paired:
        first, second, n_excluded = finite_pairs(a, b)
    else:
        (first, n_first), (second, n_second) = finite_values(a), finite_values(b)
        n_excluded = n_first + n_second
    null = {"two-sided": 0.0, "greater": -margin, "less": margin}[alternative]
    question = Question(alternative=alternative, null=null, level=level, seed=seed)
    answer = _answer(chosen, first, second, question)
    return Difference(
        estimate=answer.estimate,
        low=answer.low,
        high=answer.high,
        level=level,
        p_value=answer.p_value,
        n=min(len(first), len(second)),
        n_a=len(first),
        n_b=len(second),
        n_excluded=n_excluded,
        test=test,
        alternative=alternative,
        margin=margin,
        effect=cohens_d(first, second, kind="z" if chosen.is_paired else "pooled", level=level),
        note=answer.note,
        p_bound=_p_bound(first, second, answer, chosen) if alternative == "two-sided" else math.nan,
    )


def _p_bound(a: np.ndarray, b: np.ndarray, answer: Answer, chosen: TwoSampleRow) -> float:
    """Return the most that the p-value can be where there is no spread; NaN where there is some, or no difference."""
    n = min(len(a), len(b))
    hidden = rounding(greatest(a, b))
    if n < 2 or not math.isnan(answer.p_value) or abs(answer.estimate) <= hidden:
        return math.nan
    values = np.concatenate([a, b])
    step = smallest_step(values) if len(np.unique(values)) > 2 else 0.0
    if chosen.is_paired:
        error = max(step / math.sqrt(6), hidden) / math.sqrt(n)
    else:
        error = max(step / math.sqrt(12), hidden) * math.sqrt(1 / len(a) + 1 / len(b))
    return float(2 * stdtr(n - 1, -abs(answer.estimate) / error))


def paired_t(a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Test paired differences by Student's t; exact for normal differences. Student (1908), Biometrika 6(1)."""
    differences, n = a - b, len(a)
    estimate = float(differences.mean())
    if np.ptp(differences) <= rounding(greatest(a, b)):
        note = f"no spread: all {n} differences are equal, which leaves Student's t undefined"
        return Answer(estimate, math.nan, math.nan, math.nan, note)
    return _of_t(estimate, float(differences.std(ddof=1)) / math.sqrt(n), n - 1, question)


def welch(a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Test two normal samples of unequal variance by Welch's t; approximate. Welch (1947), Biometrika 34(1/2)."""
    estimate = float(a.mean() - b.mean())
    if max(np.ptp(a), np.ptp(b)) <= rounding(greatest(a, b)):
        note = "no spread within either sample, which leaves Welch's t undefined"
        return Answer(estimate, math.nan, math.nan, math.nan, note)
    of_a, of_b = (float(values.var(ddof=1)) / len(values) for values in (a, b))  # variances of the means
    df = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return _of_t(estimate, math.sqrt(of_a + of_b), df, question)


def _of_t(estimate: float, error: float, df: float, question: Question) -> Answer:
    """What Student's t says of an estimate with this standard error; SciPy's tests would import all its statistics."""
    t, reach = (estimate - question.null) / error, error * float(stdtrit(df, 1 - question.tail))
    low, high = estimate - reach, estimate + reach
    if question.alternative == "greater":
        return Answer(estimate, low, math.inf, float(stdtr(df, -t)))
    if question.alternative == "less":
        return Answer(estimate, -math.inf, high, float(stdtr(df, t)))
    return Answer(estimate, low, high, float(2 * stdtr(df, -abs(t))))


def wilcoxon(a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Test paired differences by Wilcoxon's signed ranks, see `exact.signed_rank`."""
    counted = signed_rank(a, b, question.null, question.tail)
    answer = _one_or_two_sided(counted, question, f"{len(a)} pairs")
    if counted.smallest == 1:
        return answer._replace(note="all differences equal the value tested: there is no evidence against it")
    return answer


def paired_permutation(a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Test the mean paired difference by permutation, see `exact.sign_flips`."""
    counted = sign_flips(a, b, question.null, question.tail, question.seed)
    return _one_or_two_sided(counted, question, f"{len(a)} pairs")


def permutation(a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Test the difference in means of two samples by permutation, see `exact.exchanges`."""
    counted = exchanges(a, b, question.null, question.tail, question.seed)
    return _one_or_two_sided(counted, question, f"{len(a)} and {len(b)} values")


def _check(test: str, level: float, margin: float, alternative: str) -> TwoSampleRow:
    """Return the test, after the arguments of `compare` have been looked at."""
    check_level(level)
    chosen = TESTS[test]
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative: {alternative!r} is not known; use two-sided, greater or less")
    if not math.isfinite(margin):
        raise ValueError(f"margin: {margin} is not a finite number")
    if margin and alternative == "two-sided":
        raise ValueError(f"margin: {margin} has no side; give alternative greater or less with it")
    return chosen


def _answer(test: TwoSampleRow, a: np.ndarray, b: np.ndarray, question: Question) -> Answer:
    """Run a test where there is enough to run it on, at a scale where squares neither overflow nor vanish."""
    if min(len(a), len(b)) < 2:
        estimate = float(a.mean() - b.mean()) if len(a) and len(b) else math.nan
        counts = f"{len(a)} pairs" if test.is_paired else f"{len(a)} and {len(b)} values"
        return Answer(estimate, math.nan, math.nan, math.nan, f"{counts}: a comparison needs two")
    _, exponent = np.frexp(max(greatest(a, b), abs(question.null)))
    scaled = replace(question, null=float(np.ldexp(question.null, -exponent)))
    answer = Answer(*load(test.make)(np.ldexp(a, -exponent), np.ldexp(b, -exponent), scaled))
    estimate, low, high = (float(np.ldexp(value, exponent)) for value in answer[:3])
    return answer._replace(estimate=estimate, low=low, high=high)


def _one_or_two_sided(counted: Counted, question: Question, counts: str) -> Answer:
    """Choose the side that was asked for; say so where no outcome at all could reach the level."""
    low, high, smallest = counted.low, counted.high, counted.smallest
    if question.alternative == "greater":
        p_value, high = counted.p_greater, math.inf
    elif question.alternative == "less":
        p_value, low = counted.p_less, -math.inf
    else:
        p_value, smallest = min(1.0, 2 * min(counted.p_greater, counted.p_less)), min(1.0, 2 * smallest)
    note = ""
    if smallest > (1 - question.level) * (1 + 1e-12):
        note = f"{counts} cannot give a p-value below {smallest:.3g}: at level {question.level:g} nothing is different"
    return Answer(counted.estimate, low, high, p_value, note)

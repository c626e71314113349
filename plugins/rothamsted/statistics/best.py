"""Find which condition is best, which others may be, and what is known of each: one procedure for all of it.

One p-value for each condition, for the hypothesis that it is the best, gives the set, the limits and the verdicts. The
truly best condition is left out of the set with probability at most 1 - level. A comparison of all conditions with the
winner would ignore that the data chose the winner. Subset selection: Gupta (1965), Technometrics 7(2); comparisons with
the best: Hsu (1984), Annals of Statistics 12(3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.statistics.best_centres import by_centres, method_of, turned
from rothamsted.statistics.best_findings import Findings, behind_best_other, bounded_low
from rothamsted.statistics.best_leaders import by_leaders
from rothamsted.statistics.best_remarks import note, too_few, warnings
from rothamsted.statistics.best_scale import scale
from rothamsted.statistics.best_simple import by_pairs
from rothamsted.statistics.centres import MEAN, parse_over
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.leaders import LEAST_CONDITIONS, LEAST_REPEATED
from rothamsted.statistics.reduce import Direction

Verdict = Literal["worse", "as good", "open", ""]


@dataclass(frozen=True, kw_only=True)
class AgainstBest:
    """Holds the comparison of one condition with the best of the others.

    Difference and limits say how much worse it is, in the metric's units. Positive is worse, whichever direction is
    better. low <= difference <= high; low is above 0 only for "worse", and high is never below 0. A limit that is not
    known is infinite.
    """

    n: int  # finite values
    mean: float  # adjusted for seed where values are missing
    p: float  # of being the best; NaN where nothing could be compared, and it stays in the set
    is_in_set: bool  # cannot be ruled out as the best
    verdict: Verdict  # empty without a finite value, and where there is no other condition
    difference: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class BestResult:
    """Holds what one sweep says about its best condition."""

    winner: int  # condition with the best mean
    rows: tuple[AgainstBest, ...]  # (condition,)
    method: str  # the one used, a name in BEST_METHODS: "simple" where there are too few conditions for leaders; else
    # of `best_centres`: "sign", "trimmed", "bounds"
    level: float  # probability that the truly best one is in the set; that no best one is called worse
    smallest_difference: float | None
    n_excluded: int  # values that are missing or infinite
    note: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """Give the conditions that may be the best, in the order given. The winner is one of them."""
        return tuple(index for index, row in enumerate(self.rows) if row.is_in_set)


@dataclass(frozen=True, kw_only=True)
class BestMethod:
    """Describes a way of testing "this condition is the best"."""

    label: str  # how a table names it
    needs: tuple[int, int]  # conditions; those among them with two values
    run: Callable[[np.ndarray, bool, float, np.ndarray], Findings]  # values, is_paired, alpha, resolution


BEST_METHODS: Mapping[str, BestMethod] = {
    "leaders": BestMethod(
        label="each against leaders chosen by the other seeds",
        needs=(LEAST_CONDITIONS, LEAST_REPEATED),
        run=lambda x, _, alpha, resolution: by_leaders(x, alpha, resolution),
    ),
    "simple": BestMethod(label="pairwise t, Bonferroni and Holm", needs=(1, 0), run=by_pairs),
}


def compare_with_best(
    values: np.ndarray,
    *,
    direction: Direction,
    is_paired: bool,
    level: float = DEFAULT_LEVEL,
    smallest_difference: float | None = None,
    method: str = "leaders",
    means: np.ndarray | None = None,
    over: str = MEAN,
) -> BestResult | None:
    """Say for each condition whether it is worse than the best, as good, or open, and whether it may be the best.

    "worse": worse than the best of the others; the family of these claims errs with probability at most 1 - level. "as
    good": at most `smallest_difference` worse than the best. A condition that is worse by less than that can be "as
    good". "open": neither is known. Without a smallest difference only the winner can be "as good", when all others are
    ruled out. An open condition may be outside the set: it is probably not the best.

    Args:
        values: (condition, replicate). NaN marks a missing value, infinity a run that diverged; both are left out. A
            condition without any finite value is not a candidate: nothing is said about it.
        direction: "minimize" (lower is better) or "maximize".
        is_paired: Whether column r has the same seed in every condition. If not, columns are in the order recorded, not
            sorted.
        level: In (0, 1).
        smallest_difference: The smallest difference that matters, in the metric's units; None counts as 0.
        method: A name in BEST_METHODS. With three conditions or fewer, or fewer than three that have two values, the
            method is "simple".
        means: (condition,) means to rank conditions by: the winner has the best of them. None: the method's own means.
        over: The number of a condition, see `centres.centre_of`. For other numbers than the mean there is one method,
            see `best_centres`.

    Returns:
        The result, the same for any order of the conditions; None without any finite value.

    Raises:
        ValueError: A shape that is not (condition, replicate), unknown direction or method, level outside (0, 1), a
            negative smallest difference.
    """
    scores = _checked(values, direction, level, smallest_difference, method)
    is_finite = np.isfinite(scores)
    candidates = np.flatnonzero(is_finite.any(axis=1))
    if not len(candidates):
        return None
    lower = np.where(is_finite, scores if direction == "minimize" else -scores, np.nan)
    lower = lower[np.ix_(candidates, np.flatnonzero(is_finite.any(axis=0)))]
    name = method if _is_enough(lower, BEST_METHODS[method].needs) else "simple"
    run, more = BEST_METHODS[name].run, ""
    if over != MEAN:
        given = parse_over(over)
        centre = turned(given, direction)
        name, run = method_of(centre, is_paired), by_centres(centre)
        more = too_few(lower, centre, given.words, level=level, is_paired=is_paired)
    found, is_clipped = _found(lower, run, is_paired, round(1 - level, 12))
    if means is not None:
        found = _ranked_by(found, (means if direction == "minimize" else -means)[candidates])
    rows = [AgainstBest(n=0, mean=np.nan, p=np.nan, is_in_set=False, verdict="", **_NOTHING) for _ in scores]
    for index, condition in enumerate(candidates):
        rows[condition] = _row(found, index, int(is_finite[condition].sum()), direction, smallest_difference)
    return BestResult(
        winner=int(candidates[int(np.argmin(found.mean))]),
        rows=tuple(rows),
        method=name,
        level=level,
        smallest_difference=smallest_difference,
        n_excluded=int((~is_finite).sum()),
        note=note(lower, found.p, n_missing=len(scores) - len(candidates)),
        warnings=(
            *([more] if more else []),
            *warnings(lower, found.mean, n_diverged=int(np.isinf(scores).sum()), is_clipped=is_clipped),
        ),
    )


_NOTHING: Mapping[str, float] = {"difference": np.nan, "low": np.nan, "high": np.nan}


def _checked(
    values: np.ndarray, direction: Direction, level: float, smallest_difference: float | None, method: str
) -> np.ndarray:
    """Return the values as numbers; raise ValueError on arguments that make no sense."""
    check_level(level)
    if method not in BEST_METHODS:
        raise ValueError(f"method: {method!r} is not known; use {', '.join(BEST_METHODS)}")
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction: {direction!r} is not known; use minimize or maximize")
    if smallest_difference is not None and not (np.isfinite(smallest_difference) and smallest_difference >= 0):
        raise ValueError(f"smallest_difference: {smallest_difference} must be a number, 0 or more; or leave it out")
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2:
        raise ValueError(f"values: shape {scores.shape}, must be (condition, replicate)")
    return scores


def _is_enough(lower: np.ndarray, needs: tuple[int, int]) -> bool:
    """Return whether a method has the conditions, and conditions with two values, that it needs."""
    return len(lower) >= needs[0] and int((np.isfinite(lower).sum(axis=1) >= 2).sum()) >= needs[1]


def _found(
    lower: np.ndarray,
    run: Callable[[np.ndarray, bool, float, np.ndarray], Findings],
    is_paired: bool,
    alpha: float,
) -> tuple[Findings, bool]:
    """Return what a method finds, and whether values were too far out to compute with.

    Conditions are put in an order of their own, worst values first: ties between leaders then favour the condition that
    is tested, whatever the order given.
    """
    scaled = scale(lower)
    order = np.lexsort(np.where(np.isnan(scaled.values), np.inf, -scaled.values).T[::-1])
    found = run(scaled.values[order], is_paired, alpha, scaled.resolution[order])
    given = np.argsort(order)
    back = {name: getattr(found, name)[given] for name in Findings.__dataclass_fields__}
    for name in ("mean", "difference", "low", "high"):
        back[name] = np.ldexp(back[name], scaled.exponent)
    back["mean"] = back["mean"] + scaled.middle
    return Findings(**back), scaled.is_clipped


def _ranked_by(found: Findings, mean: np.ndarray) -> Findings:
    """Return the findings with these means: the winner is in the set, and limits lie around the differences."""
    is_best = mean == mean.min()
    is_worse, difference = found.is_worse & ~is_best, behind_best_other(mean)
    return Findings(
        mean=mean,
        p=found.p,
        is_in_set=found.is_in_set | is_best,
        is_worse=is_worse,
        difference=difference,
        low=bounded_low(found.low, difference, is_worse),
        high=np.maximum(found.high, np.maximum(difference, 0.0)),
    )


def _row(found: Findings, index: int, n: int, direction: Direction, smallest_difference: float | None) -> AgainstBest:
    """Return what is said of one condition."""
    mean = float(found.mean[index])
    high = float(found.high[index])
    is_within = high <= (smallest_difference or 0.0)
    verdict = "as good" if is_within else "worse" if found.is_worse[index] else "open"
    return AgainstBest(
        n=n,
        mean=mean if direction == "minimize" else -mean,
        p=float(found.p[index]),
        is_in_set=bool(found.is_in_set[index]),
        verdict="" if len(found.mean) == 1 else verdict,
        difference=float(found.difference[index]),
        low=float(found.low[index]),
        high=high,
    )

"""Find the best condition by medians, interquartile means or quantiles: one-sided tests of each pair, corrected.

- median on common seeds: the exact sign test. Its hypothesis: the condition is at least as good as the other on half of
  the seeds or more. Limits: order statistics of the differences.
- median not paired, and quantiles: a lower limit of one and an upper limit of the other, each by order statistics and
  with half of the error. They hold for any two distributions, paired or not.
- interquartile mean: Yuen's test of trimmed means with winsorized variances (Yuen 1974, Biometrika 61(1)), on common
  seeds with their covariance (Wilcox 2017, Introduction to Robust Estimation and Hypothesis Testing), else with the
  degrees of freedom of the smaller sample; p-values times `TAILS`, because few values make them too small.

A condition is ruled out if any other is better, with alpha shared among the others; it is worse if that holds with
Holm's correction over all conditions. The limits of all pairs hold together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rothamsted.statistics.best_findings import Findings, behind_best_other, bounded_low, decide, greatest_high
from rothamsted.statistics.centre_intervals import TAILS
from rothamsted.statistics.centres import LEAST_N_IQM, QUARTER, Centre
from rothamsted.statistics.special import bdtr, stdtr, stdtrit

MOST_NEEDED = 1_000


class Pairs(NamedTuple):
    """Holds the comparisons of one condition with each other, (..., other): p of being no worse, and the limits."""

    p: np.ndarray  # NaN where nothing can be said
    low: np.ndarray
    high: np.ndarray


def by_centres(centre: Centre) -> Callable[[np.ndarray, bool, float, np.ndarray], Findings]:
    """Return the method for a centre, a function as `best.BestMethod.run`: (values, is_paired, alpha, resolution).

    Args:
        centre: The centre of values of which lower is better. For a metric that is maximized, see `turned`.
    """

    def run(x: np.ndarray, is_paired: bool, alpha: float, resolution: np.ndarray) -> Findings:
        n_conditions = x.shape[-2]
        tail = alpha / max(n_conditions * (n_conditions - 1), 1)
        rows = [by_pair(x, i, tail, resolution, centre, is_paired) for i in range(n_conditions)]
        p, low, high = (np.stack([getattr(row, name) for row in rows], axis=-2) for name in Pairs._fields)
        values = centres_of(x, centre)
        decision = decide(_combined(p), values, alpha)
        difference = behind_best_other(values)
        return Findings(
            mean=values,
            p=_combined(p),
            is_in_set=decision.is_in_set,
            is_worse=decision.is_worse,
            difference=difference,
            low=bounded_low(low.max(axis=-1), difference, decision.is_worse),
            high=greatest_high(high, difference, decision.is_worse),
        )

    return run


def by_pair(x: np.ndarray, i: int, tail: float, resolution: np.ndarray, centre: Centre, is_paired: bool) -> Pairs:
    """Test condition i against each other condition.

    Args:
        x: (..., condition, seed), NaN marks a missing value.
        i: A condition.
        tail: Error of each limit.
        resolution: (condition,) differences up to this are rounding.
        centre: The number that is compared.
        is_paired: Whether columns are seeds.
    """
    by_name = {"sign": _by_signs, "bounds": _by_bounds, "trimmed": _by_trimmed if is_paired else _by_trimmed_unpaired}
    found = by_name[method_of(centre, is_paired)](x, i, tail, resolution[i] + resolution, centre)
    p, low, high = (np.array(part, dtype=np.float64) for part in found)
    p[..., i], low[..., i], high[..., i] = np.nan, -np.inf, np.inf
    return Pairs(p, low, high)


def method_of(centre: Centre, is_paired: bool) -> str:
    """Return the name of the tests: "sign", "bounds" or "trimmed"."""
    if centre.kind == "iqm":
        return "trimmed"
    return "sign" if centre.kind == "median" and is_paired else "bounds"


def turned(centre: Centre, direction: str) -> Centre:
    """Return the centre to use for values that change their sign because they are maximized."""
    if direction == "minimize" or centre.kind != "quantile":
        return centre
    return Centre(kind=centre.kind, q=1 - centre.q)


def fewest_seeds(centre: Centre, n_conditions: int, *, level: float, is_paired: bool) -> int:
    """Return the fewest seeds with which one of `n_conditions` can be called worse at all."""
    tail = round(1 - level, 12) / max(n_conditions * (n_conditions - 1), 1)
    if centre.kind == "iqm":
        return LEAST_N_IQM
    n = 2
    while _least_p(centre, n, is_paired) > tail and n < MOST_NEEDED:
        n += 1
    return n


def centres_of(x: np.ndarray, centre: Centre) -> np.ndarray:
    """Return the centre of each condition (..., condition) of values (..., condition, seed); NaN without any."""
    ordered, n = np.sort(x, axis=-1), np.isfinite(x).sum(axis=-1)  # NaN goes to the end
    if centre.kind == "iqm":
        cut, place = (n // QUARTER)[..., None], np.arange(x.shape[-1])
        is_middle = (place >= cut) & (place < n[..., None] - cut)
        with np.errstate(invalid="ignore"):
            return np.where(is_middle, ordered, 0.0).sum(axis=-1) / is_middle.sum(axis=-1)
    at = centre.q * np.maximum(n - 1, 0)
    below = np.floor(at + 1e-9).astype(int)
    above = np.minimum(below + 1, np.maximum(n - 1, 0))
    first, second = (np.take_along_axis(ordered, one[..., None], axis=-1)[..., 0] for one in (below, above))
    return first + (second - first) * np.maximum(at - below, 0.0)


def _least_p(centre: Centre, n: int, is_paired: bool) -> float:
    """Return the least p-value of a pair that n seeds can have."""
    if method_of(centre, is_paired) == "sign":
        return 0.5**n
    return 2 * max(centre.q**n, (1 - centre.q) ** n)


def _combined(p: np.ndarray) -> np.ndarray:
    """Return the p-value of each condition from those against the others: Bonferroni; NaN where nothing was tested."""
    n_others = p.shape[-1] - 1
    if n_others == 0:
        return np.ones(p.shape[:-1])
    least = np.where(np.isnan(p), np.inf, p).min(axis=-1)
    return np.where(np.isinf(least), np.nan, np.minimum(least * n_others, 1.0))


def _by_signs(x: np.ndarray, i: int, tail: float, resolution: np.ndarray, centre: Centre) -> Pairs:
    """Return the sign tests of condition i on common seeds; differences that are rounding count for neither."""
    apart = x[..., i, None, :] - x
    n_up = (apart > resolution[:, None]).sum(axis=-1)
    n_apart = n_up + (apart < -resolution[:, None]).sum(axis=-1)
    p = np.where(n_up > 0, 1 - bdtr(np.maximum(n_up - 1, 0), np.maximum(n_apart, 1), 0.5), 1.0)
    n = np.isfinite(apart).sum(axis=-1)
    low, high = _bounds(np.sort(apart, axis=-1), n, tail, 0.5)
    return Pairs(np.where(n > 0, p, np.nan), low, high)


def _by_bounds(x: np.ndarray, i: int, tail: float, resolution: np.ndarray, centre: Centre) -> Pairs:
    """Return what a limit of condition i and one of each other say, each with half of the error."""
    ordered, n = np.sort(x, axis=-1), np.isfinite(x).sum(axis=-1)
    own, n_own = ordered[..., i, :], n[..., i]
    place = np.arange(1, x.shape[-1] + 1)
    error_low = bdtr(place - 1.0, np.maximum(n_own, 1)[..., None], centre.q)  # of the k-th as a lower limit
    is_above = own[..., None, :, None] > x[..., :, None, :] + resolution[:, None, None]  # (..., other, k, seed)
    n_below = is_above.sum(axis=-1)  # values of the other below the k-th of its own
    error_high = np.where(
        n_below > 0, 1 - bdtr(np.maximum(n_below - 1.0, 0), np.maximum(n, 1)[..., None], centre.q), 1.0
    )
    each = np.maximum(error_low[..., None, :], error_high)
    p = np.minimum(2 * np.where(np.isfinite(own)[..., None, :], each, 1.0).min(axis=-1), 1.0)
    low, high = _bounds(ordered, n, tail / 2, centre.q)
    return Pairs(
        np.where((n > 0) & (n_own > 0)[..., None], p, np.nan), low[..., i, None] - high, high[..., i, None] - low
    )


def _by_trimmed(x: np.ndarray, i: int, tail: float, resolution: np.ndarray, centre: Centre) -> Pairs:
    """Return Yuen's tests of condition i on common seeds."""
    is_common = np.isfinite(x) & np.isfinite(x[..., i, None, :])
    other = np.where(is_common, x, np.nan)
    own = np.where(is_common, np.broadcast_to(x[..., i, None, :], x.shape), np.nan)
    n = is_common.sum(axis=-1)
    apart = _winsorized(own, n) - _winsorized(other, n)
    h = n - 2 * (n // QUARTER)
    loss = centres_of(own, centre) - centres_of(other, centre)
    return _student(loss, _error(apart, n, h), np.where(n >= LEAST_N_IQM, h - 1, 0), tail, resolution)


def _by_trimmed_unpaired(x: np.ndarray, i: int, tail: float, resolution: np.ndarray, centre: Centre) -> Pairs:
    """Return Yuen's tests of condition i for independent samples, with the degrees of freedom of the smaller one."""
    n = np.isfinite(x).sum(axis=-1)
    h = n - 2 * (n // QUARTER)
    error, values = _error(_winsorized(x, n), n, h), centres_of(x, centre)
    df = np.where(n >= LEAST_N_IQM, h - 1, 0)
    loss = values[..., i, None] - values
    return _student(loss, np.hypot(error[..., i, None], error), np.minimum(df[..., i, None], df), tail, resolution)


def _student(loss: np.ndarray, error: np.ndarray, df: np.ndarray, tail: float, resolution: np.ndarray) -> Pairs:
    is_tested = df >= 1
    error, df = np.maximum(np.where(is_tested, error, 1.0), np.maximum(resolution, 1e-300)), np.where(is_tested, df, 1)
    half = stdtrit(df, 1 - tail / TAILS) * error
    return Pairs(
        np.where(is_tested, np.minimum(TAILS * stdtr(df, -loss / error), 1.0), np.nan),
        np.where(is_tested, loss - half, -np.inf),
        np.where(is_tested, loss + half, np.inf),
    )


def _winsorized(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return values (..., seed) with the lowest and highest quarter drawn to the nearest that is left; NaN stays."""
    ordered, cut = np.sort(x, axis=-1), n // QUARTER
    low, high = (
        np.take_along_axis(ordered, np.maximum(at, 0)[..., None], axis=-1) for at in (cut, np.maximum(n - cut - 1, 0))
    )
    return np.clip(x, low, high)


def _error(winsorized: np.ndarray, n: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return the standard error of a trimmed mean, sqrt(SSW / (h (h - 1)))."""
    is_there = np.isfinite(winsorized)
    middle = np.where(is_there, winsorized, 0.0).sum(axis=-1) / np.maximum(n, 1)
    squares = (np.where(is_there, winsorized - middle[..., None], 0.0) ** 2).sum(axis=-1)
    return np.sqrt(squares / np.maximum(h * (h - 1), 1))


def _bounds(ordered: np.ndarray, n: np.ndarray, tail: float, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Return one-sided limits of the q quantile by order statistics, each wrong with probability `tail` at most.

    Args:
        ordered: (..., value) in rising order, NaN at the end.
        n: (...) finite values.
        tail: Of each.
        q: Share of values below the quantile.
    """
    n_low, n_high = (of_all[n] for of_all in _safe_ranks(ordered.shape[-1], tail, q))
    low = np.take_along_axis(ordered, np.maximum(n_low - 1, 0)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, np.clip(n - n_high, 0, ordered.shape[-1] - 1)[..., None], axis=-1)[..., 0]
    return np.where(n_low > 0, low, -np.inf), np.where(n_high > 0, high, np.inf)


@lru_cache(maxsize=256)
def _safe_ranks(most: int, tail: float, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of n ordered values, from below and from above, are safe limits; for each n from 0 to `most`."""
    counts, place = np.arange(most + 1)[:, None], np.arange(1, most + 1)
    is_there = place <= counts
    below = bdtr(place - 1.0, np.maximum(counts, 1), q)  # error of each as a lower limit
    return ((below <= tail) & is_there).sum(axis=1), ((1 - below <= tail) & is_there).sum(axis=1)

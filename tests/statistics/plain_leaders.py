"""The procedure "leaders" for one sweep, in loops, step by step as docs/statistics.md has it: an authority.

Slow, and without guards: 4 conditions or more, 3 of them with two values, and spread. Lower is better; NaN is missing.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
from scipy.special import digamma, polygamma, stdtrit
from scipy.stats import linregress, t


def plain_leaders(x: np.ndarray, *, alpha: float = 0.05, smallest_difference: float = 0.0) -> SimpleNamespace:
    """Return p, is_in_set, is_worse, low, high, verdict, mean (condition,) and the winner."""
    part = SimpleNamespace(x=x, there=np.isfinite(x), alpha=alpha)
    part.n = part.there.sum(axis=1)
    part.n_conditions, part.n_seeds = x.shape
    part.is_complete = bool(part.there.all())
    _spread_against_level(part)
    _seeds_out(part)
    _moderate(part)
    _test_each(part)
    _set_and_worse(part)
    _limits(part)
    verdicts = zip(part.high, part.is_worse)
    part.verdict = ["as good" if h <= smallest_difference else "worse" if w else "open" for h, w in verdicts]
    return part


def _line_through(y: np.ndarray, c: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, float]:
    line = linregress(c[used], y[used])
    fitted = line.intercept + line.slope * c
    return fitted, float(((y - fitted)[used] ** 2).sum())


def _log_chi(s: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Logarithms of variances, less what a chi-square of these degrees of freedom adds on average."""
    return np.log(s) - digamma(df / 2) + np.log(df / 2)


def _spread_against_level(part: SimpleNamespace) -> None:
    """Step 1."""
    mean = np.array([np.mean(row[ok]) for row, ok in zip(part.x, part.there)])
    part.raw_mean = mean
    part.many = part.n >= 2
    variance = np.array([np.var(row[ok], ddof=1) if ok.sum() > 1 else 1.0 for row, ok in zip(part.x, part.there)])
    part.c = np.log(1 + (mean - mean.min()) / np.median(np.sqrt(variance[part.many])))
    floored = np.maximum(variance, 1e-5 * np.median(variance[part.many]))
    fitted, _ = _line_through(_log_chi(floored, np.maximum(part.n - 1, 1)), part.c, part.many)
    w = np.exp(fitted / 2)
    part.near = part.c <= math.log(1001)
    part.w = np.maximum(w, 0.001 * w[part.near].mean())


def _seeds_out(part: SimpleNamespace) -> None:
    """Step 2."""
    n_conditions, n_seeds = part.n_conditions, part.n_seeds
    z = part.x / part.w[:, None]
    a, b = np.zeros(n_conditions), np.zeros(n_seeds)
    for _ in range(1 if part.is_complete else 6):
        for i in range(n_conditions):
            a[i] = np.mean([z[i, r] - b[r] for r in range(n_seeds) if part.there[i, r]])
        for r in range(n_seeds):
            b[r] = np.mean([z[i, r] - a[i] for i in range(n_conditions) if part.there[i, r]])
        b -= b.mean()
    a = np.array([np.nanmean(z[i] - b) for i in range(n_conditions)])
    s = np.array([np.nansum((z[i] - a[i] - b) ** 2) / max(part.n[i] - 1, 1) for i in range(n_conditions)])
    grubbs = (s - s.sum() / (n_conditions * (n_conditions - 1))) * n_conditions / (n_conditions - 2)
    part.s2 = part.w**2 * np.maximum(0.1 * s, grubbs)
    present = part.there.sum(axis=0).mean()
    part.v_b = max(0.0, present * (b**2).sum() / (n_seeds - 1) - s.sum() / (n_conditions - 1)) / present
    part.b = b
    part.mean = part.raw_mean if part.is_complete else part.w * a


def _moderate(part: SimpleNamespace) -> None:
    """Step 3."""
    many, k = part.many, part.many.sum()
    d = np.where(many, (part.n - 1) * (1 - 1 / part.n_conditions), 0.0)
    floored = np.maximum(part.s2, 1e-5 * np.median(part.s2[many]))
    fitted, squares = _line_through(_log_chi(floored, np.where(many, d, 1.0)), part.c, many)
    by_chance = polygamma(1, d[many] / 2)
    chance = by_chance.mean()
    tail = (polygamma(3, d[many] / 2) / by_chance**2).mean()
    excess = max(0.0, squares / (k - 2) - chance) + chance * math.sqrt(tail / k + 2 / (k - 2))
    half = _where_trigamma_is(excess)
    d0, prior = 2 * half, np.exp(fitted + digamma(half) - math.log(half))
    drawn = (d0 * prior + d * part.s2) / (d0 + d)
    part.g = np.where(many, np.maximum(part.s2, drawn), prior)
    part.df = d0 + d


def _where_trigamma_is(value: float) -> float:
    """By bisection: trigamma falls."""
    low, high = 1e-8, 1e8
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if polygamma(1, middle) > value else (low, middle)
    return low


def _in_order(part: SimpleNamespace, r: int) -> list[tuple[float, int, float]]:
    """Step 4: score by the other seeds, condition, and squared error of the score, of all that may lead at seed r."""
    found = []
    for j in range(part.n_conditions):
        others = [s for s in range(part.n_seeds) if s != r and part.there[j, s]]
        if part.there[j, r] and others and (part.near[j] or part.near.sum() < 4):
            score = np.mean([part.x[j, s] - part.w[j] * part.b[s] for s in others])
            found.append((score, j, part.g[j] / len(others)))
    return sorted(found)


def _leaders(in_order: list[tuple[float, int, float]], i: int) -> list[int]:
    """Step 4: who condition i meets."""
    best_three = [one for one in in_order if one[1] != i][:3]
    if not best_three:
        return []
    best, _, error = best_three[0]
    return [j for score, j, own in best_three if score - best <= 2 * math.sqrt(own + error)]


def _test_each(part: SimpleNamespace) -> None:
    """Step 5."""
    n_conditions = part.n_conditions
    in_order = [_in_order(part, r) for r in range(part.n_seeds)]
    part.p, part.y, part.se, part.y_df = np.full((4, n_conditions), math.nan)
    for i in range(n_conditions):
        y, of_leaders, of_error, of_weight = [], [], [], []
        for r in range(part.n_seeds):
            met = _leaders(in_order[r], i) if part.there[i, r] else []
            if not met:
                continue
            y.append(part.x[i, r] - np.mean(part.x[met, r]))
            of_leaders.append(part.g[met].sum() / len(met) ** 2)
            of_error.append((part.g[met] ** 2 / part.df[met]).sum() / len(met) ** 4)
            of_weight.append(part.w[met].mean())
        if not y:
            continue
        u = part.v_b * (part.w[i] - np.mean(of_weight)) ** 2
        v = part.g[i] + 2 * np.mean(of_leaders) + u
        spread = part.g[i] ** 2 / part.df[i] + 4 * np.mean(of_error) + u**2 / (part.n_seeds - 1)
        part.y_df[i] = min(part.df[i], v**2 / spread)
        if len(y) > 1:
            v = max(v, np.var(y, ddof=1))
        part.y[i], part.se[i] = np.mean(y), math.sqrt(v / len(y))
        part.p[i] = t.sf(part.y[i] / part.se[i], part.y_df[i])


def _set_and_worse(part: SimpleNamespace) -> None:
    """Steps 6 and 7."""
    p = np.where(np.isnan(part.p), 1.0, part.p)
    part.winner = int(part.mean.argmin())
    part.is_in_set = 1.3 * p > part.alpha
    part.is_in_set[part.winner] = True
    part.is_worse = np.zeros(part.n_conditions, dtype=bool)
    for place, i in enumerate(np.argsort(p)):  # Holm steps down until one fails
        if p[i] * (part.n_conditions - place) > part.alpha:
            break
        part.is_worse[i] = not part.is_in_set[i]


def _limits(part: SimpleNamespace) -> None:
    """Step 8."""
    n_conditions, alpha = part.n_conditions, part.alpha
    part.low, part.high, part.difference = np.zeros((3, n_conditions))
    for i in range(n_conditions):
        others = [g for g in range(n_conditions) if g != i]
        part.difference[i] = part.mean[i] - part.mean[others].min()
        low = -math.inf
        if not math.isnan(part.p[i]):
            low = part.y[i] - t.ppf(1 - alpha / n_conditions, part.y_df[i]) * part.se[i]
        low = min(low, part.difference[i])
        part.low[i] = max(low, 0) if part.is_worse[i] else min(low, 0)
        highs = [_high(part, i, g) for g in others if not part.is_worse[g]]
        part.high[i] = max(0.0, part.difference[i], *highs) if highs else max(0.0, part.difference[i])


def _high(part: SimpleNamespace, i: int, g: int) -> float:
    one, other = part.g[i] / part.n[i], part.g[g] / part.n[g]
    by_seeds = part.v_b * (part.w[i] - part.w[g]) ** 2 / part.n_seeds
    squared = one + other + by_seeds
    spread = one**2 / part.df[i] + other**2 / part.df[g] + by_seeds**2 / (part.n_seeds - 1)
    df = min(part.df[i], part.df[g], squared**2 / spread)
    if part.is_complete:
        squared = max(squared, np.var(part.x[i] - part.x[g], ddof=1) / part.n_seeds)
    return part.mean[i] - part.mean[g] + stdtrit(df, 1 - part.alpha / (part.n_conditions - 1)) * math.sqrt(squared)

"""Test whether each condition can be the best, against leaders that the other seeds chose.

At each seed a condition is compared with the conditions that lead at the *other* seeds. So the choice of its rivals is
independent of the values that are compared, and needs no correction (Zhang, Lee & Lei 2024, arXiv 2408.02060). Lower is
better. All arrays may have leading axes, one entry for each simulated sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.special import stdtr, stdtrit
from rothamsted.statistics.spread_model import SpreadModel

N_LEADERS = 3  # one leader is noisy, many are worse than the best
WINDOW = 2.0  # standard errors behind the first leader within which another one is kept
DEPENDENCE = 2.0  # times the leaders' variance: which ones are chosen depends from seed to seed
LEAST_CONDITIONS = 4  # three leaders beside the condition itself
MOST_AT_ONCE = 250_000  # pairs of conditions of all sweeps together: memory
LEAST_REPEATED = 3  # conditions with two values: a trend of the variances, and one degree of freedom about it


@dataclass(frozen=True, kw_only=True)
class LeaderTest:
    """Holds by how much each condition is worse than its leaders."""

    loss: np.ndarray  # (..., condition) mean over its seeds; positive is worse
    error: np.ndarray  # (..., condition) standard error
    df: np.ndarray  # (..., condition)
    n: np.ndarray  # (..., condition) seeds at which it met one

    @property
    def p(self) -> np.ndarray:
        """Give the p-value of being the best, (..., condition); NaN if it was compared with none."""
        return np.where(self.n > 0, stdtr(self.df, -self.loss / self.error), np.nan)

    def least_loss(self, chance: float) -> np.ndarray:
        """Return the lower limit of each loss; it is wrong with probability `chance`."""
        return np.where(self.n > 0, self.loss - stdtrit(self.df, 1 - chance) * self.error, -np.inf)


@dataclass(frozen=True, kw_only=True)
class _Rivals:
    """What the leaders are like: of each seed and condition, or of each seed for who takes which place in it."""

    value: np.ndarray  # their mean value at the seed
    variance: np.ndarray  # of that mean
    variance_error: np.ndarray  # of that variance: sum of squares by degrees of freedom
    weight: np.ndarray  # their mean scale
    is_met: np.ndarray  # whether there is any


def meet_leaders(x: np.ndarray, model: SpreadModel) -> LeaderTest:
    """Compare each condition with its leaders.

    Args:
        x: (..., condition, seed), NaN marks a missing value; 4 conditions or more.
        model: Spread model of these values.
    """
    by_seed = np.swapaxes(x, -1, -2)  # (..., seed, condition)
    is_there = np.isfinite(by_seed)
    met = _rivals(by_seed, is_there, model)
    is_used = is_there & met.is_met
    n = is_used.sum(axis=-2)
    divisor = np.maximum(n, 1)

    def average(values: np.ndarray) -> np.ndarray:
        return np.where(is_used, values, 0.0).sum(axis=-2) / divisor

    losses = np.where(is_used, by_seed - met.value, 0.0)
    loss = losses.sum(axis=-2) / divisor
    rivals = [average(values) for values in (met.variance, met.variance_error, met.weight)]
    variance, df = _variance(model, *rivals, n_seeds=x.shape[-1])
    rest = np.where(is_used, losses - loss[..., None, :], 0.0)
    variance = np.maximum(variance, (rest**2).sum(axis=-2) / np.maximum(n - 1, 1))
    return LeaderTest(loss=loss, error=np.sqrt(variance / divisor), df=df, n=n)


def _variance(
    model: SpreadModel, rivals: np.ndarray, rivals_error: np.ndarray, rivals_weight: np.ndarray, *, n_seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of one loss and its degrees of freedom (Satterthwaite 1946, Biometrics Bulletin 2(6))."""
    by_seeds = model.seed_variance[..., None] * (model.weight - rivals_weight) ** 2
    variance = model.variance + DEPENDENCE * rivals + by_seeds
    spread = model.variance**2 / model.df + DEPENDENCE**2 * rivals_error + by_seeds**2 / (n_seeds - 1)
    return variance, np.minimum(model.df, variance**2 / spread)


def _rivals(by_seed: np.ndarray, is_there: np.ndarray, model: SpreadModel) -> _Rivals:
    """Return what each condition meets at each seed, (..., seed, condition).

    Who is not among the first four of a seed meets the first three. Each of the first four meets the three others. So
    four sets of leaders serve all conditions.
    """
    score, squared_error = _scores(by_seed, is_there, model)
    first = np.argsort(score, axis=-1, kind="stable")[..., : N_LEADERS + 1]

    def take(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(np.broadcast_to(values, by_seed.shape), first, -1)

    leading = [
        take(values)
        for values in (
            score,
            squared_error,
            by_seed,
            model.variance[..., None, :],
            model.df[..., None, :],
            model.weight[..., None, :],
        )
    ]
    sets = [_without(place, *leading) for place in range(N_LEADERS + 1)]
    place = np.full(by_seed.shape, N_LEADERS)
    np.put_along_axis(place, first, np.broadcast_to(np.arange(N_LEADERS + 1), first.shape), -1)

    def of_each(name: str) -> np.ndarray:
        return np.take_along_axis(np.stack([getattr(one, name) for one in sets], axis=-1), place, -1)

    return _Rivals(**{name: of_each(name) for name in _Rivals.__dataclass_fields__})


def _scores(by_seed: np.ndarray, is_there: np.ndarray, model: SpreadModel) -> tuple[np.ndarray, np.ndarray]:
    """Return each condition's mean over the other seeds, their effects taken out, and its squared standard error.

    Infinite where a condition has no value at this seed, or none at another. Also where it is far behind and there are
    enough that are not: its seed effects can be off by more than the others' values.
    """
    is_rival = model.is_near | (model.is_near.sum(axis=-1, keepdims=True) <= N_LEADERS)
    effects = model.seed_effect[..., :, None] * model.weight[..., None, :]
    free = np.where(is_there, by_seed - effects, 0.0)
    n_others = model.n[..., None, :] - is_there
    total = free.sum(axis=-2, keepdims=True)
    can_lead = is_there & (n_others > 0) & is_rival[..., None, :]
    score = np.where(can_lead, (total - free) / np.maximum(n_others, 1), np.inf)
    return score, model.variance[..., None, :] / np.maximum(n_others, 1)


def _without(
    place: int,
    score: np.ndarray,
    squared_error: np.ndarray,
    value: np.ndarray,
    variance: np.ndarray,
    df: np.ndarray,
    weight: np.ndarray,
) -> _Rivals:
    """Return the leaders that the condition in this place meets, (..., seed): the others that are close to the first.

    Args:
        place: 0 to 3; 3 also stands for every condition further behind.
        score: (..., seed, place), best first, infinite where nobody is; the other arrays belong to it.
        squared_error: Of the score.
        value: At the seed.
        variance: Of a value.
        df: Degrees of freedom of the variance.
        weight: Scale.
    """
    others = [other for other in range(N_LEADERS + 1) if other != place]
    score, squared_error = score[..., others], squared_error[..., others]
    is_met = np.isfinite(score[..., 0])
    behind = np.where(np.isfinite(score), score, np.inf) - np.where(is_met, score[..., 0], 0.0)[..., None]
    is_kept = np.isfinite(score) & (behind <= WINDOW * np.sqrt(squared_error + squared_error[..., :1]))
    n = np.maximum(is_kept.sum(axis=-1), 1)

    def total(values: np.ndarray) -> np.ndarray:
        return np.where(is_kept, values[..., others], 0.0).sum(axis=-1)

    return _Rivals(
        value=total(value) / n,
        variance=total(variance) / n**2,
        variance_error=total(variance**2 / df) / n**4,
        weight=total(weight) / n,
        is_met=is_met,
    )


def greatest_loss(x: np.ndarray, model: SpreadModel, chance: float, is_worse: np.ndarray) -> np.ndarray:
    """Return the greatest upper limit of each condition's mean minus the mean of one that may be the best; at least 0.

    Args:
        x: (..., condition, seed), NaN marks a missing value.
        model: Spread model of these values.
        chance: Probability that one limit is wrong.
        is_worse: (..., condition) which conditions are worse, so that they cannot be the best.

    Returns:
        (..., condition)
    """
    n_conditions = x.shape[-2]
    others = np.flatnonzero(~is_worse.reshape(-1, n_conditions).all(axis=0))  # of any of the sweeps
    step = max(1, MOST_AT_ONCE // max(1, x[..., 0].size))
    greatest = []
    for start in range(0, n_conditions, step):
        rows = np.arange(start, min(start + step, n_conditions))
        is_left_out = is_worse[..., None, others] | (rows[:, None] == others)
        high = np.where(is_left_out, 0.0, _most_loss_of(rows, others, x, model, chance))
        greatest.append(high.max(axis=-1, initial=0.0))
    return np.concatenate(greatest, axis=-1)


def _most_loss_of(rows: np.ndarray, others: np.ndarray, x: np.ndarray, model: SpreadModel, chance: float) -> np.ndarray:
    """Return the upper limits of the means of these conditions minus those of others, (..., condition, other)."""
    n_seeds = x.shape[-1]
    share = model.variance / model.n
    share_error = share**2 / model.df
    by_seeds = model.seed_variance[..., None, None] * _pairs(model.weight, np.subtract, rows, others) ** 2 / n_seeds
    squared = _pairs(share, np.add, rows, others) + by_seeds
    spread = _pairs(share_error, np.add, rows, others) + by_seeds**2 / (n_seeds - 1)
    df = np.minimum(_pairs(np.broadcast_to(model.df, share.shape), np.minimum, rows, others), squared**2 / spread)
    if np.isfinite(x).all():
        squared = np.maximum(squared, _variance_of_differences(x, rows, others) / n_seeds)
    return _pairs(model.mean, np.subtract, rows, others) + stdtrit(df, 1 - chance) * np.sqrt(squared)


def _pairs(values: np.ndarray, combine: np.ufunc, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the combination of each of these conditions with each of the others, (..., condition, other)."""
    return combine(values[..., rows, None], values[..., None, others])


def _variance_of_differences(x: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the variance over seeds of the difference of each of these conditions from each of the others."""
    apart = x - x.mean(axis=-1, keepdims=True)
    products = apart[..., rows, :] @ np.swapaxes(apart[..., others, :], -1, -2)
    squares = _pairs((apart**2).sum(axis=-1), np.add, rows, others)
    return np.maximum(squares - 2 * products, 0.0) / (x.shape[-1] - 1)

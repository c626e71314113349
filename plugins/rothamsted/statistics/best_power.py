"""Plan how many seeds "which is best" takes, and what a number of seeds can show, by simulating that procedure.

Normal values are drawn with a sweep's own variances, and judged as `compare_with_best` judges. A share of simulated
sweeps has an error of 2 to 5 percentage points, so the answers are plans and no promises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.best import compare_with_best
from rothamsted.statistics.best_findings import Decision, Findings
from rothamsted.statistics.best_leaders import by_leaders, decide_by_leaders
from rothamsted.statistics.best_scale import LEAST_RESOLUTION, scale
from rothamsted.statistics.best_simple import N_ALTERNATIONS, by_pairs
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.leaders import LEAST_CONDITIONS
from rothamsted.statistics.power import DEFAULT_POWER
from rothamsted.statistics.reduce import Direction
from rothamsted.statistics.spread_model import fit_seeds, fit_spread

MOST_SEEDS = 100  # a plan beyond this is said to be none
MOST_VALUES = 60_000  # simulated at a time: all answers for 48 conditions take less than a second
N_SWEEPS = (60, 400)  # simulated: least, most
GROWTH = 1.5  # of the numbers of seeds that are tried
TOLERANCE = 0.02  # relative, of a difference that is searched for
FARTHEST_LOSS = 1e4  # standard deviations


@dataclass(frozen=True, kw_only=True)
class _Truth:
    """What sweeps are drawn from."""

    mean: np.ndarray  # (condition,)
    sd: np.ndarray  # (condition,) of a value, the seed's part taken out
    by_seed: np.ndarray  # (condition,) times a standard normal number of each seed


def seeds_to_decide(
    values: np.ndarray,
    *,
    direction: Direction,
    is_paired: bool,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    smallest_difference: float | None = None,
    power: float = DEFAULT_POWER,
    most: int = MOST_SEEDS,
) -> tuple[int | None, ...]:
    """Return for each condition how many seeds, in all, would decide its open verdict.

    With that number its verdict is "worse" or "as good" in a share `power` of simulated sweeps. In them every condition
    has so many seeds, and the estimated means and variances. The winner of few seeds looks better than it is, so the
    true number is often greater.

    Args:
        values: See `compare_with_best`.
        direction: See `compare_with_best`.
        is_paired: See `compare_with_best`.
        rng: Where the simulated sweeps come from; equal generators give equal answers.
        level: See `compare_with_best`.
        smallest_difference: See `compare_with_best`. Without it, conditions that are equally good stay open for ever.
        power: Share of sweeps, in (0, 1).
        most: Greatest number of seeds that is tried.

    Returns:
        (condition,) the present number if the verdict is not open. None if more than `most` seeds would be needed, if
        no spread is known, and for a condition without a value.

    Raises:
        ValueError: As `compare_with_best`, or a power outside (0, 1).
    """
    _check_power(power)
    found = compare_with_best(
        values, direction=direction, is_paired=is_paired, level=level, smallest_difference=smallest_difference
    )
    if found is None:
        return (None,) * len(values)
    answers = [row.n if row.verdict in ("worse", "as good") else None for row in found.rows]
    is_candidate = np.array([row.n > 0 for row in found.rows])
    is_open = np.array([row.verdict == "open" for row in found.rows])[is_candidate]
    lower = np.asarray(values, dtype=np.float64)[is_candidate] * (1.0 if direction == "minimize" else -1.0)
    lower = np.where(np.isfinite(lower), lower, np.nan)
    lower = lower[:, np.isfinite(lower).any(axis=0)]
    if not is_open.any() or not _has_spread(lower):
        return tuple(answers)
    scaled = scale(lower)
    within = None if not smallest_difference else float(np.ldexp(smallest_difference, -scaled.exponent))
    truth = _estimated(scaled.values, scaled.resolution, is_paired)
    now = int(np.isfinite(lower).sum(axis=1).max())
    plan = _decided_at(truth, is_open, _tried(now, most), round(1 - level, 12), within, power, rng)
    for index, n in zip(np.flatnonzero(is_candidate), plan):
        answers[index] = n if n is not None else answers[index]
    return tuple(answers)


def power_of_best(
    variances: np.ndarray, n: int, difference: float, *, rng: np.random.Generator, level: float = DEFAULT_LEVEL
) -> float:
    """Return the chance that n seeds call a condition worse if it is worse by `difference` than all others.

    The others are equal.

    Args:
        variances: (condition,) variances of a value, without the seed's part if seeds are common. Each condition is the
            worse one in turn.
        n: Seeds of each condition, 2 or more.
        difference: In the metric's units, positive.
        rng: Where the simulated sweeps come from.
        level: Confidence level of the verdict.

    Raises:
        ValueError: Fewer than two conditions, a variance that is not positive, n below 2, or a level outside (0, 1).
    """
    sd = _deviations(variances, n, level)
    if not (np.isfinite(difference) and difference > 0):
        raise ValueError(f"difference: {difference} must be a positive number")
    unit = float(np.median(sd))
    return _share_called_worse(_tied(sd / unit, n, rng), difference / unit, round(1 - level, 12))


def detectable_loss(
    variances: np.ndarray,
    n: int,
    *,
    rng: np.random.Generator,
    power: float = DEFAULT_POWER,
    level: float = DEFAULT_LEVEL,
) -> float:
    """Return by how much a condition must be worse than the others so that n seeds call it worse with this power.

    See `power_of_best`. It is infinite if no difference is called worse so often.

    Raises:
        ValueError: As `power_of_best`, or a power outside (0, 1).
    """
    _check_power(power)
    sd = _deviations(variances, n, level)
    unit, alpha = float(np.median(sd)), round(1 - level, 12)
    tied = _tied(sd / unit, n, rng)
    low, high = 0.0, 1.0
    while _share_called_worse(tied, high, alpha) < power:
        low, high = high, 2 * high
        if high > FARTHEST_LOSS:
            return math.inf
    while high - low > TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _share_called_worse(tied, middle, alpha) >= power else (middle, high)
    return unit * high


def seeds_to_show(
    variances: np.ndarray,
    difference: float,
    *,
    rng: np.random.Generator,
    power: float = DEFAULT_POWER,
    level: float = DEFAULT_LEVEL,
    most: int = MOST_SEEDS,
) -> int | None:
    """Return the fewest seeds that, with this power, call a condition worse if it is worse by `difference`.

    See `power_of_best`. It is None if more than `most` would be needed.

    Raises:
        ValueError: As `power_of_best`, or a power outside (0, 1).
    """
    _check_power(power)
    low = 1
    for n in _tried(1, most):
        if power_of_best(variances, n, difference, rng=rng, level=level) >= power:
            break
        low = n
    else:
        return None
    while n - low > 1:
        middle = (low + n) // 2
        is_enough = power_of_best(variances, middle, difference, rng=rng, level=level) >= power
        low, n = (low, middle) if is_enough else (middle, n)
    return n


def _tied(sd: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return simulated sweeps whose conditions are all equally good, (sweep, condition, seed)."""
    return sd[:, None] * rng.standard_normal((_n_sweeps(len(sd) * n), len(sd), n))


def _share_called_worse(tied: np.ndarray, difference: float, alpha: float) -> float:
    """Return the share of sweeps in which a condition made worse by this difference is called so; each in turn."""
    sweeps = np.arange(len(tied))
    which = sweeps % tied.shape[1]
    values = tied.copy()
    values[sweeps, which] += difference
    return float(_judged(values, alpha).is_worse[sweeps, which].mean())


def _judged(values: np.ndarray, alpha: float, *, has_limits: bool = False) -> Decision | Findings:
    """Return what `compare_with_best` would say of each sweep."""
    resolution = np.full(values.shape[-2], LEAST_RESOLUTION)
    if values.shape[-2] < LEAST_CONDITIONS:
        return by_pairs(values, True, alpha, resolution)
    return by_leaders(values, alpha, resolution) if has_limits else decide_by_leaders(values, alpha, resolution)


def _is_decided(values: np.ndarray, alpha: float, within: float | None) -> np.ndarray:
    """Return whose verdict is not open, (sweep, condition)."""
    found = _judged(values, alpha, has_limits=within is not None)
    if within is not None and isinstance(found, Findings):
        return found.is_worse | (found.high <= within)
    is_alone = found.is_worse.sum(axis=-1, keepdims=True) == values.shape[-2] - 1
    return found.is_worse | is_alone


def _decided_at(
    truth: _Truth,
    is_open: np.ndarray,
    tried: list[int],
    alpha: float,
    within: float | None,
    power: float,
    rng: np.random.Generator,
) -> list[int | None]:
    """Return the number of seeds at which each open condition is decided, read between those tried."""
    answers: list[int | None] = [None] * len(is_open)
    left = is_open.copy()
    before, share_before = tried[0] - 1, np.zeros(len(is_open))
    for n in tried:
        n_pairs = len(is_open) ** 2 if within is not None else 0
        values = _drawn(truth, n, _n_sweeps(len(is_open) * n + n_pairs), rng)
        share = _is_decided(values, alpha, within).mean(axis=0)
        for index in np.flatnonzero(left & (share >= power)):
            part = (power - share_before[index]) / (share[index] - share_before[index])
            answers[index] = min(n, max(before + 1, math.ceil(before + part * (n - before))))
            left[index] = False
        if not left.any():
            break
        before, share_before = n, np.minimum(share, power)
    return answers


def _drawn(truth: _Truth, n: int, n_sweeps: int, rng: np.random.Generator) -> np.ndarray:
    """Return simulated sweeps, (sweep, condition, seed)."""
    own = truth.sd[:, None] * rng.standard_normal((n_sweeps, len(truth.mean), n))
    return truth.mean[:, None] + own + truth.by_seed[:, None] * rng.standard_normal((n_sweeps, 1, n))


def _estimated(x: np.ndarray, resolution: np.ndarray, is_paired: bool) -> _Truth:
    """Return means and deviations as estimated: moderated ones; with few conditions, one for all on common seeds."""
    if len(x) >= LEAST_CONDITIONS and (np.isfinite(x).sum(axis=1) >= 2).sum() >= LEAST_CONDITIONS - 1:
        model = fit_spread(x, resolution)
        seed_sd = float(np.sqrt(model.seed_variance)) if is_paired else 0.0
        return _Truth(mean=model.mean, sd=np.sqrt(model.variance), by_seed=seed_sd * model.weight)
    if is_paired:
        fit = fit_seeds(x, n_alternations=N_ALTERNATIONS)
        mean, rest, n_fitted = fit.level, fit.rest, sum(x.shape) - 1
    else:
        mean = np.nanmean(x, axis=1)
        rest, n_fitted = np.where(np.isfinite(x), x - mean[:, None], 0.0), len(x)
    sd = math.sqrt(float((rest**2).sum()) / max(int(np.isfinite(x).sum()) - n_fitted, 1))
    return _Truth(mean=mean, sd=np.full(len(x), max(sd, float(resolution.max()))), by_seed=np.zeros(len(x)))


def _has_spread(lower: np.ndarray) -> bool:
    return len(lower) > 1 and bool((np.isfinite(lower).sum(axis=1) >= 2).sum() >= min(len(lower), LEAST_CONDITIONS - 1))


def _tried(now: int, most: int) -> list[int]:
    """Return the numbers of seeds that are tried, from one more than now."""
    tried, n = [], max(now + 1, 2)
    while n < most:
        tried.append(n)
        n = max(n + 1, math.ceil(GROWTH * n))
    return [*tried, most] if most > max(now, 1) else tried


def _n_sweeps(n_values: int) -> int:
    least, greatest = N_SWEEPS
    return max(least, min(greatest, MOST_VALUES // n_values))


def _deviations(variances: np.ndarray, n: int, level: float) -> np.ndarray:
    """Return standard deviations; raise ValueError on what cannot be."""
    check_level(level)
    variances = np.asarray(variances, dtype=np.float64)
    if variances.ndim != 1 or len(variances) < 2 or not (np.isfinite(variances) & (variances > 0)).all():
        raise ValueError("variances: give a positive number for each of two conditions or more")
    if n < 2:
        raise ValueError(f"n: {n} is too few to show a spread; give 2 or more")
    return np.sqrt(variances)


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise ValueError(f"power: {power} must lie between 0 and 1")

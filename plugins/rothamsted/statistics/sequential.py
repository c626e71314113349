"""Plan looks at results that are still coming in, with an error level for each look.

Racing and stopping decide repeatedly on growing data. A test at 5 % that is repeated after every replicate errs far
more often than in 5 %. The levels are found by simulating many series of noise with a fixed seed, so equal arguments
give equal numbers in every process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from rothamsted.statistics.special import bdtrik, erf, stdtr, stdtrit

_N_SERIES = 200_000
_N_NUMBERS_AT_ONCE = 2_000_000  # 16 MB an array
_SEED = 20_260_101
_DOUBT = 1e-3  # probability that the numbers drawn make a price too low


def schedule_looks(*, n_min: int, n_max: int, step: int = 1) -> tuple[int, ...]:
    """Return the numbers of replicates after which one looks: n_min, n_min + step, ..., and always n_max.

    Raises:
        ValueError: n_min below 2, n_max below n_min or step below 1.
    """
    if n_min < 2:
        raise ValueError(f"n_min: {n_min} is too few to show a spread; start looking after 2 or more")
    if n_max < n_min:
        raise ValueError(f"n_max: {n_max} is below n_min = {n_min}; give n_max >= n_min")
    if step < 1:
        raise ValueError(f"step: {step} replicates a round; give 1 or more")
    return (*range(n_min, n_max, step), n_max)


@lru_cache(maxsize=64)
def one_sided_levels(looks: tuple[int, ...], *, alpha: float, n_unused: int = 0) -> tuple[float, ...]:
    """Divide an error rate among the looks of one Student's t test of a growing sample.

    The p-value at a look after n replicates is compared with q / n. The constant q is chosen so that a series of
    independent normal numbers with mean zero falls below it at any look with probability alpha. Its t values do not
    depend on the variance, so one q is right for all. q / n spends much of the error early, when many conditions are
    still to be dropped. Looks at n and n + 1 share most of their data, so it spends about evenly over new data.

    Args:
        looks: Numbers of replicates, rising.
        alpha: Probability of any false alarm, in (0, 1).
        n_unused: Number of replicates that are not in the sample: at a look after n it has n - n_unused numbers.

    Returns:
        One level for each look; 0 if the sample has fewer than two numbers. Their sum is at least alpha, the sum of
        Bonferroni's levels, because alarms come together.
    """
    usable = [look for look in looks if look - n_unused >= 2]
    if len(usable) < 2:
        return tuple(alpha if look in usable else 0.0 for look in looks)
    shares = np.array([1 / look for look in usable])
    shares /= shares.sum()
    least = np.concatenate(
        [_least_p_values(block, usable, shares, alpha, n_unused) for block in _noise(usable[-1] - n_unused)]
    )
    # The k-th smallest of the values lies above the alpha quantile with probability below _DOUBT.
    k = int(np.ceil(bdtrik(_DOUBT, len(least), alpha)))
    total = max(alpha, float(np.partition(least, k - 1)[k - 1])) if k >= 1 else alpha
    by_look = dict(zip(usable, (total * shares).tolist()))
    return tuple(by_look.get(look, 0.0) for look in looks)


def _least_p_values(noise: np.ndarray, looks: list[int], shares: np.ndarray, alpha: float, n_unused: int) -> np.ndarray:
    """Return the least p-value / share over the looks of each series (series,); infinite above alpha / share."""
    sums, squares = np.cumsum(noise, axis=1), np.cumsum(noise * noise, axis=1)
    least = np.full(len(noise), np.inf)
    for look, share in zip(looks, shares):
        n = look - n_unused
        mean = sums[:, n - 1] / n
        variance = (squares[:, n - 1] - n * mean * mean) / (n - 1)
        t = mean * np.sqrt(n / np.maximum(variance, np.finfo(float).tiny))
        low = np.flatnonzero(t >= stdtrit(n - 1, 1 - alpha))  # q * share <= alpha: higher p-values do not count
        least[low] = np.minimum(least[low], stdtr(n - 1, -t[low]) / share)
    return least


@lru_cache(maxsize=64)
def stopping_level(looks: tuple[int, ...], *, level: float) -> float:
    """Return the level of Student's interval that still covers with `level` if its width decides when to stop.

    If replicates stop at the first narrow interval, its standard deviation is too small on average. For normal values
    the mean is independent of all standard deviations so far. So the coverage is that of the interval at the stop, and
    depends on width / sigma only. The returned level covers for the worst width.

    Args:
        looks: Numbers of values, rising, 2 or more, after which one looks.
        level: Coverage that the reported interval has to keep, in (0, 1).

    Returns:
        The level of the interval at each look: `level` itself where there is one look only.
    """
    if len(looks) == 1:
        return level
    n_series = max(4_000, min(40_000, 2_000_000 // looks[-1]))
    noise = np.random.default_rng(_SEED).standard_normal((n_series, looks[-1] - 1))
    at = np.array(looks)
    sd = np.sqrt(np.cumsum(noise * noise, axis=1)[:, at - 2] / (at - 1))  # (series, look), sigma = 1
    enough, too_low = 1 - (1 - level) / 4, level
    while _worst_coverage(sd, at, enough) < level:
        enough, too_low = 1 - (1 - enough) / 4, enough
    for _ in range(12):  # halves the gap in the error rate each time: to 1/4096 of it
        middle = (enough + too_low) / 2
        if _worst_coverage(sd, at, middle) >= level:
            enough = middle
        else:
            too_low = middle
    return enough


def _worst_coverage(sd: np.ndarray, looks: np.ndarray, level: float) -> float:
    """Return the coverage at the width where it is lowest, less twice the error of computing it."""
    quantiles = stdtrit(looks - 1, (1 + level) / 2)
    half = sd * (quantiles / np.sqrt(looks))  # (series, look)
    widths = np.geomspace(np.quantile(half[:, -1], 0.01), np.quantile(half[:, 0], 0.99), 24)
    worst = 1.0
    for width in widths:
        is_narrow = half <= width
        is_narrow[:, -1] = True  # the last look ends it in any case
        stop = is_narrow.argmax(axis=1)
        covered = erf(quantiles[stop] * sd[np.arange(len(sd)), stop] / np.sqrt(2))
        worst = min(worst, float(covered.mean() - 2 * covered.std() / np.sqrt(len(covered))))
    return worst


def _noise(n: int) -> Iterator[np.ndarray]:
    """Yield blocks (series, n) of standard normal numbers, _N_SERIES in all but for very long series."""
    rng = np.random.default_rng(_SEED)
    n_series = max(20_000, min(_N_SERIES, 40_000_000 // n))
    at_once = max(1, _N_NUMBERS_AT_ONCE // n)
    for start in range(0, n_series, at_once):
        yield rng.standard_normal((min(at_once, n_series - start), n))

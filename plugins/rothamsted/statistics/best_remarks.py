"""Write the remarks on "which is best": what could not be tested, and where the error rates do not hold."""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.best_centres import fewest_seeds, method_of
from rothamsted.statistics.centres import Centre
from rothamsted.statistics.intervals import moments
from rothamsted.wording import plain_count, verb

FAR_NOISIER = 3.0  # times the median standard deviation of the others


def note(lower: np.ndarray, p: np.ndarray, *, n_missing: int) -> str:
    """Say how many conditions are members only because they could not be tested, and how many are not candidates.

    Args:
        lower: (condition, seed) of the candidates.
        p: (condition,) p-values of being the best.
        n_missing: Number of conditions without a finite value.
    """
    parts = []
    if len(lower) == 1:
        parts.append("there is no other condition to compare with")
    n_untested = int(np.isnan(p).sum())
    if n_untested:
        parts.append(f"{_has(n_untested)} too few replicates to be compared and cannot be ruled out")
    if n_missing:
        parts.append(f"{_has(n_missing)} no value and cannot be the best")
    return "; ".join(parts)


def _has(n: int) -> str:
    return f"{n} has" if n == 1 else f"{n} have"


def warnings(lower: np.ndarray, mean: np.ndarray, *, n_diverged: int, is_clipped: bool) -> tuple[str, ...]:
    """Return the sentences that limit what the verdicts promise.

    Args:
        lower: (condition, seed) of the candidates, lower is better.
        mean: (condition,) means, lower is better.
        n_diverged: Number of runs with an infinite value.
        is_clipped: Whether some values were too large to compute with.
    """
    sd = moments(lower.T)[1]
    winner = int(np.argmin(mean))
    others = np.delete(sd, winner)
    others = others[np.isfinite(others)]
    found = []
    if n_diverged:
        found.append(
            f"{plain_count(n_diverged, 'replicate')} diverged and {verb(n_diverged, 'is', 'are')} left out. If a "
            "condition fails on few seeds, its mean is that of the seeds that did not fail, and the truly best "
            "condition is missed more often than stated."
        )
    if len(others) and np.median(others) > 0 and sd[winner] > FAR_NOISIER * np.median(others):
        found.append(
            "The replicates of the best condition differ far more than those of the others. It may be best by chance; "
            "more seeds would tell."
        )
    if len(lower) > 1 and np.isfinite(sd).any() and not (sd[np.isfinite(sd)] > 0).any():
        found.append(
            "The replicates of each condition are all equal, so the size of chance is unknown. Check that the seed has "
            "an effect."
        )
    if is_clipped:
        found.append(
            "Some values are too large to compute with. They count as 1e70 standard deviations from the middle."
        )
    return tuple(found)


def too_few(lower: np.ndarray, centre: Centre, words: str, *, level: float, is_paired: bool) -> str:
    """Say that so few seeds cannot call a condition worse, and how many can; empty if they are enough.

    Args:
        lower: (condition, seed) of the candidates.
        centre: The number of a condition; not the mean.
        words: Its name, for the values as they were logged.
        level: Confidence level of the verdicts.
        is_paired: Whether columns are seeds.
    """
    n_conditions, n = len(lower), int(np.isfinite(lower).sum(axis=1).max())
    needed = fewest_seeds(centre, n_conditions, level=level, is_paired=is_paired)
    if n_conditions < 2 or n >= needed:
        return ""
    tests = {"sign": "sign tests", "bounds": "order statistics", "trimmed": "trimmed means"}
    return (
        f"{n} seeds a condition are too few to call any of {n_conditions} conditions worse by its {words}: "
        f"{tests[method_of(centre, is_paired)]} need {needed} or more."
    )

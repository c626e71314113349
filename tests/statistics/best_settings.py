"""Sweeps with a known best, to simulate how often "which is best" errs and what it finds.

One setting is a kind of noise and a pattern of means. Lower is better. The table of the whole simulation:

    python -m tests.statistics.best_settings          # some 15 minutes on one core; docs/log.md has the figures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.best_leaders import by_leaders

Noise = Callable[[np.random.Generator, np.ndarray, tuple[int, int, int]], np.ndarray]
ALPHA = 0.05
MOST_PAIRS = 300_000  # of conditions, in one batch: memory


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of noise around given means."""

    draw: Noise  # generator, means (condition,), (sweeps, conditions, seeds) -> values
    base: float = 0.0  # mean of the best ones
    step: float = 1.0  # one standard deviation of the best ones: the unit of the pattern
    far: float = 1.0  # the mean of the last condition is this many times the others'
    is_alike: bool = True  # conditions of one mean can be exchanged, but for the first, so that their rates are pooled
    is_skew_to_good: bool = False  # where the procedure says that it may lose the best less often than it counts


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of simulated sweeps, with their Monte-Carlo errors where they matter."""

    lost: float  # a truly best condition is not in the set: the worst such condition
    lost_error: float
    family: float  # any truly best condition is called worse
    family_error: float
    limits: float  # any low or high is wrong
    excluded: float  # of the conditions that are worse: not in the set
    worse: float  # of them: called worse


def _normal(sd: Callable[[int], np.ndarray], *, share: float = 0.0) -> Noise:
    """Independent noise with these deviations, and a share of the variance that all have in common at a seed."""

    def draw(rng: np.random.Generator, means: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        own = rng.standard_normal(shape) * (1 - share) ** 0.5
        common = rng.standard_normal((shape[0], 1, shape[2])) * share**0.5
        return means[:, None] + sd(shape[1])[:, None] * (own + common)

    return draw


def _first(of_first: float, of_rest: float = 1.0) -> Callable[[int], np.ndarray]:
    return lambda k: np.where(np.arange(k) == 0, of_first, of_rest)


def _spread_out(low: float, high: float) -> Callable[[int], np.ndarray]:
    """From low to high in equal ratios, in an order that has nothing to do with the means."""
    return lambda k: np.geomspace(low, high, k)[np.random.default_rng(11).permutation(k)]


def _standardized(draw: Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]) -> Noise:
    return lambda rng, means, shape: means[:, None] + draw(rng, shape)


def _times_mean(ratio: Callable[[int], np.ndarray], *, is_log: bool) -> Noise:
    """Deviations in proportion to the means, which stay arithmetic means."""

    def draw(rng: np.random.Generator, means: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        z, r = rng.standard_normal(shape), ratio(shape[1])[:, None]
        if not is_log:
            return means[:, None] * (1 + r * z)
        log_sd = np.sqrt(np.log1p(r**2))
        return means[:, None] * np.exp(log_sd * z - log_sd**2 / 2)

    return draw


def _bad_values(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return rng.standard_normal(shape) + 5 * ((rng.random(shape) < 0.1) - 0.1)


def _bad_seeds(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return rng.standard_normal(shape) + 5 * (rng.random((shape[0], 1, shape[2])) < 0.1)


def _log_normal(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    sd = 0.5
    return (np.exp(sd * rng.standard_normal(shape)) - np.exp(sd**2 / 2)) / 0.604  # its standard deviation


def _accuracy(rng: np.random.Generator, means: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Share of 1,000 rows that a model gets wrong, which varies from seed to seed beyond counting."""
    wrong = np.clip(means[:, None] * (1 + 0.05 * rng.standard_normal(shape)), 0, 1)
    return rng.binomial(1000, wrong) / 1000


# Sixteen losses like the quickstart's: four that are close, and a long tail to 6.4.
QUICKSTART = np.array([0.08, 0.081, 0.082, 0.084, 0.09, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2, 2.3, 4.0, 6.4])


def quickstart(n: int, *, n_sweeps: int, seed: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return who is called worse and who is in the set, (sweep, condition), in sweeps like the quickstart's."""
    values = _recorded(np.random.default_rng(seed), QUICKSTART, (n_sweeps, len(QUICKSTART), n))
    found = by_leaders(values, ALPHA, np.full(len(QUICKSTART), 1e-14))
    return found.is_worse, found.is_in_set


def _recorded(rng: np.random.Generator, means: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """As the quickstart's losses: deviations of 0.0035 at a loss of 0.08 to 1.0 at 6.4, log-normal."""
    sd = 0.0035 * (means / 0.08) ** (np.log(1 / 0.0035) / np.log(6.4 / 0.08))
    return _times_mean(lambda k: sd / means, is_log=True)(rng, means, shape)


_AS_MEAN = _times_mean(lambda k: np.full(k, 0.15), is_log=True)
_NORMAL_AS_MEAN = _times_mean(lambda k: np.full(k, 0.15), is_log=False)

SETTINGS: Mapping[str, Setting] = {
    "equal spread": Setting(draw=_normal(np.ones)),
    "11-fold unequal spread": Setting(draw=_normal(_spread_out(0.3, 3.3)), is_alike=False),
    "spread as the mean, normal": Setting(draw=_NORMAL_AS_MEAN, base=1, step=0.15),
    "spread as the mean, log-normal": Setting(draw=_AS_MEAN, base=1, step=0.15),
    "sd/mean 0.03 to 0.4, log-normal": Setting(
        draw=_times_mean(_spread_out(0.03, 0.4), is_log=True), base=1, step=0.15, is_alike=False
    ),
    "one 80 times away": Setting(draw=_AS_MEAN, base=1, step=0.15, far=80.0),
    "one a million times away": Setting(draw=_AS_MEAN, base=1, step=0.15, far=1e6),
    "best three times the spread": Setting(draw=_normal(_first(3.0))),
    "quiet best, noisy rivals": Setting(draw=_normal(_first(0.1))),
    "t3": Setting(draw=_standardized(lambda rng, shape: rng.standard_t(3, shape) / 3**0.5)),
    "10 % bad values": Setting(draw=_standardized(_bad_values)),
    "bad seeds": Setting(draw=_standardized(_bad_seeds)),
    "log-normal, long tail to the bad": Setting(draw=_standardized(_log_normal)),
    "log-normal, long tail to the good": Setting(
        draw=_standardized(lambda rng, shape: -_log_normal(rng, shape)), is_skew_to_good=True
    ),
    "seed share 0.3": Setting(draw=_normal(np.ones, share=0.3)),
    "seed share 0.8": Setting(draw=_normal(np.ones, share=0.8)),
    "seed effects in proportion, 11-fold": Setting(draw=_normal(_spread_out(0.3, 3.3), share=0.5), is_alike=False),
    "accuracy": Setting(draw=_accuracy, base=0.1, step=0.0107),
    "quickstart's losses": Setting(draw=_recorded, base=0.08, step=0.0035),
}
# Standard deviations over three seeds of the sixteen best conditions of shipped sweeps of `batch_size`, best first.
RECORDED_SDS: Mapping[str, tuple[float, ...]] = {
    "fixed-batch": (
        *(0.0053, 0.0098, 0.0076, 0.019, 0.0086, 0.011, 0.0066, 0.036),
        *(0.0045, 0.021, 0.04, 0.035, 0.02, 0.014, 0.014, 0.013),
    ),
    "batch-scaling": (
        *(0.035, 0.01, 0.012, 0.0059, 0.011, 0.0072, 0.01, 0.02),
        *(0.026, 0.0044, 0.0058, 0.0098, 0.0054, 0.0035, 0.0096, 0.011),
    ),
    "small-mup": (
        *(0.015, 0.023, 0.016, 0.02, 0.013, 0.015, 0.0095, 0.0079),
        *(0.0087, 0.014, 0.017, 0.017, 0.015, 0.019, 0.022, 0.014),
    ),
    "mup-transfer": (
        *(0.00076, 0.00024, 0.00052, 0.0016, 0.00076, 0.00052, 0.00033, 0.0034),
        *(0.0034, 0.00036, 0.00084, 0.00084, 0.0034, 0.0068, 0.0049, 0.011),
    ),
    "staged, trained in full": (
        *(0.012, 0.0051, 0.025, 0.026, 0.0077, 0.0091, 0.0079, 0.0043),
        *(0.0038, 0.0088, 0.0015, 0.005, 0.12, 0.0069, 0.0051, 0.3),
    ),
}


def _of_sweep(sds: tuple[float, ...]) -> Setting:
    """Normal noise with a recorded spread for each condition; the unit of the pattern is the median."""
    return Setting(draw=_normal(lambda k: np.resize(sds, k)), step=float(np.median(sds)), is_alike=False)


RECORDED: Mapping[str, Setting] = {f"as in {name}": _of_sweep(sds) for name, sds in RECORDED_SDS.items()}
PATTERNS: Mapping[str, float] = {"all tied": 0.0, "rest at 2 sd": 2.0, "rest at 5 sd": 5.0}


def means_of(setting: Setting, behind: float, n_conditions: int) -> np.ndarray:
    """Return the means: all tied, or the first four (half of fewer than eight) tied, and the rest behind."""
    n_best = n_conditions if behind == 0 else min(4, n_conditions // 2)
    means = setting.base + setting.step * behind * (np.arange(n_conditions) >= n_best)
    means[-1] *= setting.far
    return means


def rates(
    setting: Setting,
    behind: float,
    *,
    n_conditions: int,
    n: int,
    n_sweeps: int,
    seed: int = 15,
    missing: float = 0.0,
) -> Rates:
    """Simulate sweeps and return how often the procedure errs, and what it finds."""
    rng = np.random.default_rng([seed, n_conditions, n])
    means = means_of(setting, behind, n_conditions)
    is_best = means == means.min()
    parts = []
    left = n_sweeps
    while left > 0:
        size = min(left, max(1, MOST_PAIRS // n_conditions**2))
        values = setting.draw(rng, means, (size, n_conditions, n))
        parts.append(_judged(_with_gaps(rng, values, missing), means, is_best))
        left -= size
    out, worse, wrong = (np.concatenate(part) for part in zip(*parts))
    return _rates(setting, out, worse, wrong, is_best)


def _with_gaps(rng: np.random.Generator, values: np.ndarray, missing: float) -> np.ndarray:
    """Take values away at random, but the first of each condition."""
    is_gone = rng.random(values.shape) < missing
    is_gone[..., 0] = False
    return np.where(is_gone, np.nan, values) if missing else values


def _judged(values: np.ndarray, means: np.ndarray, is_best: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return who is out of the set, who is called worse (sweep, condition), and where a limit is wrong (sweep,)."""
    resolution = np.full(values.shape[-2], 1e-14)
    found = by_leaders(values, ALPHA, resolution)
    least = np.sort(means)[:2]
    truth = means - np.where(is_best & (is_best.sum() == 1), least[1], least[0])
    slack = 1e-9 * np.abs(means)
    wrong = ((found.low > truth + slack) | (found.high < truth - slack)).any(axis=-1)
    return ~found.is_in_set, found.is_worse, wrong


def _rates(setting: Setting, out: np.ndarray, worse: np.ndarray, wrong: np.ndarray, is_best: np.ndarray) -> Rates:
    """Return the rates; conditions that can be exchanged share one rate."""
    lost = [out[:, index] * 1.0 for index in np.flatnonzero(is_best)]
    if setting.is_alike and len(lost) > 1:
        lost = [lost[0], np.mean(lost[1:], axis=0)]
    worst = max(lost, key=np.mean)
    family = worse[:, is_best].any(axis=1)
    rest = ~is_best
    root = len(out) ** 0.5
    return Rates(
        lost=float(worst.mean()),
        lost_error=float(worst.std() / root),
        family=float(family.mean()),
        family_error=float(family.std() / root),
        limits=float(wrong.mean()),
        excluded=float(out[:, rest].mean()) if rest.any() else float("nan"),
        worse=float(worse[:, rest].mean()) if rest.any() else float("nan"),
    )


def whole(sizes: Mapping[tuple[int, int], int]) -> None:
    """Print one line a setting, for each number of conditions and seeds: size of simulation."""
    print("K n | setting | pattern | lost | error | family | error | limits | excluded | worse")
    for (n_conditions, n), n_sweeps in sizes.items():
        for name, setting in {**SETTINGS, **RECORDED}.items():
            for pattern, behind in PATTERNS.items():
                found = rates(setting, behind, n_conditions=n_conditions, n=n, n_sweeps=n_sweeps)
                figures = " | ".join(f"{100 * value:.2f}" for value in vars(found).values())
                print(f"{n_conditions} {n} | {name} | {pattern} | {figures}", flush=True)


if __name__ == "__main__":
    whole({(k, n): 8000 for k in (16, 4) for n in (3, 5, 10)})
    whole({(50, n): 1500 for n in (3, 5, 10)} | {(16, n): 2000 for n in (2, 20)})

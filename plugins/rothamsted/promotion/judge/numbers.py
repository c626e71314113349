"""Compare challengers with the champion: one p-value and one interval for each, corrected as a family.

The question is always: is the improvement larger than the policy's threshold? The one-sided test has error rate alpha =
1 - level. The interval is two-sided at 1 - 2 alpha, so each end is a one-sided limit with the same rate. If its near
end is beyond the threshold, the test says yes (promoted). If its far end is short of it, the data exclude a yes (kept).
Two one-sided tests: Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15(6)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.errors import DataError
from rothamsted.promotion.judge.looks import EarlierPairs, Look, interval_together, p_of_looks
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import Evidence
from rothamsted.statistics import TESTS, Interval, compare, correct
from rothamsted.statistics.guarded import skewness_of
from rothamsted.statistics.pairing import pairing

Answer = Literal["shown", "excluded", "open"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Holds the values of a comparison. Pairs have equal indices, with NaN if one of a pair is missing."""

    challenger: np.ndarray  # (replicate,)
    champion: np.ndarray  # (replicate,)
    test: str  # name in statistics.TESTS
    n_excluded: int  # pairs of which a value is missing; unpaired: values

    @property
    def n_each(self) -> tuple[int, int]:
        """Give the numbers of finite values of challenger and champion; for pairs they are equal."""
        if TESTS[self.test].is_paired:
            n_pairs = int((np.isfinite(self.challenger) & np.isfinite(self.champion)).sum())
            return n_pairs, n_pairs
        return int(np.isfinite(self.challenger).sum()), int(np.isfinite(self.champion).sum())

    @property
    def n(self) -> int:
        """Give the number of pairs, or the size of the smaller group."""
        return min(self.n_each)


@dataclass(frozen=True, kw_only=True)
class ChallengerComparison:
    """Holds the comparison of one challenger with the champion."""

    samples: Samples
    difference: Interval | None  # challenger minus champion; None where there are too few values
    improvement: float  # the estimate with the sign that makes better positive; NaN where there is none
    p_value: float  # of the family; NaN where the test is undefined
    n_tests: int  # in the family
    threshold: float  # what the improvement must exceed, by the policy's rule
    answer: Answer  # to: is the improvement larger than the threshold?
    note: str  # why something is undefined, or what these replicates cannot show
    look: Look
    sign: float  # what makes a difference an improvement
    n_pairs: tuple[int, ...]  # of each look that counts, this one last; unpaired: the smaller sample

    @property
    def skewness(self) -> float:
        """Give the skewness of improvements in this look's pairs, or of the challenger's values. Negative: bad tail."""
        samples = self.samples
        values = samples.challenger - (samples.champion if TESTS[samples.test].is_paired else 0.0)
        return self.sign * skewness_of(values[np.isfinite(values)])

    @property
    def n(self) -> int:
        """Give the number of pairs of all looks that count, or the size of the smaller group."""
        return sum(self.n_pairs)


def compare_all(
    challengers: Sequence[Evidence], champion: Evidence, policy: Policy, looks: Sequence[Look], *, is_paired: bool
) -> list[ChallengerComparison]:
    """Compare each challenger with the champion.

    Every challenger counts in the family, even if it is refused later for other reasons. Otherwise challengers with bad
    results would leave the family. A test that cannot be made counts as a p-value of 1. A p-value is divided by its
    look's share of the error rate before the correction.

    Args:
        challengers: challengers with the same data as the champion, without the champion itself.
        champion: the champion, with replicates on the same seeds if `is_paired`.
        policy: the policy with test, level, threshold and correction.
        looks: one for each challenger.
        is_paired: whether contestants ran on common fresh seeds.

    Raises:
        DataError: a seed occurs twice in one evidence although seeds make pairs.
    """
    samples = [samples_of(challenger, champion, policy, is_paired=is_paired) for challenger in challengers]
    values = objectives(champion)
    threshold = policy.threshold(values[np.isfinite(values)])
    raw = np.array(
        [_p_value(one, look, policy, threshold) for one, look in zip(samples, looks, strict=True)], dtype=np.float64
    )
    family = correct(np.where(np.isnan(raw), 1.0, raw), policy.correction)
    corrected = np.where(np.isnan(raw), math.nan, family)
    return [
        _compared(one, look, float(p), policy, threshold, len(samples))
        for one, look, p in zip(samples, looks, corrected, strict=True)
    ]


def samples_of(challenger: Evidence, champion: Evidence, policy: Policy, *, is_paired: bool) -> Samples:
    """Collect the values of two contestants as the policy's test takes them."""
    test = test_of(policy, is_paired=is_paired and _are_pairs(challenger, champion))
    if not TESTS[test].is_paired:
        a, b = objectives(challenger), objectives(champion)
        n_excluded = int((~np.isfinite(a)).sum() + (~np.isfinite(b)).sum())
        return Samples(challenger=a, champion=b, test=test, n_excluded=n_excluded)
    first, second = _by_seed(challenger), _by_seed(champion)
    seeds = [seed for seed in dict.fromkeys((*first, *second)) if seed]
    a = np.array([first.get(seed, math.nan) for seed in seeds], dtype=np.float64)
    b = np.array([second.get(seed, math.nan) for seed in seeds], dtype=np.float64)
    n_excluded = int((~(np.isfinite(a) & np.isfinite(b))).sum())
    return Samples(challenger=a, champion=b, test=test, n_excluded=n_excluded)


def test_of(policy: Policy, *, is_paired: bool) -> str:
    """Return the policy's test, or its twin if pairing needs that."""
    chosen = TESTS[policy.test]
    return chosen.twin if chosen.twin and chosen.is_paired != is_paired else policy.test


def _are_pairs(challenger: Evidence, champion: Evidence) -> bool:
    """Whether enough seeds are common, by the rule of all comparisons.

    Runs without a seed are no contest of ours: they stay without a pair.

    Raises:
        DataError: a seed that stands twice in one evidence.
    """
    if any(not run.seed for one in (challenger, champion) for run in one.runs):
        return True
    seeds = [[seed for seed, value in _by_seed(one).items() if math.isfinite(value)] for one in (challenger, champion)]
    return pairing(*seeds).is_paired


def objectives(evidence: Evidence) -> np.ndarray:
    """Return the objective of each run, (replicate,), NaN if it has not finished with a finite one."""
    values = np.array([_objective(run.objective, run.outcome) for run in evidence.runs], dtype=np.float64)
    return np.where(np.isfinite(values), values, math.nan)


def _objective(value: float, outcome: str) -> float:
    return value if outcome == "finished" else math.nan


def _by_seed(evidence: Evidence) -> dict[str, float]:
    counts = Counter(run.seed for run in evidence.runs if run.seed)
    if repeated := [seed for seed, n in counts.items() if n > 1]:
        runs = ", ".join(run.run_id for run in evidence.runs if run.seed == repeated[0])
        raise DataError(
            f"evidence of '{evidence.label}' in sweep '{evidence.sweep}': seed {repeated[0]} is there twice, in the "
            f"runs {runs}: one replicate would count as two; leave one of them out"
        )
    values = objectives(evidence)
    return {run.seed: float(value) for run, value in zip(evidence.runs, values, strict=True) if run.seed}


def _looks_together(samples: Samples, look: Look) -> list[EarlierPairs]:
    """The pairs of all looks that count, this one last; an earlier one without spread says nothing.

    Unpaired, recorded replicates stand alone: they are the same at each look.
    """
    this = EarlierPairs(challenger=samples.challenger, champion=samples.champion)
    if not TESTS[samples.test].is_paired:
        return [this]
    pairs = [
        one for one in look.earlier if not math.isnan(compare(one.challenger, one.champion, test=samples.test).p_value)
    ]
    return [*pairs, this]


def _p_value(samples: Samples, look: Look, policy: Policy, threshold: float) -> float:
    """The p-value of one challenger alone, divided by its look's share; NaN where the test is undefined."""
    if not look.share:
        return math.nan
    side = "greater" if policy.sign > 0 else "less"
    found = p_of_looks(_looks_together(samples, look), test=samples.test, side=side, null=policy.sign * threshold)
    return min(1.0, found / look.share) if not math.isnan(found) else math.nan


def _compared(
    samples: Samples, look: Look, p_value: float, policy: Policy, threshold: float, n_tests: int
) -> ChallengerComparison:
    """Add the interval and the answer.

    The interval's limits share the error rate of the family equally: they agree with Bonferroni's correction
    exactly, and are a little wider than Holm's p-value would need.
    """
    level = 1 - 2 * policy.alpha * (look.share or 1.0) / n_tests
    found = compare(samples.challenger, samples.champion, test=samples.test, level=level)
    mean, low, high = found.estimate, found.low, found.high
    has_spread = not (math.isnan(low) or math.isnan(high))
    if samples.n >= 2 and not has_spread:  # all differences are equal: an interval without width, as everywhere
        low = high = found.estimate
    together = _looks_together(samples, look)
    if len(together) > 1 and has_spread:
        mean, low, high = interval_together(together, test=samples.test, tail=(1 - level) / 2)
    n_pairs = (*(_n_pairs(one) for one in together[:-1]), samples.n)
    difference = None
    if samples.n >= 2 and look.share:
        difference = Interval(estimate=mean, low=low, high=high, level=level, n=sum(n_pairs), method=samples.test)
    farthest = high if policy.sign > 0 else -low
    answer: Answer = "open"
    if p_value <= policy.alpha:
        answer = "shown"
    elif difference is not None and farthest <= threshold:
        answer = "excluded"
    return ChallengerComparison(
        samples=samples,
        difference=difference,
        improvement=policy.sign * mean,
        p_value=p_value,
        n_tests=n_tests,
        threshold=threshold,
        answer=answer,
        note=found.note,
        look=look,
        sign=policy.sign,
        n_pairs=n_pairs,
    )


def _n_pairs(pairs: EarlierPairs) -> int:
    return int((np.isfinite(pairs.challenger) & np.isfinite(pairs.champion)).sum())

"""Say how far a promotion can be trusted if a few bad seeds matter much.

A long tail on the bad side makes a test of the mean promote too often, most of all if the replicates do not show the
tail. The figures are simulated: a challenger with exponential losses and the champion's mean, nominal 5 %."""

from __future__ import annotations

from collections.abc import Mapping

from rothamsted.promotion.judge.numbers import ChallengerComparison
from rothamsted.statistics import TESTS
from rothamsted.wording import count, number, percent

LONG_TAIL = -1.0  # skewness: 7 % of ten normal values have less, 56 % of ten exponential ones
FEW = 10  # pairs, below which a long tail is mostly not seen

# Pairs, or replicates of the challenger -> share of such challengers that is promoted; other tests as paired_t.
PROMOTED: Mapping[str, Mapping[int, float]] = {
    "guarded_t": {5: 0.08, 10: 0.05, 20: 0.04},
    "guarded_welch": {5: 0.08, 10: 0.06, 20: 0.05},
    "paired_t": {5: 0.16, 10: 0.13, 20: 0.11},
    "welch": {5: 0.14, 10: 0.12, 20: 0.10},
    "paired_permutation": {5: 0.09, 10: 0.13, 20: 0.11},
}


def skewed(comparison: ChallengerComparison) -> tuple[str, ...]:
    """Return the warning for a promotion; nothing if the test is valid, or nothing is promoted."""
    samples, skewness = comparison.samples, comparison.skewness
    n = samples.n_each[0]
    has_tail = skewness <= LONG_TAIL
    holds = samples.test == "guarded_t" and n >= FEW
    if comparison.answer != "shown" or holds or not (has_tail or n < FEW):
        return ()
    rates = PROMOTED.get(samples.test, PROMOTED["paired_t"])
    rate = rates[min(rates, key=lambda size: abs(size - n))]
    what = "pair" if TESTS[samples.test].is_paired else "replicate"
    seen = (
        f"The challenger has a long tail on the bad side (skewness {number(skewness, 2)})"
        if has_tail
        else f"{count(n, what)} are too few to show a long tail on the bad side"
    )
    return (
        f"{seen}: of challengers with exponential losses that are no better about {percent(rate)} would be promoted "
        f"by this test, instead of 5\N{NO-BREAK SPACE}%.",
    )

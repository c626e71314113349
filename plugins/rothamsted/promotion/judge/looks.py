"""Share the error rate among repeated looks at an undecided challenger, and combine their results.

A look is one comparison of a challenger with a champion. If looks repeat at 5 % each, two equal models end in a
promotion in every third case. Here all looks share one error rate: the shares add up to at most 1 (Bonferroni). That
holds whatever made somebody look again, and however many replicates each look has. Each look has fresh seeds, so its
p-value does not depend on earlier looks. The p-values of all looks are combined with equal weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.promotion.judge.policy import Policy
from rothamsted.statistics import compare
from rothamsted.wording import number as in_digits
from rothamsted.wording import percent

_LEAST_P = 1e-300


@dataclass(frozen=True, kw_only=True)
class EarlierPairs:
    """Holds the pairs of an earlier look on common fresh seeds; NaN if one of a pair is missing."""

    challenger: np.ndarray  # (replicate,)
    champion: np.ndarray  # (replicate,)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Says which look at a challenger this is, and which share of the error rate it may spend."""

    number: int  # 1, 2, ...
    share: float  # of the error rate, in [0, 1]; 0: nothing is left, and nothing can be tested
    next_share: float  # of the look after this one
    earlier: tuple[EarlierPairs, ...] = ()  # the looks before it whose pairs are on record


def plan_look(policy: Policy, spent: Sequence[float | None] = (), earlier: Sequence[EarlierPairs] = ()) -> Look:
    """Return the next look.

    Args:
        policy: The policy with its number of looks.
        spent: The share of each look so far; None for a look from before looks had shares.
        earlier: The pairs of the looks that have pairs.
    """
    number = len(spent) + 1
    paid = sum(policy.share_of(k) if one is None else one for k, one in enumerate(spent, 1))
    share = _at_most(policy.share_of(number), 1 - paid)
    next_share = _at_most(policy.share_of(number + 1), 1 - paid - share)
    return Look(number=number, share=share, next_share=next_share, earlier=tuple(earlier))


def p_together(p_values: Sequence[float]) -> float:
    """Combine independent p-values into one by the inverse normal method with equal weights.

    The weights are fixed beforehand, so the p-value is valid even if a look's number of replicates depends on the
    results of earlier looks: Lehmacher and Wassmer (1999), Biometrics 55(4).
    """
    if len(p_values) == 1:
        return float(p_values[0])
    from scipy.stats import norm

    z = norm.isf(np.clip(p_values, _LEAST_P, 1 - 1e-16))
    return float(norm.sf(z.sum() / math.sqrt(len(z))))


def interval_together(looks: Sequence[EarlierPairs], *, test: str, tail: float) -> tuple[float, float, float]:
    """Return mean difference, lower and upper limit over several looks: the differences that `p_together` accepts.

    Args:
        looks: Pairs of two looks or more, each with a p-value.
        test: The paired test that gives the p-values.
        tail: Error probability of each limit.
    """
    from scipy.stats import norm

    each = 1 - 2 * float(norm.sf(norm.isf(tail) / math.sqrt(len(looks))))
    alone = [compare(one.challenger, one.champion, test=test, level=each) for one in looks]
    lows, highs = [one.low for one in alone], [one.high for one in alone]
    mean = float(np.nanmean(np.concatenate([one.challenger - one.champion for one in looks])))

    def excess(side: str) -> Callable[[float], float]:
        def of(null: float) -> float:
            return float(norm.isf(p_of_looks(looks, test=test, side=side, null=null)) - norm.isf(tail))

        return of

    low = _root(excess("greater"), min(lows), max(lows), otherwise=-math.inf)
    high = _root(excess("less"), min(highs), max(highs), otherwise=math.inf)
    return mean, min(low, mean), max(high, mean)


def p_of_looks(looks: Sequence[EarlierPairs], *, test: str, side: str, null: float) -> float:
    """Return the one-sided p-value of several looks against a difference of `null`; NaN if a look has none."""
    margin = -null if side == "greater" else null
    side = "greater" if side == "greater" else "less"
    return p_together(
        [
            compare(one.challenger, one.champion, test=test, alternative=side, margin=margin).p_value  # type: ignore[arg-type]
            for one in looks
        ]
    )


def look_sentence(look: Look, policy: Policy, n_pairs: Sequence[int]) -> tuple[str, ...]:
    """Say which look this is, and which share it spent; nothing if only one look was planned.

    Args:
        look: The look of the verdict.
        policy: The policy.
        n_pairs: Number of pairs of each look that counts, this one last.
    """
    if policy.looks == 1 and look.number == 1:
        return ()
    of = "" if policy.looks is None else f" of {policy.looks}"
    if not look.share:
        return (f"Look {look.number}: {_nothing_left(policy)}.",)
    tested = in_digits(policy.alpha * look.share, 2)
    said = (
        f"Look {look.number}{of} at this challenger against this champion: tested at {tested}, "
        f"{percent(look.share)} of the error rate of {percent(policy.alpha)} that all looks share; p and interval "
        "account for that."
    )
    if len(n_pairs) < 2:
        return (said,)
    counts = ", ".join(map(str, n_pairs[:-1]))
    return (
        said,
        f"{len(n_pairs)} looks on seeds of their own count together, each with the same weight: {counts} and "
        f"{n_pairs[-1]} pairs.",
    )


def last_look(policy: Policy) -> str:
    """Say what can be done if no look is left and the challenger is undecided."""
    return (
        f"No look is left ({_nothing_left(policy)}), so this challenger stays undecided against this champion. "
        "Promote a sweep that finds a better one. A policy with more looks helps the next challenger, not this one."
    )


def _nothing_left(policy: Policy) -> str:
    return f"the policy allows {policy.looks} (looks: {policy.looks})" if policy.looks else "the error rate is spent"


def _at_most(share: float, left: float) -> float:
    return max(0.0, min(share, left)) if left > 1e-9 else 0.0


def _root(function: Callable[[float], float], low: float, high: float, *, otherwise: float) -> float:
    """Return where a function passes through zero between two ends."""
    from scipy.optimize import brentq

    if not (math.isfinite(low) and math.isfinite(high)):
        return otherwise
    if low == high or function(low) * function(high) > 0:
        return low if otherwise < 0 else high
    return float(brentq(function, low, high))  # type: ignore[arg-type]

"""Compare two streams of metrics: equal bit by bit, within a tolerance, or where they first differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rothamsted.reproducing.recorded import Points, names_of
from rothamsted.studies.contract import RESERVED_METRICS
from rothamsted.studies.repeated import TIMES

Verdict = Literal["identical", "equal", "different"]  # equal: within the tolerance


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Says how a training again compares with the record.

    Attributes:
        verdict: identical in every bit, equal within the tolerance, or different.
        n_points: numbers that were compared.
        most: largest relative difference of two numbers; infinite where one is missing or not finite.
        first: where they first differ: step, metric and both values; empty: nowhere.
    """

    verdict: Verdict
    n_points: int
    most: float
    first: str


def compared(was: Points, now: Points, *, rtol: float, to_step: int | None = None) -> Compared:
    """Compare what a record has with what a training again measured.

    Times, throughput and memory are left out: they differ anyway.

    Args:
        was: on record.
        now: measured again.
        rtol: largest relative difference that counts as equal.
        to_step: compare up to this step; None: to the end.

    Example:
        >>> compared({(0, "loss"): 1.0}, {(0, "loss"): 1.0}, rtol=0).verdict
        'identical'
        >>> compared({(0, "loss"): 1.0}, {(0, "loss"): 1.1}, rtol=0.01).first
        'loss at step 0 was 1.0 and is 1.1 now'
    """
    steps = sorted({step for step, _ in (*was, *now)})
    known = {name for name in (*names_of(was), *names_of(now)) if name not in RESERVED_METRICS}
    names = sorted(name for name in known if not TIMES.search(name))
    n_points, most, first, first_beyond = 0, 0.0, "", ""
    for step in steps:
        if to_step is not None and step > to_step:
            break
        for name in names:
            before, after = was.get((step, name)), now.get((step, name))
            if before is None and after is None:
                continue
            n_points += 1
            if before is not None and after is not None and repr(before) == repr(after):
                continue
            distance = _distance(before, after)
            most = max(most, distance)
            first = first or _words(name, step, before, after)
            if distance > rtol:
                first_beyond = first_beyond or _words(name, step, before, after)
    verdict: Verdict = "different" if first_beyond else "equal" if first else "identical"
    return Compared(verdict=verdict, n_points=n_points, most=most, first=first_beyond or first)


def _distance(before: float | None, after: float | None) -> float:
    """Relative difference of two numbers that are not the same bits."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return math.inf
    largest = max(abs(before), abs(after))
    return abs(before - after) / largest if largest else 0.0  # 0.0 and -0.0


def _words(name: str, step: int, before: float | None, after: float | None) -> str:
    if before is None:
        return f"{name} at step {step} was not measured and is {after!r} now"
    if after is None:
        return f"{name} at step {step} was {before!r} and is not measured now"
    return f"{name} at step {step} was {before!r} and is {after!r} now"

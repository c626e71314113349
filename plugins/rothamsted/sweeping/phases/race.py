"""Race the conditions of a sweep: decide after each round which leave and which get more replicates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted import tags
from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Dataset, Replicate
from rothamsted.metric import Metric, declared
from rothamsted.records import Outcome
from rothamsted.spec import Sweep
from rothamsted.spec.run_sections import Racing
from rothamsted.statistics.racing import race
from rothamsted.statistics.ranges import cut
from rothamsted.statistics.sequential import schedule_looks
from rothamsted.statistics.stopping import is_narrow_enough
from rothamsted.sweeping.phases.phase import Step
from rothamsted.wording import estimate

SURVIVED = "survived"


@dataclass(frozen=True, kw_only=True)
class Raced:
    """Races all conditions over their replicates, as `sweep.replicates.racing` says."""

    sweep: Sweep
    name: str = "race"

    def next(self, data: Dataset) -> Step | None:
        """Return the next round: conditions that leave, with why, and replicates of the others; None: all have left."""
        members = members_of(data)
        races = {condition.number: condition.race for condition in data.conditions}
        still_in = [number for number in races if races[number] in ("", tags.RACING)]
        if not still_in:
            return None
        n_done = {number: len(of_one) for number, of_one in members.items()}
        most, metric = max(n_done[number] for number in still_in), declared(data.metrics, self.sweep.objective.metric)
        verdicts, next_n = _verdicts(self.sweep, members, still_in, n_done=most, metric=metric)
        extend: dict[int, dict[str, Any]] = {number: {tags.VERDICT: verdict} for number, verdict in verdicts.items()}
        going_on = [number for number in still_in if number not in verdicts]
        extend |= {number: {tags.TARGET: next_n} for number in going_on}
        fates = [*(v["verdict"] for v in verdicts.values()), *(r for n, r in races.items() if n not in still_in)]
        summary = {
            "round": self._n_rounds(most),
            "n_conditions": len(races),
            "n_dropped": sum(fate.startswith("dropped") for fate in fates),
            "n_in": len(going_on),
            "n_replicates": next_n if going_on else None,
            "n_planned": sum(int(next_n or 0) if number in going_on else n for number, n in n_done.items()),
        }
        return Step(extend=extend, note={tags.ROUND: summary})

    def _n_rounds(self, n_done: int) -> int:
        """Rounds that have been run when so many replicates of a condition that is still in have ended."""
        racing = _racing(self.sweep)
        looks = schedule_looks(n_min=racing.min, n_max=racing.max, step=racing.step)
        return sum(look <= n_done for look in looks)


def values_of(sweep: Sweep, members: Mapping[int, Sequence[Replicate]]) -> np.ndarray:
    """Return the objective, (condition, replicate): NaN if there is none, infinite (the worst) if it diverged."""
    worst = math.inf if sweep.objective.direction == "minimize" else -math.inf
    values = np.full((len(members), len(sweep.replicates.values)), np.nan)
    for row, of_one in zip(values, members.values(), strict=True):
        for replicate in of_one:
            if replicate.outcome == Outcome.DIVERGED:
                row[replicate.number] = worst
            elif replicate.outcome == Outcome.FINISHED:
                row[replicate.number] = replicate.objective
    return values


def _verdicts(
    sweep: Sweep, members: Mapping[int, Sequence[Replicate]], still_in: Sequence[int], *, n_done: int, metric: Metric
) -> tuple[dict[int, dict[str, str]], int | None]:
    """Who leaves the race now and why; how many replicates the others get (None: nobody is left)."""
    racing, level = _racing(sweep), sweep.statistics.level
    values = values_of(sweep, members)[:, :n_done]
    bounds: dict[str, Any] = {"n_min": racing.min, "n_max": racing.max, "step": racing.step}
    seen = race(values, direction=sweep.objective.direction, level=level, n_run=n_done, **bounds)
    verdicts: dict[int, dict[str, str]] = {}
    for row, number in enumerate(members):
        if number not in still_in:
            continue
        if not seen.alive[row]:
            verdicts[number] = _verdict(f"dropped after {n_done}", seen.reasons[row])
        elif not np.isfinite(values[row]).any():
            verdicts[number] = _verdict(f"dropped after {n_done}", "no replicate has a score")
        elif seen.next_n is None or seen.is_finished:
            verdicts[number] = _verdict(SURVIVED, "")
        elif racing.narrower_than is not None:
            width = racing.narrower_than
            stop = is_narrow_enough(values[row], width=width, level=level, metric=metric, **bounds)
            if stop.is_narrow and stop.interval is not None:
                low, high = cut(np.array(stop.interval.low), np.array(stop.interval.high), metric)
                paid = f"{estimate(stop.interval.estimate, float(low), float(high))} ({stop.interval.method})"
                verdicts[number] = _verdict(f"narrow after {n_done}", f"{stop.reason}: {paid}")
    if seen.next_n is not None and seen.next_n <= n_done:
        raise RuntimeError(f"sweep {sweep.name}: a round after {n_done} replicates asks for {seen.next_n}")
    return verdicts, seen.next_n


def _verdict(verdict: str, reason: str) -> dict[str, str]:
    return {"verdict": verdict, "reason": reason}


def _racing(sweep: Sweep) -> Racing:
    if sweep.replicates.racing is None:
        raise ValueError(f"sweep {sweep.name}: has no race; ask only if replicates.racing is given")
    return sweep.replicates.racing

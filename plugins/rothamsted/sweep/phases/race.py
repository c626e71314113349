"""The race of a sweep: after each round, which conditions leave it and which get more replicates.

Apart from whoever asks, because it decides from the results alone: asked again after a crash, by another
process, it decides the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted import tags
from rothamsted.records import Outcome
from rothamsted.spec import Sweep
from rothamsted.statistics.racing import race
from rothamsted.statistics.stopping import is_narrow_enough

SURVIVED = "survived"
KEYS = (tags.RESULT, tags.TARGET, tags.VERDICT)  # of each trial, to decide from


@dataclass(frozen=True, kw_only=True)
class Round:
    """One step of a race.

    Attributes:
        trials: number -> attributes to set on a trial that goes on: a target, or a verdict to close it with.
        summary: what the sweep says of its race from now on.
    """

    trials: Mapping[int, Mapping[str, Any]]
    summary: Mapping[str, Any]


def next_round(sweep: Sweep, trials: Mapping[int, Mapping[str, Any]], n_rounds: int) -> Round | None:
    """The next step of a race whose trials have all ended; None when every condition has left it.

    Args:
        sweep: with `replicates.racing`.
        trials: number -> its attributes of `KEYS`.
        n_rounds: rounds so far.
    """
    still_in = [number for number in trials if tags.VERDICT not in trials[number]]
    if not still_in:
        return None
    n_done = {number: _target(sweep, of_trial) for number, of_trial in trials.items()}
    verdicts, next_n = _verdicts(sweep, trials, still_in, n_replicates=max(n_done[number] for number in still_in))
    changes: dict[int, dict[str, Any]] = {number: {tags.VERDICT: verdict} for number, verdict in verdicts.items()}
    going_on = [number for number in still_in if number not in verdicts]
    changes |= {number: {tags.TARGET: next_n} for number in going_on}
    dropped = [v for v in (*verdicts.values(), *_left_before(trials)) if v["verdict"].startswith("dropped")]
    summary = {
        "round": n_rounds + 1,
        "n_conditions": len(trials),
        "n_dropped": len(dropped),
        "n_in": len(going_on),
        "n_replicates": next_n if going_on else None,
        "n_planned": sum(int(next_n or 0) if number in going_on else n for number, n in n_done.items()),
    }
    return Round(trials=changes, summary=summary)


def values_of(sweep: Sweep, trials: Mapping[int, Mapping[str, Any]]) -> np.ndarray:
    """The objective, (condition, replicate): NaN where there is none, infinite (the worst) where it diverged."""
    worst = math.inf if sweep.objective.direction == "minimize" else -math.inf
    values = np.full((len(trials), len(sweep.replicates.values)), np.nan)
    for row, of_trial in zip(values, trials.values(), strict=True):
        for one in of_trial.get(tags.RESULT, {"replicates": ()})["replicates"]:
            if one["outcome"] == Outcome.DIVERGED:
                row[one["replicate"]] = worst
            elif one["objective"] is not None:
                row[one["replicate"]] = one["objective"]
    return values


def _verdicts(
    sweep: Sweep, trials: Mapping[int, Mapping[str, Any]], still_in: Sequence[int], *, n_replicates: int
) -> tuple[dict[int, dict[str, str]], int | None]:
    """Who leaves the race now and why; how many replicates the others get (None: nobody is left)."""
    racing, level = sweep.replicates.racing, sweep.statistics.level
    if racing is None:
        raise ValueError(f"sweep {sweep.name}: has no race; ask only where replicates.racing is given")
    values = values_of(sweep, trials)[:, :n_replicates]
    seen = race(
        values,
        direction=sweep.objective.direction,
        level=level,
        n_min=racing.min,
        n_max=racing.max,
        step=racing.step,
        n_run=n_replicates,
    )
    verdicts: dict[int, dict[str, str]] = {}
    for row, number in enumerate(trials):
        if number not in still_in:
            continue
        if not seen.alive[row]:
            verdicts[number] = _verdict(f"dropped after {n_replicates}", seen.reasons[row])
        elif not np.isfinite(values[row]).any():
            verdicts[number] = _verdict(f"dropped after {n_replicates}", "no replicate has a score")
        elif seen.next_n is None or seen.is_finished:
            verdicts[number] = _verdict(SURVIVED, "")
        elif racing.narrower_than is not None:
            width = racing.narrower_than
            bounds = {"n_min": racing.min, "n_max": racing.max, "step": racing.step}
            stop = is_narrow_enough(values[row], width=width, level=level, **bounds)
            if stop.is_narrow and stop.interval is not None:
                paid = f"{stop.interval.low:.6g} to {stop.interval.high:.6g} ({stop.interval.method})"
                verdicts[number] = _verdict(f"narrow after {n_replicates}", f"{stop.reason}: {paid}")
    if seen.next_n is not None and seen.next_n <= n_replicates:
        raise RuntimeError(f"sweep {sweep.name}: a round after {n_replicates} replicates asks for {seen.next_n}")
    return verdicts, seen.next_n


def _verdict(verdict: str, reason: str) -> dict[str, str]:
    return {"verdict": verdict, "reason": reason}


def _left_before(trials: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, str]]:
    return [of_trial[tags.VERDICT] for of_trial in trials.values() if tags.VERDICT in of_trial]


def _target(sweep: Sweep, of_trial: Mapping[str, Any]) -> int:
    return int(of_trial.get(tags.TARGET, sweep.replicates.n_first))

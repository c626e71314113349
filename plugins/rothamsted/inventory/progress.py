"""Compute the progress of a sweep: conditions, replicates on fresh seeds, what runs, expected end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted import tags
from rothamsted.inventory.sweeps import ListedSweep, listed_of, sorted_searches
from rothamsted.search.listed import CountedTrials, list_searches
from rothamsted.spec import Sweep
from rothamsted.tracking import FoundRun

_NOTHING = CountedTrials()


@dataclass(frozen=True, kw_only=True)
class SweepProgress:
    """Holds the progress of a sweep.

    Attributes:
        listed: the sweep.
        conditions: the trials of its search.
        n_conditions: number of conditions that it will have.
        fresh: the replicates of its confirmation.
        n_fresh: number of replicates of the confirmation; 0: nothing is confirmed.
        seconds_left: expected time until the end, from the time of a condition so far; None: not known yet, or nothing
            runs.
        race: state of its race; empty: no race.
    """

    listed: ListedSweep
    conditions: CountedTrials
    n_conditions: int
    fresh: CountedTrials
    n_fresh: int
    seconds_left: float | None
    race: Mapping[str, Any]

    @property
    def n_running(self) -> int:
        """Return the number of trials in the hands of workers."""
        return self.conditions.n_running + self.fresh.n_running

    @property
    def plain(self) -> dict[str, Any]:
        """Return the progress as JSON has it."""
        return {
            **self.listed.plain,
            "n_running": self.n_running,
            "n_failed": self.conditions.n_failed,
            "n_pruned": self.conditions.n_pruned,
            "n_fresh_done": self.fresh.n_over,
            "n_fresh_all": self.n_fresh,
            "seconds_left": self.seconds_left,
        }


def progress_of(listed: ListedSweep, run: FoundRun | None, *, storage: str) -> SweepProgress:
    """Read how far a sweep is now, from its search alone.

    Args:
        listed: the sweep, as it was listed.
        run: of it, as it was found; None: there is none.
        storage: database URL of the search.
    """
    of_sweeps, confirmations = sorted_searches(list_searches(storage))
    search = next((one for one in of_sweeps if one.name == listed.name), None)
    now = listed_of(run, search, confirmations, storage=storage)
    conditions = search.trials if search is not None else _NOTHING
    fresh = now.confirmation.trials if now.confirmation is not None else _NOTHING
    sweep = now.sweep
    return SweepProgress(
        listed=now,
        conditions=conditions,
        n_conditions=sweep.n_trials if sweep is not None else conditions.n,
        fresh=fresh,
        n_fresh=_n_fresh(sweep, fresh),
        seconds_left=_seconds_left(sweep, conditions, fresh) if now.state == "running" else None,
        race=search.attributes.get(tags.ROUND, {}) if search is not None else {},
    )


def _n_fresh(sweep: Sweep | None, fresh: CountedTrials) -> int:
    if sweep is None or sweep.confirm is None:
        return fresh.n
    return max(fresh.n, min(sweep.confirm.keep, sweep.n_trials) * len(sweep.confirm_seeds))


def _seconds_left(sweep: Sweep | None, conditions: CountedTrials, fresh: CountedTrials) -> float | None:
    """The work that is left, by the mean time of what has ended, shared by those who work now.

    Not from the time since the start: a sweep may have been stopped for days in between.
    """
    if sweep is None or not conditions.mean_seconds:
        return None
    of_replicate = fresh.mean_seconds or conditions.mean_seconds / sweep.replicates.n_first
    left = max(0, sweep.n_trials - conditions.n_over) * conditions.mean_seconds
    left += max(0, _n_fresh(sweep, fresh) - fresh.n_over) * of_replicate
    return left / max(1, conditions.n_running + fresh.n_running)

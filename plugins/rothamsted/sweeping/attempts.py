"""Count how often each replicate of a trial has failed and crashed, and which have no attempts left.

A failure is one of the training: it raised, or took too long. A crash is the death of its worker. The cause is then not
known, so crashes have their own limit, and giving the command again resets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted import tags
from rothamsted.analysis.told_replicates import told_outcomes
from rothamsted.records import Outcome
from rothamsted.search.lease import DEATHS

MOST_CRASHES = 3  # of one replicate, in one session of its sweep


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Counts the attempts of one trial's replicates.

    Attributes:
        failures: replicate -> number of failures of its training.
        crashes: replicate -> number of workers that died while running it.
        limit: number of failures that ends a replicate.
    """

    failures: Mapping[int, int]
    crashes: Mapping[int, int]
    limit: int

    @classmethod
    def of(cls, attributes: Mapping[str, Any], *, retries: int) -> Attempts:
        """Make it from the attributes of a trial."""
        crashes = {int(replicate): int(n) for replicate, n in attributes.get(tags.CRASHES, {}).items()}
        stored = attributes.get(tags.ATTEMPTS, {})
        if not isinstance(stored, Mapping):  # before crashes were apart: one number for all that had failed
            stored = {str(r): int(stored) - crashes.get(r, 0) for r in failed_replicates(attributes)}
        failures = {int(replicate): int(n) for replicate, n in stored.items()}
        return cls(failures=failures, crashes=crashes, limit=1 + retries)

    def has_failed_out(self, replicate: int) -> bool:
        """Say whether its training has failed as often as it may."""
        return self.failures.get(replicate, 0) >= self.limit

    def has_crashed_out(self, replicate: int) -> bool:
        """Say whether as many workers have died with it as may."""
        return self.crashes.get(replicate, 0) >= MOST_CRASHES

    def is_given_up(self, replicate: int) -> bool:
        """Say whether it is not tried again."""
        return self.has_failed_out(replicate) or self.has_crashed_out(replicate)


def failed_replicates(attributes: Mapping[str, Any]) -> list[int]:
    """Return the replicates of a trial that are recorded as failed."""
    outcomes = told_outcomes(attributes[tags.RESULT]) if tags.RESULT in attributes else {}
    return [replicate for replicate, outcome in outcomes.items() if outcome == Outcome.FAILED]


def to_try_again(attributes: Mapping[str, Any], *, retries: int) -> dict[str, Any] | None:
    """Return the attributes that let failed replicates of an ended trial run again when its sweep goes on, or None.

    These are replicates with attempts left, and those that were lost only to crashes.
    """
    attempts = Attempts.of(attributes, retries=retries)
    again = [r for r in failed_replicates(attributes) if not attempts.has_failed_out(r)]
    if not again or tags.PRUNED in attributes:  # the replicates of a pruned trial are not trained again
        return None
    left = {str(r): n for r, n in attempts.crashes.items() if r not in again}
    return {tags.CRASHES: left} if attempts.crashes else {}


def without_crashes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that make a trial which is not over forget its crashes; empty if it had none.

    A holder that was ended for a reason stays among `DEATHS`: its replicate is blamed for it by whoever goes on.
    """
    deaths = attributes.get(DEATHS, [])
    whys = [why for why in deaths if why]
    crashes = {tags.CRASHES: {}} if attributes.get(tags.CRASHES) else {}
    return {**crashes, **({DEATHS: whys} if len(whys) < len(deaths) else {})}

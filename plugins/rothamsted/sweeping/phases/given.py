"""Confirm the search's winners on fresh seeds: one trial for each replicate, so that workers can share a winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rothamsted.analysis.independent import independent
from rothamsted.analysis.no_effect import distinct
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.values import Dataset
from rothamsted.sweeping.phases.phase import Confirming, Step


@dataclass(frozen=True, kw_only=True)
class Given:
    """Runs the best `keep` conditions of the search on given seeds.

    Attributes:
        keep: number of conditions, the best of the search by mean. A condition that diverged or has no score is never
            confirmed.
        seeds: fresh seeds, the same for all.
    """

    keep: int
    seeds: Sequence[int]
    name: str = "confirm"

    def next(self, data: Dataset) -> Step | None:
        """Return the missing replicates of the winners."""
        there = {(one.condition, one.number) for one in data.replicates if one.phase == "confirm"}
        conditions = {condition.number: condition.values for condition in data.conditions}
        new = [
            Confirming(trial=winner, condition=conditions[winner], replicate=replicate, seed=seed)
            for winner in winners(data, self.keep)
            for replicate, seed in enumerate(self.seeds)
            if (winner, replicate) not in there
        ]
        return Step(add=new) if new else None


def winners(data: Dataset, keep: int) -> list[int]:
    """Return the numbers of the conditions to confirm, best first; of those that gave the same bits only one."""
    return distinct(data, ranked(independent(data)))[:keep]

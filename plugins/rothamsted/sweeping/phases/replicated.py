"""Add the replicates that ended conditions lack after a sweep has grown."""

from __future__ import annotations

from dataclasses import dataclass

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Dataset
from rothamsted.sweeping.phases.phase import Step


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """Asks for `n_replicates` of each condition. A pruned condition gets no more."""

    n_replicates: int
    name: str = "replicates"

    def next(self, data: Dataset) -> Step | None:
        """Put conditions back that have fewer."""
        members = members_of(data)
        lacking = [
            condition.number
            for condition in data.conditions
            if not condition.pruned and len(members[condition.number]) < self.n_replicates
        ]
        return Step(extend={number: {} for number in lacking}) if lacking else None

"""Search: ask for as many conditions as the file says, proposed by its sampler or named by hand."""

from __future__ import annotations

from dataclasses import dataclass

from rothamsted.analysis.values import Dataset
from rothamsted.sweeping.phases.phase import Step


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """Asks for `n_trials` conditions in all."""

    n_trials: int
    name: str = "search"

    def next(self, data: Dataset) -> Step | None:
        """Ask for more conditions if there are fewer. A design adds all at once, an adaptive sampler one at a time."""
        return None if len(data.conditions) >= self.n_trials else Step(ask=self.n_trials)

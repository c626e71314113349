"""What a stage is as a sweep, and what a later one knows of the one before it.

Apart from `stages`, because a sweep's context needs it, and the stages need the context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted.spec import Sweep, from_resolved, resolved
from rothamsted.study import Study


@dataclass(frozen=True, kw_only=True)
class EarlierStage:
    """The stage before a stage.

    Attributes:
        sweep: that stage as a sweep.
        run_id: its sweep run.
        trials: numbers of the trials that were kept, in the order of the next stage's.
    """

    sweep: Sweep
    run_id: str
    trials: Sequence[int]

    def as_kept(self) -> dict[str, Any]:
        """As the search of the next stage keeps it."""
        return {"sweep": resolved(self.sweep), "run_id": self.run_id, "trials": list(self.trials)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> EarlierStage:
        """From what the search keeps."""
        return cls(sweep=from_resolved(kept["sweep"]), run_id=kept["run_id"], trials=kept["trials"])


def first_stage(sweep: Sweep) -> Sweep:
    """The first stage as a sweep without stages; a sweep without them is its own."""
    if not sweep.stages:
        return sweep
    own = {"parameters": sweep.stage_parameters(0), "replicates": stage_replicates(sweep, 0)}
    dropped = ("stages", "confirm", "promote")
    return from_resolved({key: value for key, value in (resolved(sweep) | own).items() if key not in dropped})


def keeps_states(sweep: Sweep, index: int, study: object) -> bool:
    """Whether a stage leaves the state at the end of each replicate for the next one."""
    if index + 1 >= len(sweep.stages) or sweep.stages[index + 1].resume is False:
        return False
    return isinstance(study, Study) and study.extends is not None and sweep.execution.population == 1


def stage_replicates(sweep: Sweep, index: int) -> dict[str, Any]:
    """The replicates of a stage, by its position, as a sweep file writes them."""
    if index == 0 and sweep.replicates.racing is not None:
        return resolved(sweep)["replicates"]
    return {"seeds": list(sweep.stage_seeds(index))}

"""What a stage is as a sweep, and what a later one knows of the one before it.

A sweep's context needs it, and the stages need the context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rothamsted.spec import Sweep, from_resolved, recorded, resolved
from rothamsted.spec.field_types import misfit
from rothamsted.studies import Study, field_types, set_fields


@dataclass(frozen=True, kw_only=True)
class EarlierStage:
    """The stage before a stage.

    Attributes:
        sweep: that stage as a sweep.
        run_id: its sweep run.
        trials: numbers of the trials that were kept, in the order of the next stage's.
        left_states: whether it left the state at the end of each replicate to go on from.
    """

    sweep: Sweep
    run_id: str
    trials: Sequence[int]
    left_states: bool

    def as_kept(self) -> dict[str, Any]:
        """As the search of the next stage keeps it."""
        values = {"run_id": self.run_id, "trials": list(self.trials), "left_states": self.left_states}
        return {"sweep": recorded(self.sweep), **values}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> EarlierStage:
        """From what the search keeps."""
        return cls(**{**kept, "sweep": from_resolved(kept["sweep"])})


@dataclass(frozen=True, kw_only=True)
class LaterStage:
    """What makes a sweep a later stage of another.

    Attributes:
        of_run_id: the run of the first stage, below which its own lies.
        earlier: the stage before.
        keeps_states: another stage follows, which goes on from the end of this one's replicates.
    """

    of_run_id: str
    earlier: EarlierStage
    keeps_states: bool

    def as_kept(self) -> dict[str, Any]:
        """As the search of this stage keeps it."""
        return {"of_run_id": self.of_run_id, "earlier": self.earlier.as_kept(), "keeps_states": self.keeps_states}


def stage_name(sweep: Sweep, index: int) -> str:
    """The name of a stage, by its position."""
    return sweep.name if index == 0 else f"{sweep.name}.stage{index + 1}"


def first_stage(sweep: Sweep) -> Sweep:
    """The first stage as a sweep without stages; a sweep without them is its own."""
    return stage_alone(sweep, 0)


def stage_alone(sweep: Sweep, index: int) -> Sweep:
    """A stage with its parameters and replicates, over all conditions; a sweep without stages is its own."""
    if not sweep.stages:
        return sweep
    own = {"parameters": sweep.stage_parameters(index), "replicates": stage_replicates(sweep, index)}
    return from_resolved(without_confirmation({**resolved(sweep), **own, "stages": []}))


def without_confirmation(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A stage that is not the last: what is confirmed, promoted and put into a log is the last one's."""
    dropped = {"confirm", "promote", "log"} | ({"models"} if plain.get("models") == "confirmed" else set())
    return {key: value for key, value in plain.items() if key not in dropped}


def keeps_states(sweep: Sweep, index: int, study: object) -> bool:
    """Whether a stage leaves the state at the end of each replicate for the next one."""
    if index + 1 >= len(sweep.stages) or sweep.stages[index + 1].resume is False:
        return False
    return isinstance(study, Study) and study.extends is not None and sweep.execution.population == 1


def stage_replicates(sweep: Sweep, index: int) -> dict[str, Any]:
    """The replicates of a stage, by its position, as a sweep file writes them."""
    if index == 0 and sweep.replicates.racing is not None:
        return resolved(sweep)["replicates"]
    vary = {} if sweep.replicates.vary is None else {"vary": resolved(sweep)["replicates"]["vary"]}
    return {"seeds": list(sweep.stage_seeds(index)), **vary}


def monitored(study: Study, sweep: Sweep) -> dict[str, str]:
    """The field by which training itself ends, set to the objective's metric; nothing where it does not take that."""
    metric = sweep.objective.metric
    if not study.monitor or misfit(field_types(study.config)[study.monitor], metric) is not None:
        return {}
    return {study.monitor: metric}


def stage_config(
    study: Study, sweep: Sweep, stage: int, condition: Mapping[str, Any], seed: int | None = None
) -> BaseModel:
    """The config of a replicate in a stage, by its position.

    Without a seed that of the first training seed on the study's own split: it stands for the data of all replicates.
    """
    varied = {"seed": sweep.stage_seeds(stage)[0]} if seed is None else sweep.varied_by(seed)
    values = {**monitored(study, sweep), **sweep.stage_parameters(stage), **condition, **varied}
    return set_fields(study.config, values, place=f"sweep {sweep.name}")

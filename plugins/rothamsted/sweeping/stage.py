"""Define a stage as a sweep, and what a later stage knows of the one before."""

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
    """Describes the stage before a stage.

    Attributes:
        sweep: that stage as a sweep.
        run_id: id of its sweep run.
        trials: numbers of the kept trials, in the order of the next stage's trials.
        left_states: whether it left the last state of each replicate.
    """

    sweep: Sweep
    run_id: str
    trials: Sequence[int]
    left_states: bool

    def as_kept(self) -> dict[str, Any]:
        """Return it as the search of the next stage keeps it."""
        values = {"run_id": self.run_id, "trials": list(self.trials), "left_states": self.left_states}
        return {"sweep": recorded(self.sweep), **values}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> EarlierStage:
        """Make it from what the search keeps."""
        return cls(**{**kept, "sweep": from_resolved(kept["sweep"])})


@dataclass(frozen=True, kw_only=True)
class LaterStage:
    """Links a later stage to the sweep before it.

    Attributes:
        of_run_id: id of the first stage's run, the parent of its own.
        earlier: the stage before.
        keeps_states: another stage follows that goes on from the last states of this one's replicates.
    """

    of_run_id: str
    earlier: EarlierStage
    keeps_states: bool

    def as_kept(self) -> dict[str, Any]:
        """Return it as the search of this stage keeps it."""
        return {"of_run_id": self.of_run_id, "earlier": self.earlier.as_kept(), "keeps_states": self.keeps_states}


def stage_name(sweep: Sweep, index: int) -> str:
    """Return the name of a stage, by its position."""
    return sweep.name if index == 0 else f"{sweep.name}.stage{index + 1}"


def first_stage(sweep: Sweep) -> Sweep:
    """Return the first stage as a sweep without stages. A sweep without stages is returned as it is."""
    return stage_alone(sweep, 0)


def stage_alone(sweep: Sweep, index: int) -> Sweep:
    """Return a stage with its parameters and replicates, over all conditions; a sweep without stages stays as it is."""
    if not sweep.stages:
        return sweep
    own = {"parameters": sweep.stage_parameters(index), "replicates": stage_replicates(sweep, index)}
    return from_resolved(without_confirmation({**resolved(sweep), **own, "stages": []}))


def without_confirmation(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage that is not the last, without the keys of the last: confirmation, promotion, log."""
    dropped = {"confirm", "promote", "log"} | ({"models"} if plain.get("models") == "confirmed" else set())
    return {key: value for key, value in plain.items() if key not in dropped}


def keeps_states(sweep: Sweep, index: int, study: object) -> bool:
    """Return whether a stage leaves the last state of each replicate for the next stage."""
    if index + 1 >= len(sweep.stages) or sweep.stages[index + 1].resume is False:
        return False
    return isinstance(study, Study) and study.extends is not None and sweep.execution.population == 1


def stage_replicates(sweep: Sweep, index: int) -> dict[str, Any]:
    """Return the replicates of a stage, by its position, as a sweep file writes them."""
    if index == 0 and sweep.replicates.racing is not None:
        return resolved(sweep)["replicates"]
    vary = {} if sweep.replicates.vary is None else {"vary": resolved(sweep)["replicates"]["vary"]}
    return {"seeds": list(sweep.stage_seeds(index)), **vary}


def monitored(study: Study, sweep: Sweep) -> dict[str, str]:
    """Return the field that ends training, set to the objective's metric; nothing if it does not take that metric."""
    metric = sweep.objective.metric
    if not study.monitor or misfit(field_types(study.config)[study.monitor], metric) is not None:
        return {}
    return {study.monitor: metric}


def stage_config(
    study: Study, sweep: Sweep, stage: int, condition: Mapping[str, Any], seed: int | None = None
) -> BaseModel:
    """Return the config of a replicate in a stage, by its position.

    Without a seed it has the first training seed and the study's own split, which represent the data of all replicates.
    """
    varied = {"seed": sweep.stage_seeds(stage)[0]} if seed is None else sweep.varied_by(seed)
    values = {**monitored(study, sweep), **sweep.stage_parameters(stage), **condition, **varied}
    return set_fields(study.config, values, place=f"sweep {sweep.name}")

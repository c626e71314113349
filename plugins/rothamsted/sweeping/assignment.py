"""Say what a claimed trial needs in the end: its replicates, their parent run, and what is written of it.

It is made from the trial's attributes and the sweep's file only. A worker does what it says and knows no phases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rothamsted import tags
from rothamsted.analysis.values import Replicate
from rothamsted.search import Lease
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.run_names import confirmation_name, trial_name


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Describes the work of one claim.

    Attributes:
        key: stable name of the trial within its sweep, for checkpoints: "17", "confirm-17".
        of: number of the trial of the search, which this may confirm.
        name: its name in messages.
        run_name: name of the trial's run.
        seeds: replicate -> seed, for all replicates that the trial will have.
        parent_run_id: id of the run below which runs are opened.
        has_run: the trial has a run, with the replicates' runs below it.
        prunes: the sweep's pruner may end it.
        is_fresh: its seeds were not used in the search.
        is_final: it gets no further replicates, so means of curves are written.
        models: which models are kept: of all replicates, of the best condition's, or none.
        is_linked_to_stages: its replicates begin with the states of the stage before, and leave states for the next.
        tags: tags of its runs; nothing depends on them.
        closing_tags: tags of the trial's run when the trial ends.
        left_race: how the condition left its race; empty while it is in it, and without a race.
        race: how and why the condition left its race, or how far it is; empty without a race.
    """

    key: str
    of: int
    name: str
    run_name: str
    seeds: Mapping[int, int]
    parent_run_id: str
    has_run: bool
    prunes: bool
    is_final: bool
    is_fresh: bool
    models: Literal["all", "best", "none"]
    is_linked_to_stages: bool
    tags: Mapping[str, str]
    closing_tags: Mapping[str, str] = field(default_factory=dict)
    left_race: str = ""
    race: str = ""

    @property
    def phase(self) -> str:
        """Return the phase as messages and the terminal show it."""
        return self.tags[tags.PHASE]

    def replicate(self, number: int, run_id: str, outcome: str, **more: Any) -> Replicate:
        """Return one of its replicates with its outcome, and without a score by default."""
        return Replicate(
            **{"objective": math.nan, **more},
            run_id=run_id,
            condition=self.of,
            seed=str(self.seeds[number]),
            outcome=outcome,
            seconds=math.nan,
            phase="confirm" if self.is_fresh else "search",
            number=number,
        )


def assignment_of(opened: Opened, claimed: Lease) -> Assignment:
    """Return the assignment of a claimed trial."""
    item = claimed.attributes.get(tags.CONFIRMS)
    return _of_search(opened, claimed) if item is None else _of_confirmation(opened, claimed, item)


def _of_confirmation(opened: Opened, claimed: Lease, item: Mapping[str, Any]) -> Assignment:
    """One replicate below a run that the coordinator opens and closes."""
    return Assignment(
        key=f"confirm-{claimed.number}",
        of=item["trial"],
        name=f"confirm of trial {item['trial']}",
        run_name=confirmation_name(opened.sweep, claimed.condition, item["trial"]),
        seeds={item["replicate"]: item["seed"]},
        parent_run_id=item["run_id"],
        has_run=False,
        prunes=False,
        is_final=True,
        is_fresh=True,
        models="none" if opened.sweep.models == "none" else "all",
        is_linked_to_stages=False,
        tags={tags.PHASE: "confirm", tags.ROLE: "replicate"},
    )


def _of_search(opened: Opened, claimed: Lease) -> Assignment:
    replicates, verdict = opened.sweep.replicates, claimed.attributes.get(tags.VERDICT)
    n_wanted = claimed.attributes.get(tags.TARGET, replicates.n_first)
    seeds = replicates.values  # of a race as many as there can be
    is_racing = replicates.racing is not None and verdict is None
    label, said = claimed.attributes.get(tags.CONTESTANT, ""), opened.sweep.models
    in_race = {tags.RACE: verdict["verdict"]} if verdict is not None else {tags.RACE: tags.RACING} if is_racing else {}
    return Assignment(
        key=str(claimed.number),
        of=claimed.number,
        name=label or f"trial {claimed.number}",
        run_name=label or trial_name(opened.sweep, claimed.condition, claimed.number),
        seeds=dict(enumerate(seeds[:n_wanted])),
        parent_run_id=opened.sweep_run_id,
        has_run=len(seeds) > 1,
        prunes=opened.sweep.pruner is not None and not label,
        is_final=not is_racing,
        is_fresh=False,
        models="all" if said == "all" else "best" if said == "best" else "none",
        is_linked_to_stages=True,
        tags={
            tags.PHASE: "contest" if label else "search",
            tags.ROLE: "replicate" if len(seeds) > 1 else "trial",  # a lone replicate is its trial
            **({tags.CONTESTANT: label} if label else {}),
        },
        closing_tags=in_race,
        left_race="" if verdict is None else verdict["verdict"],
        race=_race_line(verdict, is_racing=is_racing, n=n_wanted),
    )


def _race_line(verdict: Mapping[str, str] | None, *, is_racing: bool, n: int) -> str:
    if verdict is not None:
        return f"{verdict['verdict']}: {verdict['reason']}" if verdict["reason"] else verdict["verdict"]
    return f"{tags.RACING}, {n} replicates so far" if is_racing else ""

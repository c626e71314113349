"""What a claimed trial asks for: which replicates with which seeds, below which run, and how much is written.

Apart from doing it, because the kinds of claim differ here and nowhere else: a trial of the search, one in a
race, which comes back with more to do, one replicate of the confirmation, and a contestant of a duel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rothamsted import tags
from rothamsted.search import Claimed
from rothamsted.sweep.opened import SweepContext


@dataclass(frozen=True, kw_only=True)
class Work:
    """One claim, spelled out.

    Attributes:
        phase: search, confirm or duel.
        trial: number of the trial of the search, also where this confirms it.
        seeds: replicate -> seed, all that it shall have in the end of this claim.
        parent_id: the run below which runs are opened: the sweep's, or the confirmed condition's.
        has_trial_run: the replicates lie below a run of their own trial.
        verdict: how the condition left the race and why; None: it is in, or there is no race.
        is_racing: there is a race, and the condition is still in: it may get more replicates.
        contestant: what a condition is called in a duel.
    """

    phase: Literal["search", "confirm", "duel"]
    trial: int
    seeds: Mapping[int, int]
    parent_id: str
    has_trial_run: bool
    verdict: Mapping[str, str] | None = None
    is_racing: bool = False
    contestant: str = ""

    @property
    def name(self) -> str:
        """The name of the trial's run."""
        if self.contestant:
            return self.contestant
        return f"trial {self.trial}" if self.phase == "search" else f"confirm of trial {self.trial}"

    @property
    def role(self) -> str:
        """The role of a replicate's run: a lone replicate is its trial."""
        return "trial" if self.phase != "confirm" and not self.has_trial_run else "replicate"


def work_of(context: SweepContext, claimed: Claimed) -> Work:
    """What a claimed trial asks for."""
    if context.phase == "confirm":
        item: Mapping[str, Any] = claimed.attributes[tags.CONFIRMS]
        return Work(
            phase="confirm",
            trial=item["trial"],
            seeds={item["replicate"]: item["seed"]},
            parent_id=item["run_id"],
            has_trial_run=False,
        )
    replicates, verdict = context.sweep.replicates, claimed.attributes.get(tags.VERDICT)
    n_wanted = claimed.attributes.get(tags.TARGET, replicates.n_first)
    return Work(
        phase=context.phase,
        trial=claimed.number,
        seeds=dict(enumerate(context.seeds[:n_wanted])),
        parent_id=context.sweep_run_id,
        has_trial_run=len(context.seeds) > 1,
        verdict=verdict,
        is_racing=replicates.racing is not None and verdict is None,
        contestant=claimed.attributes.get(tags.CONTESTANT, ""),
    )

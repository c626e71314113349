"""Define the result of a session of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rothamsted.analysis.values import Analysis
from rothamsted.spec import Sweep

if TYPE_CHECKING:
    from rothamsted.promotion.ledger.decision import PromotionOutcome


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """Says how a session of a sweep, or of its last stage that ran, ended.

    Attributes:
        sweep: as it was run; a later stage as a sweep of its own.
        run_id: of the sweep's run.
        experiment_id: MLflow's folder of runs.
        exit_status: 0; 1 where workers cannot run; 130 where it was stopped by a signal.
        is_complete: nothing is left to do.
        why: why it was stopped, in words; empty where no reason was found while it ran.
        analysis: everything that was found; its dataset holds the conditions and replicates.
        decision: what the policy decided on its winner; None where the file names no policy, or nothing is confirmed.
    """

    sweep: Sweep
    run_id: str
    experiment_id: str
    exit_status: int
    is_complete: bool
    analysis: Analysis
    why: str = ""
    decision: PromotionOutcome | None = None

    @property
    def is_confirmed(self) -> bool:
        """Say whether the best condition of the search has a mean on fresh seeds."""
        confirmed = {one.condition for one in self.analysis.confirmed if one.mean is not None}
        return bool(self.analysis.ranking) and self.analysis.ranking[0] in confirmed

"""Take the measurements of a population's members, and decide which of them end now.

Members of several trials may train in one compiled call. If a trial is pruned, or lost to another worker, all its
members end and the others train on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rothamsted.records import Measured, Outcome, Stopped
from rothamsted.spec import Sweep
from rothamsted.sweeping.scores import scored
from rothamsted.sweeping.worker.trial import TrialRun
from rothamsted.sweeping.worker.trial_judge import Patience
from rothamsted.sweeping.worker.trial_runs import ReplicateRun

Member = tuple[TrialRun, ReplicateRun]
LOST = Stopped(outcome=Outcome.INTERRUPTED, reason="another worker has taken its trial over")


@dataclass(kw_only=True)
class PopulationJudge:
    """Judges one population of replicates."""

    members: Sequence[Member]
    sweep: Sweep
    _patience: dict[int, Patience] = field(default_factory=dict)  # by member
    _last: dict[int, Measured] = field(default_factory=dict)  # by member
    _impatient: dict[int, Stopped] = field(default_factory=dict)

    def heard(self, member: int, measured: Measured) -> Measured:
        """Take a measurement, and return it with its composite metrics."""
        measured = scored(measured, self.sweep)
        trial, replicate = self.members[member]
        trial.judge.note(replicate.replicate, measured)
        self._last[member] = measured
        stopped = self._patience.setdefault(member, Patience(sweep=self.sweep)).stopped(measured)
        if stopped is not None:
            self._impatient[member] = stopped
        return measured

    def judge(self, running: Sequence[int]) -> Mapping[int, Stopped]:
        """Return the members that end with the latest measurement."""
        stopped: dict[int, Stopped] = {}
        for trial in {id(self.members[m][0]): self.members[m][0] for m in running}.values():
            own = [m for m in running if self.members[m][0] is trial]
            if reason := trial.judged(self._last[own[0]]):
                stopped |= {m: Stopped(outcome=Outcome.PRUNED, reason=reason) for m in own}
            if trial.lease.is_lost:
                stopped |= dict.fromkeys(own, LOST)
        return {m: how for m, how in self._impatient.items() if m in running} | stopped

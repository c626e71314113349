"""From the search to the next round of its race, to the confirmation, to the end: who goes on, and with what.

Apart from worker and coordinator, because any process that finds nothing left to do may take the next step: the
decision is a function of the results, and one transaction, or one turn, lets exactly one process carry it out.
So workers stay warm between rounds, and a worker started by hand joins in all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rothamsted import tags
from rothamsted.sweep import confirm
from rothamsted.sweep.opened import SweepContext

TURN_SECONDS = 60.0  # for a process that dies while it opens or closes the confirmation's runs
WAIT_SECONDS = 0.25  # between two looks while another process has the turn


@dataclass(kw_only=True)
class Conductor:
    """Takes a sweep from stage to stage.

    Attributes:
        search: the sweep in its first phase.
        holder: name of this process, as in its leases.
        stage: the phase whose queue is to be worked on.
    """

    search: SweepContext
    holder: str
    stage: SweepContext = field(init=False)
    _confirmation: SweepContext | None = None

    def __post_init__(self) -> None:
        self.stage = self.search

    def advance(self) -> bool:
        """Take the next step where nothing is left to claim and nothing runs; False: the sweep is over."""
        self.stage = self.search
        counts = self.search.queue.counts()
        if counts.finished < self.search.sweep.n_trials or counts.waiting or counts.running:
            return bool(counts.waiting or counts.running)  # else its trials are not there yet: nothing to be done
        if self.search.sweep.replicates.racing is not None and self._begin_round():
            return True
        if self.search.sweep.confirm is None:
            return False
        self.stage = self.confirmation
        if self._is_confirmed():
            return False
        self._go_on_confirming()
        return True

    def is_over(self) -> bool:
        """Whether nothing is left to do: search, race and confirmation are finished and written down."""
        if not self.is_search_over():
            return False
        return self.search.sweep.confirm is None or self._is_confirmed()

    def is_search_over(self) -> bool:
        """Whether every condition has its replicates, and none is in the race any more."""
        counts = self.search.queue.counts()
        if counts.finished < self.search.sweep.n_trials or counts.waiting or counts.running:
            return False
        if self.search.sweep.replicates.racing is None:
            return True
        return all(tags.VERDICT in trial for trial in self.search.queue.rounds.attributes([tags.VERDICT]).values())

    @property
    def confirmation(self) -> SweepContext:
        """The sweep in its second phase."""
        if self._confirmation is None:
            self._confirmation = self.search.confirmation()
        return self._confirmation

    # ---- the race ----

    def _begin_round(self) -> bool:
        """Decide the next round, and begin it unless another process was first; False: the race is over."""
        from rothamsted.sweep.phases.race import KEYS, next_round

        queue = self.search.queue
        seen = queue.attribute(tags.ROUND)  # before the results: if they change, so does it
        trials = queue.rounds.attributes(KEYS)
        decided = next_round(self.search.sweep, trials, seen["round"] if seen else 0)
        if decided is None:
            return False
        queue.rounds.begin(tags.ROUND, seen=seen, new=decided.summary, trials=decided.trials)
        return True

    # ---- the confirmation ----

    def _go_on_confirming(self) -> None:
        rounds = self.confirmation.queue.rounds
        if not rounds.take_turn(self.holder, TURN_SECONDS):
            time.sleep(WAIT_SECONDS)
            return
        try:
            if not confirm.enqueue(self.search, self.confirmation) and self._has_ended():
                confirm.close(self.confirmation)
        finally:
            rounds.end_turn(self.holder)

    def _has_ended(self) -> bool:
        counts = self.confirmation.queue.counts()
        return counts.finished == counts.total

    def _is_confirmed(self) -> bool:
        if not self._has_ended():
            return False
        there = {item["trial"] for item in confirm.items_of(self.confirmation)}
        return there >= {w.number for w in confirm.winners(self.search)} and confirm.is_closed(self.confirmation)

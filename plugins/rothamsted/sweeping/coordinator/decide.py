"""Decide what comes next in a sweep, and write it into the search. Only the holder of the sweep's lease does this."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted import tags
from rothamsted.search import take_step
from rothamsted.search.lease import DEATHS
from rothamsted.sweeping.attempts import to_try_again, without_crashes
from rothamsted.sweeping.coordinator.closing import ConfirmedRuns
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.phases.order import phases_of
from rothamsted.sweeping.phases.phase import Phase, Step


class Decider:
    """Takes a sweep from step to step.

    No phase is stored. Each phase is asked in turn what is missing, and the first with something missing gives the
    step.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._phases: Sequence[Phase] = phases_of(opened.sweep)
        self._confirmed = ConfirmedRuns(opened) if opened.confirm_queue is not None else None
        self.is_over = False
        self._n_asked = 0  # conditions that the last step asked for

    def decide(self) -> Step | None:
        """Take the next step if nothing waits and nothing runs; None: there is nothing to decide, or it is over.

        Raises:
            SweepLeaseLostError: another process decides now.
        """
        counts = [queue.counts() for queue in self._opened.queues]
        if any(one.waiting or one.running for one in counts):
            return None
        n_there = counts[0].total
        if n_there < self._n_asked:  # a worker is about to ask for the next: what was told changes nothing
            return None
        data = self._opened.data()
        for phase in self._phases:
            step = phase.next(data)
            if step is None or (step.ask and n_there >= step.ask):  # all are there, some of another program's making
                continue
            self.apply(step)
            self._n_asked = step.ask
            return step
        if self._confirmed is not None:
            self._confirmed.close()
        self.is_over = True
        return None

    def retry(self) -> None:
        """Put failed trials with attempts left, and crashed ones, back to waiting when a sweep goes on.

        Crashes of the sessions before are forgotten, also those of trials that are not over: each session tries.

        Raises:
            SweepLeaseLostError: another process decides now.
        """
        retries = self._opened.sweep.execution.retries
        for queue in self._opened.queues:
            trials = queue.trials([tags.RESULT, tags.ATTEMPTS, tags.CRASHES, tags.PRUNED, DEATHS])
            again = {one.number: to_try_again(one.attributes, retries=retries) for one in trials if one.is_over}
            extend = {number: changes for number, changes in again.items() if changes is not None}
            forgotten = {one.number: without_crashes(one.attributes) for one in trials if not one.is_over}
            alter = {number: changes for number, changes in forgotten.items() if changes}
            if extend or alter:
                take_step(self._opened.lease, queue, extend=extend, alter=alter)
        if self._confirmed is not None:
            self._confirmed.open()

    def apply(self, step: Step) -> None:
        """Write a step into the search in one transaction, then make the runs that it needs."""
        opened = self._opened
        items = self._confirmed.items(step.add) if self._confirmed is not None else []
        take_step(
            opened.lease,
            opened.queue,
            ask=step.ask,
            first=opened.sweep.enqueue,
            extend=step.extend,
            note=step.note,
            confirm_queue=opened.confirm_queue,
            conditions=[one.condition for one in step.add],
            attributes=[{tags.CONFIRMS: item} for item in items],
        )
        if self._confirmed is not None:
            self._confirmed.open()

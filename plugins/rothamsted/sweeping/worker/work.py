"""Run a worker: claim trials, run their replicates, write results, until nothing is left.

The same loop runs in a local process, on a cluster, or by hand on any machine. A worker writes nothing more of a trial
that it has lost to another worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from rothamsted.errors import UserError
from rothamsted.holders import new_worker_id
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.search import Lease, LostError, Renewer
from rothamsted.studies import Contents, Study, drive, log_artifacts
from rothamsted.studies.device_memory import release_memory
from rothamsted.sweeping.foreign_study import ForeignStudy, Starter
from rothamsted.sweeping.opened import Emit, Opened
from rothamsted.sweeping.scores import completed, keep_of
from rothamsted.sweeping.worker.copies import may_be_copies, seed_without_effect
from rothamsted.sweeping.worker.event_files import EventFiles
from rothamsted.sweeping.worker.events import WorkerEvents
from rothamsted.sweeping.worker.foreign_replicate import ForeignReplicate
from rothamsted.sweeping.worker.model_log import ModelLogger
from rothamsted.sweeping.worker.population_judge import LOST, Member, PopulationJudge
from rothamsted.sweeping.worker.population_size import PopulationSize, populations
from rothamsted.sweeping.worker.start_state import checkpoint_of, start_of
from rothamsted.sweeping.worker.trial import TrialRun
from rothamsted.sweeping.worker.trial_runs import ReplicateRun, name_runs
from rothamsted.sweeping.worker.waiting import WaitingForDecisions, pause
from rothamsted.tracking.projects.command import run_variables

FLUSH_SECONDS = 1.0  # a measurement is in MLflow at most this much later
IDLE_SECONDS = 0.25  # between two looks at the queue while others still run
T = TypeVar("T")


@dataclass(kw_only=True)
class Worker:
    """Runs one worker of one sweep.

    Attributes:
        emit: function that gets each replicate's start and end and each trial's end.
        should_stop: function that is called between measurements; True: checkpoint, give the trials back, and end.
        until: time (unix seconds) after which no further trial is claimed.
        on_idle: function that is called when nothing is left to claim and nothing runs; False: the worker ends. By
            default it waits as long as another process decides what comes next.
    """

    context: Opened
    emit: Emit
    should_stop: Callable[[], bool]
    until: float | None = None
    worker_id: str = field(default_factory=new_worker_id)
    on_idle: Callable[[], bool] | None = None
    _flushed_at: float = 0.0
    _n_pending: dict[int, int] = field(default_factory=dict)  # queue -> replicates that its last trials asked for

    def __post_init__(self) -> None:
        self._events = WorkerEvents(worker_id=self.worker_id, emit=self.emit)
        self._models = ModelLogger(self.context)
        self._n_pending = {0: self.context.sweep.replicates.n_first}
        self._renewer = Renewer(self.context.sweep.execution.lease_seconds)
        self._size = PopulationSize(wanted=self.context.sweep.execution.population)
        self._why_stopped, asked = "", self.should_stop
        self.should_stop = lambda: bool(self._why_stopped) or asked()
        self.context.recorder.give_up_when(self.should_stop)
        self._idle = self.on_idle or WaitingForDecisions(self.context, self.should_stop)
        self._starter: Starter | None = None
        if isinstance(self.context.study, ForeignStudy):
            self._starter = Starter(sweep=self.context.sweep, study=self.context.study, say=self._events.say)

    def run(self) -> None:
        """Work until nothing is left, or until stopped.

        Raises:
            UserError: its replicates are copies, and all others would be too.
        """
        try:
            with self._renewer:
                while not self._is_ending():
                    if self._work_on_one_claim():
                        continue
                    if any(queue.counts().running for queue in self.context.queues):
                        pause(IDLE_SECONDS, self.should_stop)  # stay while others run, in case one of them dies
                    elif not self._idle():
                        break
        finally:
            if self._starter is not None:
                self._starter.close()
            self.context.recorder.pass_on()
        if self._why_stopped:
            raise UserError(self._why_stopped)

    # ---- claiming ----

    def _is_ending(self) -> bool:
        return self.should_stop() or (self.until is not None and time.time() >= self.until)

    def _work_on_one_claim(self) -> bool:
        """Claim from the first queue that has something, and work on it; False: none has."""
        execution = self.context.sweep.execution
        for index, queue in enumerate(self.context.queues):
            n_pending = max(1, self._n_pending.get(index, 1))
            claimed = queue.claim(
                self.worker_id,
                n_trials=self.context.sweep.n_trials,
                limit=max(1, -(-self._size.size // n_pending)),  # enough to fill a population
                lease_seconds=execution.lease_seconds,
                names=lambda lease: name_runs(self.context, lease),
            )
            if claimed:
                self._renewer.hold(claimed)
                self._n_pending[index] = self._work_on(claimed)
                return True
        return False

    # ---- working ----

    def _work_on(self, claimed: Sequence[Lease]) -> int:
        """Work on what was claimed; returns how many replicates a trial asked for at most."""
        if self._starter is not None:
            self._starter.prepare(*self._of_any_replicate(claimed[0]))
        opening = [partial(TrialRun.open, self.context, one, self._models) for one in claimed]
        trials = [trial for open_it in opening if (trial := _unless_lost(open_it)) is not None]
        n_pending = max((len(t.pending()) for t in trials), default=1)
        while pending := [(t, r) for t in trials for r in t.pending() if not self._is_stopped(t)]:
            members = [(t, r) for t, r in pending if not self._is_given_up(t, r)]
            for population in populations(self.context, members, self._size):
                if self.should_stop():
                    break
                if going_on := [member for member in population if not (member[0].pruned or member[0].lease.is_lost)]:
                    self._train(going_on)
        for trial in trials:
            self._finish(trial)
        self._renewer.hold([])
        self._flushed_at = time.monotonic()
        return n_pending

    def _is_stopped(self, trial: TrialRun) -> bool:
        return self.should_stop() or trial.lease.is_lost

    def _is_given_up(self, trial: TrialRun, replicate: int) -> bool:
        """Write down a replicate that its last worker was ended for, or that had too many crashes, without a run."""
        reason = trial.killed.pop(replicate, "")
        if not reason and not trial.runs.attempts.has_crashed_out(replicate):
            return False
        n = trial.runs.attempts.crashes.get(replicate, 0)
        crashed = f"its worker died in all {n} attempts: killed, out of memory, or by an error that was printed then"
        if (member := _unless_lost(partial(trial.start, replicate))) is not None:
            ending = Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason=reason or crashed)
            self._close([(trial, member)], [ending], is_crash=not reason)
        return True

    def _train(self, population: Sequence[tuple[TrialRun, int]]) -> None:
        members = [(t, one) for t, r in population if (one := _unless_lost(partial(t.start, r))) is not None]
        if not members:
            return
        for trial, replicate in members:
            self._events.start(trial, replicate)
        self._train_started(members)

    def _train_started(self, members: Sequence[Member]) -> None:
        """Train replicates whose runs are open; those that do not fit into memory together, in parts."""
        may_be_killed = self.context.sweep.execution.timeout_per_trial is not None
        if may_be_killed or any(trial.runs.attempts.crashes for trial, _ in members):
            self.context.recorder.flush()  # whoever takes over sees which replicates were running
        population_judge = PopulationJudge(members=members, sweep=self.context.sweep)
        study = self.context.study
        endings = (
            self._drive(study, members, population_judge)
            if isinstance(study, Study)
            else [self._watch(members[0], population_judge)]
        )
        if len(members) > 1 and any(ending.is_out_of_memory for ending in endings):
            left = self._emptied(members)
            while left:
                part, left = left[: self._size.size], left[self._size.size :]
                self._train_started(part)
            return
        self._size.trained(len(members), endings[0].seconds)
        self._close(members, endings)

    def _emptied(self, members: Sequence[Member]) -> list[Member]:
        """The members of a population that ran out of memory, to begin anew in the same runs."""
        self._size.does_not_fit(len(members))
        self._events.say(f"{len(members)} replicates do not fit into memory together: from now on {self._size.size}")
        release_memory()
        checkpoint_of(self.context, members).remove()
        self.context.recorder.flush()
        return [(trial, replace(one, logged=trial.runs.logged(one.run_id))) for trial, one in members]

    def _of_any_replicate(self, claimed: Lease) -> tuple[dict[str, str], dict[str, str]]:
        """Parameters and variables of a process, those of its own run apart."""
        context = self.context
        parameters = context.config_of(claimed.condition, context.sweep.replicates.values[0])
        return parameters, run_variables("", context.experiment_id, context.tracking_uri)

    def _watch(self, member: Member, population_judge: PopulationJudge) -> Ending:
        """Train one replicate of a foreign project, in a process of its own."""
        if self._starter is None:
            raise RuntimeError(f"sweep {self.context.sweep.name}: a study is not started as a process")
        trial, replicate = member
        foreign = ForeignReplicate(
            context=self.context,
            replicate=replicate,
            population_judge=population_judge,
            starter=self._starter,
            should_stop=lambda: self._is_stopped(trial),
        )
        return foreign.run()

    def _drive(self, study: Study, members: Sequence[Member], population_judge: PopulationJudge) -> list[Ending]:
        """Train one population of a study, in this process."""
        execution = self.context.sweep.execution
        event_files = EventFiles(context=self.context, members=members)

        def hear(m: int, measured: Measured) -> None:
            self._on_measurement(members[m], population_judge.heard(m, measured))
            event_files.log(m, measured)

        def keep(m: int, measured: Measured, contents: Contents) -> None:
            log_artifacts(self.context.recorder, members[m][1].run_id, contents)
            event_files.show(m, measured, contents)

        try:
            return drive(
                study,
                [member.config for _, member in members],
                on_measurement=hear,
                on_restored=hear,
                on_artifacts=keep if execution.artifacts else None,
                judge=population_judge.judge,
                checkpoint=checkpoint_of(self.context, members),
                start=start_of(members),
                keeps_last_state=self.context.keeps_states
                and all(t.assignment.is_linked_to_stages for t, _ in members),
                should_stop=self.should_stop,
                timeout_seconds=execution.timeout_per_trial,
                keep=keep_of(self.context.sweep),
                on_set_up=lambda: self._events.set_up(*members[0]),
            )
        finally:
            event_files.close()

    def _close(self, members: Sequence[Member], endings: Sequence[Ending], *, is_crash: bool = False) -> None:
        for (trial, member), found in zip(members, endings, strict=True):
            try:
                ending = self._end(trial, member, found, is_crash)
            except LostError:
                ending = replace(found, outcome=LOST.outcome, reason=LOST.reason)
            self._events.end(trial, member, ending, was_trained=found.outcome is Outcome.FINISHED)
            if may_be_copies(self.context.study) and (why := seed_without_effect(trial, member.replicate)):
                self._why_stopped = why
                self._events.stop(why)
        for trial in {id(trial): trial for trial, _ in members}.values():
            if not trial.lease.is_lost:
                with suppress(LostError):
                    trial.judge_replicates()

    def _end(self, trial: TrialRun, member: ReplicateRun, found: Ending, is_crash: bool) -> Ending:
        """Write down how a replicate ended, and keep its result unless it is tried again."""
        if not trial.lease.confirm():
            raise LostError(f"trial {trial.assignment.of}: was taken over")
        ending = completed(found, self.context.sweep)
        result = trial.end(member, ending)
        is_failure = ending.outcome is Outcome.FAILED and not is_crash
        if is_failure and member.attempt < trial.runs.attempts.limit:
            trial.runs.fail(member.replicate)
            return ending
        if is_failure:
            trial.runs.fail_for_good(member.replicate)
        if ending.outcome is not Outcome.INTERRUPTED:
            trial.results[member.replicate] = result
        return ending

    def _on_measurement(self, member: Member, measured: Measured) -> None:
        trial, replicate = member
        trial.log(replicate, measured)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.context.recorder.pass_on()
            self._flushed_at = time.monotonic()

    def _finish(self, trial: TrialRun) -> None:
        if trial.lease.is_lost:
            pass  # another worker has taken it over and writes it down
        elif trial.pending():
            trial.leave()
            trial.lease.release()
        elif trial.close():
            self._events.trial(trial)
        trial.runs.let_go(trial.run_id)


def _unless_lost(do: Callable[[], T]) -> T | None:
    """What is made, or None where the trial turns out to be another worker's."""
    try:
        return do()
    except LostError:
        return None

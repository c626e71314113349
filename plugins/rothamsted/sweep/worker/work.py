"""The worker: claim trials, run their replicates, write them down, tell the search, until nothing is left.

The same loop runs in a local process, on a cluster, or by hand on any machine. Of a trial that it has lost to another
worker it writes nothing more.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from rothamsted import tags
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.search import Lease, LostError, Renewer
from rothamsted.study import Checkpoint, Contents, Snapshot, Study, drive, log_artifacts, population_key
from rothamsted.sweep.advance import Conductor
from rothamsted.sweep.checkpoint_folders import checkpoint_folder, population_part
from rothamsted.sweep.foreign_study import ForeignStudy, Starter
from rothamsted.sweep.opened import Emit, SweepContext
from rothamsted.sweep.stages import state_to_start_from
from rothamsted.sweep.worker.event_files import Mirrors
from rothamsted.sweep.worker.events import Teller
from rothamsted.sweep.worker.foreign_replicate import ForeignReplicate
from rothamsted.sweep.worker.model_log import ModelLogger
from rothamsted.sweep.worker.population_judge import LOST, Jury, Member
from rothamsted.sweep.worker.trial import Replicate, TrialRun
from rothamsted.sweep.worker.trial_runs import name_runs
from rothamsted.tracking.projects.project import run_variables

FLUSH_SECONDS = 1.0  # a measurement is in MLflow at most this much later
IDLE_SECONDS = 0.25  # between two looks at the queue while others still run
T = TypeVar("T")


def new_worker_id() -> str:
    """host:pid:start, so that a coordinator on the same host can tell a dead worker from a living one."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time())}"


def is_alive(worker_id: str) -> bool:
    """Whether a worker of this host still runs; workers of other hosts count as alive."""
    host, pid, started = worker_id.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        return int(psutil.Process(int(pid)).create_time()) == int(started)
    except psutil.NoSuchProcess:
        return False


@dataclass(kw_only=True)
class Worker:
    """One worker of one sweep.

    Attributes:
        emit: told of each replicate's start and end and of each trial's end.
        should_stop: asked between measurements; True means checkpoint, give the trials back, and end.
        until: unix seconds after which no further trial is claimed.
    """

    context: SweepContext
    emit: Emit
    should_stop: Callable[[], bool]
    until: float | None = None
    worker_id: str = field(default_factory=new_worker_id)
    _flushed_at: float = 0.0
    _n_pending: int = 0  # replicates that a trial asks for: as many as the last ones did

    def __post_init__(self) -> None:
        self._teller = Teller(worker_id=self.worker_id, emit=self.emit)
        self._conductor = Conductor(search=self.context, holder=self.worker_id)
        self._models = ModelLogger(self.context)
        self._n_pending = self.context.sweep.replicates.n_first
        self._renewer = Renewer(self.context.sweep.execution.lease_seconds)
        self._starter: Starter | None = None
        if isinstance(self.context.study, ForeignStudy):
            self._starter = Starter(sweep=self.context.sweep, study=self.context.study, say=self._teller.say)

    def run(self) -> None:
        """Work until nothing is left, or until stopped."""
        try:
            with self._renewer:
                while not self._is_ending():
                    claimed = self._claim()
                    if claimed:
                        self._work_on(claimed)
                    elif self._stage.queue.counts().running:
                        time.sleep(IDLE_SECONDS)  # stay while others run, in case one of them dies
                    elif not self._conductor.advance():
                        break
        finally:
            if self._starter is not None:
                self._starter.close()
            self.context.recorder.flush()

    @property
    def _stage(self) -> SweepContext:
        """The search, or the confirmation."""
        return self._conductor.stage

    # ---- claiming ----

    def _is_ending(self) -> bool:
        return self.should_stop() or (self.until is not None and time.time() >= self.until)

    def _claim(self) -> list[Lease]:
        execution, stage = self.context.sweep.execution, self._stage
        n_pending = 1 if stage.phase == "confirm" else self._n_pending
        limit = max(1, -(-execution.population // max(1, n_pending)))  # enough to fill a population
        claimed = stage.queue.claim(
            self.worker_id,
            n_trials=self.context.sweep.n_trials,
            limit=limit,
            lease_seconds=execution.lease_seconds,
            names=lambda lease: name_runs(stage, lease),
        )
        self._renewer.hold(claimed)
        return claimed

    # ---- working ----

    def _work_on(self, claimed: Sequence[Lease]) -> None:
        if self._starter is not None:
            self._starter.prepare(*self._of_any_replicate(claimed[0]))
        stage, models = self._stage, self._models
        trials = [t for one in claimed if (t := _unless_lost(partial(TrialRun.open, stage, one, models))) is not None]
        self._n_pending = max((len(t.pending()) for t in trials), default=1)
        while pending := [(t, r) for t in trials for r in t.pending() if not self._is_stopped(t)]:
            members = [(t, r) for t, r in pending if not self._is_given_up(t, r)]
            for population in self._populations(members):
                if self.should_stop():
                    break
                if going_on := [member for member in population if not (member[0].pruned or member[0].lease.is_lost)]:
                    self._train(going_on)
        for trial in trials:
            self._finish(trial)
        self._renewer.hold([])
        self._flushed_at = time.monotonic()

    def _is_stopped(self, trial: TrialRun) -> bool:
        return self.should_stop() or trial.lease.is_lost

    def _is_given_up(self, trial: TrialRun, replicate: int) -> bool:
        """Write down a replicate that its last worker was ended for, or that had too many crashes, without a run."""
        reason = trial.killed.pop(replicate, "")
        if not reason and not trial.runs.attempts.has_crashed_out(replicate):
            return False
        n = trial.runs.attempts.crashes.get(replicate, 0)
        crashed = f"its worker died in all {n} attempts: killed by a signal, perhaps out of memory"
        if (member := _unless_lost(partial(trial.start, replicate))) is not None:
            ending = Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason=reason or crashed)
            self._close([(trial, member)], [ending], is_crash=not reason)
        return True

    def _populations(self, members: Sequence[tuple[TrialRun, int]]) -> Iterator[list[tuple[TrialRun, int]]]:
        """Members that one compiled call can train, at most `execution.population` at a time."""
        groups: dict[object, list[tuple[TrialRun, int]]] = {}
        for trial, replicate in members:
            config = self.context.config_of(trial.lease.condition, trial.work.seeds[replicate])
            study = self.context.study
            key = population_key(study, config) if isinstance(study, Study) else len(groups)  # a process each
            groups.setdefault(key, []).append((trial, replicate))
        size = self.context.sweep.execution.population
        for group in groups.values():
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _train(self, population: Sequence[tuple[TrialRun, int]]) -> None:
        members = [(t, one) for t, r in population if (one := _unless_lost(partial(t.start, r))) is not None]
        if not members:
            return
        for trial, replicate in members:
            self._teller.start(trial, replicate)
        may_be_killed = self.context.sweep.execution.timeout_per_trial is not None
        if may_be_killed or any(trial.runs.attempts.crashes for trial, _ in members):
            self.context.recorder.flush()  # whoever takes over sees which replicates were running
        jury = Jury(members=members, sweep=self.context.sweep)
        study = self.context.study
        endings = self._drive(study, members, jury) if isinstance(study, Study) else [self._watch(members[0], jury)]
        self._close(members, endings)

    def _of_any_replicate(self, claimed: Lease) -> tuple[dict[str, str], dict[str, str]]:
        """Parameters and variables of a process, those of its own run apart."""
        context = self.context
        parameters = context.config_of(claimed.condition, context.sweep.replicates.values[0])
        return parameters, run_variables("", context.experiment_id, context.tracking_uri)

    def _watch(self, member: Member, jury: Jury) -> Ending:
        """Train one replicate of a foreign project, in a process of its own."""
        if self._starter is None:
            raise RuntimeError(f"sweep {self.context.sweep.name}: a study is not started as a process")
        trial, replicate = member
        foreign = ForeignReplicate(
            context=self._stage,
            replicate=replicate,
            jury=jury,
            starter=self._starter,
            should_stop=lambda: self._is_stopped(trial),
        )
        return foreign.run()

    def _drive(self, study: Study, members: Sequence[Member], jury: Jury) -> list[Ending]:
        """Train one population of a study, in this process."""
        execution = self.context.sweep.execution
        mirrors = Mirrors(context=self._stage, members=members)
        folder = self._checkpoint_folder(members)

        def hear(m: int, measured: Measured) -> None:
            self._on_measurement(members[m], jury.heard(m, measured))
            mirrors.log(m, measured)

        def keep(m: int, measured: Measured, contents: Contents) -> None:
            log_artifacts(self.context.recorder, members[m][1].run_id, contents)
            mirrors.show(m, measured, contents)

        try:
            return drive(
                study,
                [member.config for _, member in members],
                on_measurement=hear,
                on_restored=hear,
                on_artifacts=keep if execution.artifacts else None,
                judge=jury.judge,
                checkpoint=Checkpoint(folder=folder, every_seconds=execution.checkpoint_every),
                start=self._start_state(members),
                keeps_last_state=self._stage.keeps_states and self._stage.phase == "search",
                should_stop=self.should_stop,
                timeout_seconds=execution.timeout_per_trial,
            )
        finally:
            mirrors.close()

    def _close(self, members: Sequence[Member], endings: Sequence[Ending], *, is_crash: bool = False) -> None:
        for (trial, member), found in zip(members, endings, strict=True):
            try:
                ending = self._end(trial, member, found, is_crash)
            except LostError:
                ending = replace(found, outcome=LOST.outcome, reason=LOST.reason)
            self._teller.end(trial, member, ending)
        for trial in {id(trial): trial for trial, _ in members}.values():
            if not trial.lease.is_lost:
                with suppress(LostError):
                    trial.judge_replicates()

    def _end(self, trial: TrialRun, member: Replicate, found: Ending, is_crash: bool) -> Ending:
        """Write down how a replicate ended, and keep its result unless it is tried again."""
        if not trial.lease.confirm():
            raise LostError(f"trial {trial.work.trial}: was taken over")
        ending = trial.complete(found)
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
            self.context.recorder.flush()
            self._flushed_at = time.monotonic()

    def _checkpoint_folder(self, members: Sequence[Member]) -> Path:
        part = population_part([(t.lease.number, m.replicate) for t, m in members], phase=self._stage.phase)
        return checkpoint_folder(self.context.root, self.context.sweep, self.context.sweep_run_id, part)

    def _start_state(self, members: Sequence[Member]) -> Snapshot | None:
        """Where the stage before left a replicate that trains alone."""
        if len(members) > 1:
            return None
        [(trial, member)] = members
        start = state_to_start_from(self._stage, trial.lease.number, member.seed, member.config)
        if start is not None:
            step = str(start.histories[0][-1].step)
            self.context.recorder.log(member.run_id, tags={tags.RESUMED_FROM_STEP: step})
        return start

    def _finish(self, trial: TrialRun) -> None:
        if trial.lease.is_lost:
            pass  # another worker has taken it over and writes it down
        elif trial.pending():
            trial.leave()
            trial.lease.release()
        elif trial.close():
            self._teller.trial(trial)
        trial.runs.let_go(trial.run_id)


def _unless_lost(do: Callable[[], T]) -> T | None:
    """What is made, or None where the trial turns out to be another worker's."""
    try:
        return do()
    except LostError:
        return None

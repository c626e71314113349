"""The worker: claim trials, run their replicates, write them down, tell the search, until nothing is left.

Apart from whoever starts it: the same loop runs in a local process, on a cluster, or by hand on any machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rothamsted import tags
from rothamsted.holders import new_worker_id
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.search import Claimed
from rothamsted.study import Checkpoint, Contents, Snapshot, Study, drive, log_artifacts, population_key
from rothamsted.sweep.advance import Conductor
from rothamsted.sweep.checkpoint_folders import checkpoint_folder
from rothamsted.sweep.foreign_study import ForeignStudy, Starter
from rothamsted.sweep.opened import Emit, SweepContext
from rothamsted.sweep.stages import state_to_start_from
from rothamsted.sweep.worker.event_files import Mirrors
from rothamsted.sweep.worker.events import Teller
from rothamsted.sweep.worker.foreign_replicate import ForeignReplicate
from rothamsted.sweep.worker.model_log import ModelLogger
from rothamsted.sweep.worker.population_judge import Jury, Member
from rothamsted.sweep.worker.trial import TrialRun
from rothamsted.tracking.projects.project import run_variables

FLUSH_SECONDS = 1.0  # a measurement is in MLflow at most this much later
IDLE_SECONDS = 0.25  # between two looks at the queue while others still run


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
    _held: dict[int, int] = field(default_factory=dict)  # trial id -> number
    _lost: set[int] = field(default_factory=set)
    _flushed_at: float = 0.0
    _n_pending: int = 0  # replicates that a trial asks for: as many as the last ones did

    def __post_init__(self) -> None:
        self._teller = Teller(worker_id=self.worker_id, emit=self.emit)
        self._conductor = Conductor(search=self.context, holder=self.worker_id)
        self._models = ModelLogger(self.context)
        self._n_pending = self.context.sweep.replicates.n_first
        self._starter: Starter | None = None
        if isinstance(self.context.study, ForeignStudy):
            self._starter = Starter(sweep=self.context.sweep, study=self.context.study, say=self._teller.say)

    def run(self) -> None:
        """Work until nothing is left, or until stopped."""
        renewer = threading.Thread(target=self._renew_leases, daemon=True)
        self._closing = threading.Event()
        renewer.start()
        try:
            while not self._is_ending():
                claimed = self._claim()
                if claimed:
                    self._work_on(claimed)
                elif self._stage.queue.counts().running:
                    time.sleep(IDLE_SECONDS)  # stay while others run, in case one of them dies
                elif not self._conductor.advance():
                    break
        finally:
            self._closing.set()
            renewer.join()
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

    def _claim(self) -> list[Claimed]:
        execution = self.context.sweep.execution
        n_pending = 1 if self._stage.phase == "confirm" else self._n_pending
        limit = max(1, -(-execution.population // max(1, n_pending)))  # enough to fill a population
        claimed = self._stage.queue.claim(
            self.worker_id,
            n_trials=self.context.sweep.n_trials,
            limit=limit,
            lease_seconds=execution.lease_seconds,
        )
        self._held = {c.trial_id: c.number for c in claimed}
        return claimed

    def _renew_leases(self) -> None:
        seconds = self.context.sweep.execution.lease_seconds
        while not self._closing.wait(seconds / 4):
            held = list(self._held)
            self._lost.update(self._stage.queue.claims.renew(self.worker_id, held, seconds) if held else [])

    # ---- working ----

    def _work_on(self, claimed: Sequence[Claimed]) -> None:
        if self._starter is not None:
            self._starter.prepare(*self._of_any_replicate(claimed[0]))
        trials = [TrialRun.open(self._stage, c, self._models) for c in claimed]
        self._n_pending = max(len(t.pending()) for t in trials)
        attempt_limit = 1 + self.context.sweep.execution.retries
        attempts = {(t.claimed.number, r): self._attempts_before(t, r) for t in trials for r in t.pending()}
        while pending := [(t, r) for t in trials for r in t.pending() if not self._is_stopped(t)]:
            members = []
            for trial, replicate in pending:
                key = (trial.claimed.number, replicate)
                if attempts[key] >= attempt_limit:
                    self._give_up(trial, replicate, attempts[key])
                    continue
                attempts[key] += 1
                members.append((trial, replicate, attempts[key]))
            for population in self._populations(members):
                if self.should_stop():
                    break
                if going_on := [member for member in population if not member[0].pruned]:
                    self._train(going_on, attempt_limit)
        self._finish(trials, max(attempts.values(), default=1))

    def _attempts_before(self, trial: TrialRun, replicate: int) -> int:
        has_failed = replicate in trial.earlier.failed
        failed = int(trial.claimed.attributes.get(tags.ATTEMPTS, 0)) if has_failed else 0
        return max(failed, trial.claimed.crashes.get(replicate, 0))

    def _is_stopped(self, trial: TrialRun) -> bool:
        return self.should_stop() or trial.claimed.trial_id in self._lost

    def _give_up(self, trial: TrialRun, replicate: int, attempts: int) -> None:
        """A replicate whose workers died as often as it may be tried."""
        member = trial.start(replicate, attempts)
        reason = f"its worker process was killed in all {attempts} attempts (out of memory, or killed by hand)"
        ending = Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason=reason)
        trial.results[replicate] = trial.end(member, ending)
        self._teller.end(trial, member, ending)

    def _populations(self, members: Sequence[tuple[TrialRun, int, int]]) -> Iterator[list[tuple]]:
        """Members that one compiled call can train, at most `execution.population` at a time."""
        groups: dict[object, list[tuple]] = {}
        for trial, replicate, attempt in members:
            config = self.context.config_of(trial.claimed.condition, trial.work.seeds[replicate])
            study = self.context.study
            key = population_key(study, config) if isinstance(study, Study) else len(groups)  # a process each
            groups.setdefault(key, []).append((trial, replicate, attempt))
        size = self.context.sweep.execution.population
        for group in groups.values():
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _train(self, population: Sequence[tuple], attempt_limit: int) -> None:
        members: list[Member] = []
        for trial, replicate, attempt in population:
            member = trial.start(replicate, attempt)
            members.append((trial, member))
            self._teller.start(trial, member)
        jury = Jury(members=members, sweep=self.context.sweep)
        study = self.context.study
        endings = self._drive(study, members, jury) if isinstance(study, Study) else [self._watch(members[0], jury)]
        self._close(members, endings, attempt_limit)

    def _of_any_replicate(self, claimed: Claimed) -> tuple[dict[str, str], dict[str, str]]:
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
                should_stop=lambda: all(self._is_stopped(trial) for trial, _ in members),
                timeout_seconds=execution.timeout_per_trial,
            )
        finally:
            mirrors.close()

    def _close(self, members: Sequence[Member], endings: Sequence[Ending], attempt_limit: int) -> None:
        for (trial, member), found in zip(members, endings, strict=True):
            ending = trial.complete(found)
            result = trial.end(member, ending)
            is_retried = ending.outcome is Outcome.FAILED and member.attempt < attempt_limit
            if ending.outcome is not Outcome.INTERRUPTED and not is_retried:
                trial.results[member.replicate] = result
            self._teller.end(trial, member, ending)
        for trial in {id(trial): trial for trial, _ in members}.values():
            reason = trial.judge.after_replicates(trial.ended(), is_over=not trial.pending())
            if reason and not trial.pruned:
                trial.prune(reason)

    def _on_measurement(self, member: Member, measured: Measured) -> None:
        trial, replicate = member
        trial.log(replicate, measured)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.context.recorder.flush()
            self._flushed_at = time.monotonic()

    def _checkpoint_folder(self, members: Sequence[Member]) -> Path:
        part = "+".join(f"{t.claimed.number}-{m.replicate}" for t, m in members[:8])
        part = f"confirm-{part}" if self._stage.phase == "confirm" else part
        suffix = f"+{len(members)}" if len(members) > 8 else ""
        context = self.context
        return checkpoint_folder(context.root, context.sweep, context.sweep_run_id, part + suffix)

    def _start_state(self, members: Sequence[Member]) -> Snapshot | None:
        """Where the stage before left a replicate that trains alone."""
        if len(members) > 1:
            return None
        [(trial, member)] = members
        start = state_to_start_from(self._stage, trial.claimed.number, member.seed, member.config)
        if start is not None:
            step = str(start.histories[0][-1].step)
            self.context.recorder.log(member.run_id, tags={tags.RESUMED_FROM_STEP: step})
        return start

    def _finish(self, trials: Sequence[TrialRun], attempts: int) -> None:
        for trial in trials:
            if trial.claimed.trial_id in self._lost:
                continue  # another worker has taken it over and writes it down
            if trial.pending():
                trial.leave()
                self._stage.queue.claims.release(self.worker_id, [trial.claimed.trial_id])
                continue
            if any(r.outcome is Outcome.FAILED for r in trial.results.values()):
                most = max(attempts, int(trial.claimed.attributes.get(tags.ATTEMPTS, 0)))
                self._stage.queue.set_trial_attributes(trial.claimed.trial_id, {tags.ATTEMPTS: most})
            trial.close()
            self._teller.trial(trial)
        self._held = {}
        self._flushed_at = time.monotonic()

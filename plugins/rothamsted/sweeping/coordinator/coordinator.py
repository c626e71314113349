"""Run a session of a sweep: keep workers going, decide what comes next, and stop in time.

Any number of processes may do this for one sweep. The process with the sweep's lease decides. The others keep workers
going, and one of them takes the lease when it runs out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.sweep_record import exhausted_text
from rothamsted.executors import Crew, Death, Event, Executor, ask_first
from rothamsted.holders import is_alive
from rothamsted.records import Outcome, RunStatus
from rothamsted.search import SweepLeaseLostError
from rothamsted.spec import n_workers, plan
from rothamsted.studies import StopRequest, stop_on_signals
from rothamsted.studies.function.by_value import given_to_workers
from rothamsted.sweeping.checkpoint_folders import check_artifacts, checkpoints_of
from rothamsted.sweeping.coordinator.closing import ConfirmedRuns
from rothamsted.sweeping.coordinator.decide import Decider
from rothamsted.sweeping.coordinator.hopeless import Hopeless
from rothamsted.sweeping.coordinator.job import grace_of_processes, job_of
from rothamsted.sweeping.coordinator.meanwhile import Meanwhile
from rothamsted.sweeping.coordinator.progress import Progress
from rothamsted.sweeping.open.start import LEASE_SECONDS
from rothamsted.sweeping.opened import Opened
from rothamsted.wording import plain_count, verb

POLL_SECONDS = 0.2  # between two looks at the clock while no worker says anything
DECIDE_SECONDS = 1.0  # between two looks at the search while workers train
TIMEOUT_GRACE_SECONDS = 30.0  # after timeout_per_trial, for training that never reaches a measurement
SETUP_SECONDS = 300.0  # for imports, data and compilation, which timeout_per_trial leaves out
MOST_FAILED_STARTS = 3  # workers in a row that die before they run anything: something is broken for all
STOPPED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM: 128 + the number of the signal, as shells have it


@dataclass(frozen=True, kw_only=True)
class Session:
    """Says how a session of a sweep ended.

    Attributes:
        exit_status: 0; 1 if workers cannot run or every replicate failed; 2 if replicates are copies or a metric of the
            file is not logged; 130 if a signal stopped it.
        status: status of the sweep's run.
        is_complete: nothing is left to do.
        decided: this process decided at the end, so it writes the sweep's own run.
        left: what is left to do, in words; empty if nothing is.
        why: why it was stopped, in words; empty if no reason was found while it ran.
    """

    exit_status: int
    status: RunStatus
    is_complete: bool
    decided: bool
    left: str = ""
    why: str = ""


@dataclass(kw_only=True)
class Coordinator:
    """Runs one session of one sweep."""

    opened: Opened
    executor: Executor
    console: Console
    until: float | None = None  # unix seconds; None: for as long as the file says
    meanwhile: Meanwhile = field(default_factory=Meanwhile)
    progress: Progress = field(init=False)
    _is_over: bool = False
    _failed_starts: int = 0  # workers in a row that died without running anything
    _why_stopped: str = ""  # what every other replicate would repeat
    _is_mistake: bool = False  # of the file or the project, not of a training
    _hopeless: Hopeless = field(default_factory=Hopeless)
    _started_at: dict[str, float] = field(default_factory=dict)  # worker of the crew -> when training started
    _ids: dict[str, str] = field(default_factory=dict)  # worker of the crew -> its id in leases
    _notes: set[str] = field(default_factory=set)
    _renewed_at: float = float("-inf")
    _looked_at: float = float("-inf")

    def __post_init__(self) -> None:
        sweep, size = self.opened.sweep, plan(self.opened.sweep)
        self._decider = Decider(self.opened)
        limit = sweep.timeout
        self.until = time.time() + limit if limit and self.until is None else self.until
        self.progress = Progress(
            sweep=sweep,
            n_search=size.n_trainings,
            n_confirm=size.n_confirm_trainings,
            n_replicates=size.n_replicates,
            console=self.console,
            names_best=not self.opened.labels and sweep.task is None,
            metrics=self.opened.study.known_metrics,
        )

    def run(self) -> Session:
        """Run until nothing is left, stopped, or out of time."""
        self._release_dead_leases()
        if self.opened.is_resumed and self._decides:
            self._decider.retry()
        data = self.opened.data()
        if self.opened.is_resumed:
            what = "contest" if self.opened.labels else "sweep"
            n_done = sum(one.outcome not in ("running", "interrupted") for one in data.replicates)
            done = f"{plain_count(n_done, 'replicate')} {verb(n_done, 'is', 'are')} done already"
            self.console.print(f"resuming {what} {self.opened.sweep.name}: {done}")
        if self.opened.sweep.is_exhausting and not self.opened.labels:
            self.progress.say(f"conditions: {exhausted_text(self.opened.sweep)}")
        self.progress.open(data)
        with stop_on_signals(self._say_stopping) as stop:
            self.opened.recorder.give_up_when(stop)
            try:
                self._decide()
                if not self._is_over:
                    self._start(stop)
            finally:
                self.progress.close()
        if n_repeats := self.opened.queue.counts().repeats:
            self.progress.say(
                f"{plain_count(n_repeats, 'proposal')} repeated a condition: such a proposal gets the result of the "
                "condition, is not trained again and does not count"
            )
        return self._ended(stop.signal_number)

    def _start(self, stop: StopRequest) -> None:
        """Start the workers, and attend to them until they have ended."""
        opened, sweep = self.opened, self.opened.sweep
        folder = checkpoints_of(opened.home, sweep, opened.sweep_run_id)
        is_here = sweep.execution.executor == "in_process"
        with given_to_workers(opened.study, folder, is_here=is_here) as function:
            job = job_of(
                sweep,
                tracking_uri=opened.tracking_uri,
                until=self.until,
                uses_gpu=opened.study.uses_gpu,
                function=function,
                run_id=opened.sweep_run_id,
            )
            if sweep.execution.checkpoints == "artifacts":  # its run is needed for that
                check_artifacts(opened.sweep_run_id, uri=opened.tracking_uri)
                ask_first(self.executor, job, n_workers(sweep))
            try:
                with self.executor.start(job, n_workers(sweep)) as crew:
                    self._attend(crew, job.grace_seconds, stop)
            finally:
                self.meanwhile.end()

    @property
    def _decides(self) -> bool:
        return self.opened.lease.token > 0

    # ---- before ----

    def _release_dead_leases(self) -> None:
        """Trials of workers of this host that are gone can be taken over now, not when their lease ends."""
        for queue in self.opened.queues:
            for worker in queue.leases.holders():
                if not is_alive(worker):
                    queue.leases.end([worker])

    # ---- while it runs ----

    def _attend(self, crew: Crew, grace_seconds: float, stop: Callable[[], bool]) -> None:
        """Hear the workers, and decide between their trials, until nobody is left."""
        is_leaving = False
        while crew.n_alive:
            n_deaths = 0
            for event in crew.events(POLL_SECONDS):
                n_deaths += event.death is not None and not event.death.is_orderly
                self._on_event(event)
                if stop() and not is_leaving:  # at once: a worker goes on when its event has been heard
                    crew.stop(grace_seconds)
                    is_leaving = True
                if event.said.get("event") == "trial" and not self.progress.running:
                    break  # perhaps a round is over: the workers wait for what comes next
            self._tick(crew)
            if is_leaving:
                continue
            self._decide()
            if stop() or self._is_over or self._why_stopped or self._failed_starts >= MOST_FAILED_STARTS:
                crew.stop(grace_seconds)
                is_leaving = True
            elif n_deaths and not self._is_late:
                crew.refill()

    @property
    def _is_late(self) -> bool:
        return self.until is not None and time.time() >= self.until

    def _decide(self) -> None:
        """Renew or take the sweep's lease, and take the next step where nothing runs any more."""
        now, lease = time.monotonic(), self.opened.lease
        if self._decides and now - self._renewed_at > LEASE_SECONDS / 4:
            self._renewed_at = now
            if not lease.renew(LEASE_SECONDS):
                self.progress.say("another process decides for this sweep now; this process only helps")
        if self.progress.running and now - self._looked_at < DECIDE_SECONDS:
            return
        self._looked_at = now
        if not self._decides and not self._take():
            return
        try:
            step = self._decider.decide()
        except SweepLeaseLostError:
            return
        self._is_over = self._decider.is_over
        if self._is_over:
            self.meanwhile.is_over()
        elif step is not None and step.add:
            self.meanwhile.confirmation_has_begun()
        if step is not None and tags.ROUND in step.note:
            self.progress.on_round(step.note[tags.ROUND], self.opened.data())

    def _take(self) -> bool:
        """Take the lease of a sweep whose decider is gone; notice where it is over."""
        deciding = self.opened.lease.deciding_now()
        if deciding is not None and deciding.how == "over":
            self._is_over = True
            return False
        return self.opened.lease.take(LEASE_SECONDS, is_dead=lambda holder: not is_alive(holder))

    def _on_event(self, event: Event) -> None:
        worker, said = event.worker, event.said
        if event.death is not None:
            self._on_end_of_worker(worker, event.death)
            return
        self._ids[worker] = said["worker"]
        kind = said["event"]
        if kind == "start":
            self.meanwhile.training_has_begun()
            self._started_at.setdefault(worker, time.monotonic() + self._set_up_seconds())
            self.progress.on_start(worker, said)
        elif kind == "set_up":
            self._started_at[worker] = time.monotonic()
        elif kind == "end":
            self._started_at.pop(worker, None)
            self._failed_starts = 0
            self.progress.on_end(said)
            self._stop_because(self._hopeless.why(said, self.progress.ended.values()), is_mistake=said["was_trained"])
        elif kind == "trial":
            self.progress.on_trial(said)
        elif kind == "stop":
            self._stop_because(said["text"], is_mistake=True)
        elif kind == "note" and said["text"] not in self._notes:
            self._notes.add(said["text"])  # every worker has found it out
            self.progress.say(said["text"])

    def _stop_because(self, why: str, *, is_mistake: bool) -> None:
        """Stop the session, and say why; empty: go on. The first reason counts."""
        if why and not self._why_stopped:
            self._why_stopped, self._is_mistake = why, is_mistake
            self.progress.say(f"stopped: {why}")

    def _on_end_of_worker(self, worker: str, death: Death) -> None:
        lost = self.progress.on_death(worker)
        self._started_at.pop(worker, None)
        for running in lost:
            self.progress.say(f"{running.name}: {death.reason}")
        worker_id = self._ids.pop(worker, None)
        if worker_id is not None:
            for queue in self.opened.queues:  # to be taken over at once
                queue.leases.end([worker_id])
        if not death.is_orderly and not lost and not self._why_stopped:
            self._failed_starts += 1
            tail = death.last_lines.strip().splitlines()[-12:]
            self.progress.say("\n".join([f"a worker ended before any replicate: {death.reason}", *tail]))

    def _tick(self, crew: Crew) -> None:
        self.progress.tick()
        self.meanwhile.tick()
        limit = self.opened.sweep.execution.timeout_per_trial
        if limit is None:
            return
        grace = TIMEOUT_GRACE_SECONDS + grace_of_processes(self.opened.sweep)
        for worker, started in list(self._started_at.items()):
            if time.monotonic() - started > limit + grace:
                del self._started_at[worker]
                self.progress.say(f"a replicate is {grace:g} s over its time and is killed")
                for queue in self.opened.queues:  # before it dies: whoever takes over is to know why
                    queue.leases.end([self._ids[worker]], why=f"timeout after {limit:g} s")
                crew.end(worker, f"its replicate was {grace:g} s over its timeout_per_trial of {limit:g} s")

    def _set_up_seconds(self) -> float:
        """How long a replicate may set up, beside its time; a foreign process says nothing of its set-up."""
        return 0.0 if self.opened.sweep.is_foreign else SETUP_SECONDS

    def _say_stopping(self, signal_name: str) -> None:
        self.progress.say(f"{signal_name}: workers write their checkpoints and stop; send it again to stop at once")

    # ---- after ----

    def _ended(self, signal_number: int | None) -> Session:
        if self._why_stopped:
            status, exit_status = RunStatus.FAILED, 2 if self._is_mistake else 1
        elif not self._is_over and self._failed_starts >= MOST_FAILED_STARTS:
            status, exit_status = RunStatus.FAILED, 1
        elif not self._is_over and signal_number is not None:
            status, exit_status = RunStatus.KILLED, 128 + signal_number
        elif self._is_over and set(self.progress.ended.values()) == {Outcome.FAILED.value}:
            status, exit_status = RunStatus.FAILED, 1
        else:  # complete, or its time is up, as the file asked
            status, exit_status = RunStatus.FINISHED, 0
        if not self._is_over and self.opened.confirm_queue is not None and self._decides:
            ConfirmedRuns(self.opened).interrupt()
        return Session(
            exit_status=exit_status,
            status=status,
            is_complete=self._is_over,
            decided=self._decides,
            left="" if self._is_over or self._why_stopped else self._left(),
            why=self._why_stopped,
        )

    def _left(self) -> str:
        """What a session that ended early leaves undone."""
        opened = self.opened
        n_left = opened.sweep.n_trials - opened.queue.counts().finished
        if n_left > 0:
            return f"{plain_count(n_left, 'condition')} {verb(n_left, 'is', 'are')} left"
        races = (condition.race for condition in opened.data().conditions)
        if opened.sweep.replicates.racing is not None and any(race in ("", "racing") for race in races):
            return "the race is not over"
        return "the confirmation is not finished"

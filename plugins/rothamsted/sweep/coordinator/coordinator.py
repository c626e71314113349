"""The coordinator: start or resume a sweep, keep local workers going, and write its results down.

Apart from the worker because exactly one process does this, while workers may be many and anywhere.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from rothamsted import tags, tracking
from rothamsted.executors import Death, LocalExecutor
from rothamsted.executors.local import GRACE_SECONDS, worker_environment
from rothamsted.records import RunStatus
from rothamsted.search import Queue
from rothamsted.spec import Sweep, plan
from rothamsted.study import Study, stop_on_signals
from rothamsted.sweep import confirm
from rothamsted.sweep.advance import Conductor
from rothamsted.sweep.attempts import to_try_again
from rothamsted.sweep.coordinator.progress import Progress
from rothamsted.sweep.duel_record import print_duel, write_duel
from rothamsted.sweep.finish import print_found, read_found, write_found
from rothamsted.sweep.foreign_study import ForeignStudy
from rothamsted.sweep.open.start import start_sweep
from rothamsted.sweep.opened import SweepContext, n_workers
from rothamsted.sweep.results import read_results
from rothamsted.sweep.stage import LaterStage
from rothamsted.sweep.trial_record import now_ms
from rothamsted.sweep.worker.work import is_alive, new_worker_id

TIMEOUT_GRACE_SECONDS = 30.0  # after timeout_per_trial, for training that never reaches a measurement
MOST_FAILED_STARTS = 3  # workers in a row that die before they run anything: something is broken for all
RACE_SECONDS = 1.0  # between two looks at which round a race is in
INTERRUPTED = 130  # exit status, as a shell gives it for Ctrl-C


@dataclass(kw_only=True)
class Coordinator:
    """One sitting of one sweep."""

    context: SweepContext
    is_resumed: bool
    question: str  # the sweep file's opening comment
    console: Console
    until: float | None = None  # unix seconds; None: for as long as the file says
    progress: Progress = field(init=False)
    _workers: dict[int, str] = field(default_factory=dict)  # pid -> worker id
    _started_at: dict[int, float] = field(default_factory=dict)  # pid -> when its replicate started
    _failed_starts: int = 0  # workers in a row that died without running anything
    _overdue: set[int] = field(default_factory=set)

    _notes: set[str] = field(default_factory=set)
    _confirmation: SweepContext | None = None
    _looked_at_race: float = 0.0

    def __post_init__(self) -> None:
        sweep, size = self.context.sweep, plan(self.context.sweep, n_preview=0)
        self._conductor = Conductor(search=self.context, holder=new_worker_id())
        self._confirmation = self._conductor.confirmation if sweep.confirm is not None else None
        self.progress = Progress(
            n_search=size.n_trainings,
            n_confirm=size.n_confirm_trainings,
            n_replicates=size.n_replicates,
            direction=sweep.objective.direction,
            level=sweep.statistics.level,
            console=self.console,
            names_best=self.context.phase != "duel",
        )

    def run(self) -> int:
        """Run until nothing is left, stopped, or out of time; returns the exit status."""
        for queue in self._queues():
            self._release_dead_leases(queue)
            self._requeue_failed(queue)
        if self._confirmation is not None:
            confirm.end_runs(self._confirmation, None)
        results = read_results(self.context.queue)
        confirmed = read_results(self._confirmation.queue) if self._confirmation is not None else []
        if self.is_resumed:
            what = "duel" if self.context.phase == "duel" else "sweep"
            n_done = sum(len(r.replicates) for r in (*results, *confirmed))
            self.console.print(f"resuming {what} {self.context.sweep.name}: {n_done} replicates are done already")
        limit = self.context.sweep.timeout
        until = time.time() + limit if limit and self.until is None else self.until
        self.progress.open(results, confirmed)
        self._look_at_race()
        with stop_on_signals(self._say_stopping) as stop:
            try:
                if self._has_work():
                    self._executor(until).run(stop)
            finally:
                self.progress.close()
        return self._finish(is_stopped=stop())

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return self._conductor.is_over()

    # ---- before ----

    def _queues(self) -> list[Queue]:
        return [self.context.queue] + ([self._confirmation.queue] if self._confirmation is not None else [])

    def _release_dead_leases(self, queue: Queue) -> None:
        """Trials of workers of this host that are gone can be taken over now, not when their lease ends."""
        dead = [worker for worker in queue.leases.holders() if not is_alive(worker)]
        if dead:
            queue.leases.end(dead)
        holder = queue.rounds.turn_holder()
        if holder is not None and not is_alive(holder):
            queue.rounds.end_turn(holder)

    def _requeue_failed(self, queue: Queue) -> None:
        """Failed replicates are tried again as often as the file says, and those that crashed; when a sweep goes on."""
        retries = self.context.sweep.execution.retries
        again = {trial.number: to_try_again(trial.user_attrs, retries=retries) for trial in queue.finished_trials()}
        queue.requeue({number: changes for number, changes in again.items() if changes is not None})

    # ---- while it runs ----

    def _executor(self, until: float | None) -> LocalExecutor:
        sweep = self.context.sweep
        # -P: a file in a stranger's folder does not stand in for a module of the engine.
        python = [sys.executable, *(["-P"] if sweep.project is not None else [])]
        command = [*python, "-m", "rothamsted", "worker", "--sweep", sweep.name]
        command += ["--storage", sweep.storage, "--events", "true", "--parent", str(os.getpid())]
        if until is not None:
            command += ["--until", repr(until)]
        workers = n_workers(sweep)
        extra = {"MLFLOW_TRACKING_URI": self.context.tracking_uri}
        return LocalExecutor(
            command=command,
            environment=worker_environment(workers, extra),
            n_workers=workers,
            on_event=self._on_event,
            on_death=self._on_death,
            grace_seconds=GRACE_SECONDS + self._grace_of_processes,
            has_work=lambda: self._has_work() and (until is None or time.time() < until),
            on_tick=self._on_tick,
        )

    @property
    def _grace_of_processes(self) -> float:
        """What a worker itself waits for a foreign process to end."""
        sweep = self.context.sweep
        return sweep.execution.grace_seconds if sweep.project is not None else 0.0

    def _has_work(self) -> bool:
        if self._failed_starts >= MOST_FAILED_STARTS:
            return False
        return not self._conductor.is_over()

    def _on_event(self, pid: int, event: Mapping[str, Any]) -> None:
        self._workers[pid] = event["worker"]
        if event["event"] == "start":
            self._started_at[pid] = time.monotonic()
            self.progress.on_start(pid, event)
        elif event["event"] == "end":
            self._started_at.pop(pid, None)
            self._failed_starts = 0
            self.progress.on_end(event)
        elif event["event"] == "trial":
            self.progress.on_trial(event)
        elif event["event"] == "note" and event["text"] not in self._notes:
            self._notes.add(event["text"])  # every worker has found it out
            self.progress.say(event["text"])

    def _on_death(self, death: Death) -> None:
        lost = self.progress.on_death(death.pid)
        self._started_at.pop(death.pid, None)
        reason = "it was over its time" if death.pid in self._overdue else death.reason
        for running in lost:
            self.progress.say(f"{running.name}: {reason}")
        if worker := self._workers.pop(death.pid, None):
            for queue in self._queues():
                queue.leases.end([worker])
                queue.rounds.end_turn(worker)
        if not lost:
            self._failed_starts += 1
            tail = death.last_lines.strip().splitlines()[-12:]
            self.progress.say("\n".join([f"a worker ended before any replicate: {death.reason}", *tail]))

    def _on_tick(self) -> None:
        if time.monotonic() - self._looked_at_race > RACE_SECONDS:
            self._look_at_race()
        self.progress.tick()
        limit = self.context.sweep.execution.timeout_per_trial
        if limit is None:
            return
        grace = TIMEOUT_GRACE_SECONDS + self._grace_of_processes
        for pid, started in self._started_at.items():
            if time.monotonic() - started > limit + grace and pid not in self._overdue:
                self._overdue.add(pid)
                for queue in self._queues():
                    queue.leases.end([self._workers[pid]], why=f"timeout after {limit:g} s")
                self.progress.say(f"a replicate is {grace:g} s over its time and is killed")
                os.kill(pid, signal.SIGKILL)

    def _look_at_race(self) -> None:
        """Tell the progress of a new round, whichever worker has begun it."""
        self._looked_at_race = time.monotonic()
        if self.context.sweep.replicates.racing is None:
            return
        race = self.context.queue.attribute(tags.ROUND)
        if race is not None and race != self.progress.race:
            self.progress.on_round(race, read_results(self.context.queue))

    def _say_stopping(self, signal_name: str) -> None:
        self.progress.say(f"{signal_name}: workers write their checkpoints and stop; once more to stop at once")

    # ---- after ----

    def _finish(self, *, is_stopped: bool) -> int:
        context, is_complete = self.context, self.is_complete
        if not is_complete and self._failed_starts >= MOST_FAILED_STARTS:
            status, exit_status = RunStatus.FAILED, 1
        elif not is_complete and is_stopped:
            status, exit_status = RunStatus.KILLED, INTERRUPTED
        else:  # complete, or its time is up, as the file asked
            status, exit_status = RunStatus.FINISHED, 0
        found = read_found(context, self._confirmation)
        if context.phase == "duel":
            write_duel(found, context)
        else:
            write_found(found, context, self._confirmation, question=self.question)
        if self._confirmation is not None and not is_complete:
            confirm.end_runs(self._confirmation, RunStatus.KILLED)
        self._end_runs(status)
        left = "" if is_complete else self._left()
        (print_duel if context.phase == "duel" else print_found)(found, context, console=self.console, left=left)
        return exit_status

    def _left(self) -> str:
        """What a sitting that ended early leaves undone."""
        n_left = self.context.sweep.n_trials - self.context.queue.counts().finished
        if n_left > 0:
            return f"{n_left} conditions are left"
        if self.context.sweep.replicates.racing is not None and not self._conductor.is_search_over():
            return "the race is not over"
        return "the confirmation is not finished"

    def _end_runs(self, status: RunStatus) -> None:
        recorder, run_id = self.context.recorder, self.context.sweep_run_id
        if tracking.current_run_id() != run_id:  # MLflow itself ends its outer run
            recorder.end_run(run_id, status, now_ms())
        recorder.flush()


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """How one sitting of a sweep ended."""

    context: SweepContext
    exit_status: int
    is_complete: bool  # nothing is left to do


def run_sweep(
    sweep: Sweep,
    study: Study | ForeignStudy,
    *,
    root: Path,
    source: str,
    question: str,
    console: Console,
    stage: LaterStage | None = None,
    until: float | None = None,
) -> Sitting:
    """Start a sweep, its first stage or a later one, or go on with it, until it is finished or stopped.

    `until`, in unix seconds, takes the place of the file's timeout; the rest is as in `start_sweep`.
    """
    started = start_sweep(sweep, study, root=root, source=source, stage=stage)
    coordinator = Coordinator(
        context=started.context, is_resumed=started.is_resumed, question=question, console=console, until=until
    )
    try:
        status = coordinator.run()
        return Sitting(context=started.context, exit_status=status, is_complete=coordinator.is_complete)
    finally:
        started.context.recorder.close()

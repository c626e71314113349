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

from rothamsted import tracking
from rothamsted.executors import Death, LocalExecutor
from rothamsted.executors.local import worker_environment
from rothamsted.records import MetricPoint, Outcome, RunStatus
from rothamsted.search import dashboard_command
from rothamsted.spec import Sweep
from rothamsted.study import Study, stop_on_signals
from rothamsted.sweep import results as res
from rothamsted.sweep import tags
from rothamsted.sweep.context import SweepContext, n_workers
from rothamsted.sweep.progress import Progress, best_table
from rothamsted.sweep.start import start_sweep
from rothamsted.sweep.trial import now_ms
from rothamsted.sweep.worker import is_alive

TIMEOUT_GRACE_SECONDS = 30.0  # after timeout_per_trial, for training that never reaches a measurement
MOST_FAILED_STARTS = 3  # workers in a row that die before they run anything: something is broken for all
INTERRUPTED = 130  # exit status, as a shell gives it for Ctrl-C


@dataclass(kw_only=True)
class Coordinator:
    """One sitting of one sweep."""

    context: SweepContext
    is_resumed: bool
    question: str  # the sweep file's opening comment
    console: Console
    progress: Progress = field(init=False)
    _workers: dict[int, str] = field(default_factory=dict)  # pid -> worker id
    _started_at: dict[int, float] = field(default_factory=dict)  # pid -> when its replicate started
    _failed_starts: int = 0  # workers in a row that died without running anything
    _overdue: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        sweep = self.context.sweep
        self.progress = Progress(
            n_replicates=sweep.n_trials * len(sweep.replicates.values),
            direction=sweep.objective.direction,
            level=sweep.statistics.level,
            console=self.console,
        )

    def run(self) -> int:
        """Run until nothing is left, stopped, or out of time; returns the exit status."""
        self._release_dead_leases()
        self._requeue_failed()
        results = res.read_results(self.context.queue)
        if self.is_resumed:
            n_done = sum(len(r.replicates) for r in results)
            self.console.print(f"resuming sweep {self.context.sweep.name}: {n_done} replicates are done already")
        until = time.time() + self.context.sweep.timeout if self.context.sweep.timeout else None
        self.progress.open(results)
        with stop_on_signals(self._say_stopping) as stop:
            try:
                if self._has_work():
                    self._executor(until).run(stop)
            finally:
                self.progress.close()
        return self._finish(is_stopped=stop())

    # ---- before ----

    def _release_dead_leases(self) -> None:
        """Trials of workers of this host that are gone can be taken over now, not when their lease ends."""
        dead = [worker for worker in self.context.queue.claims.holders() if not is_alive(worker)]
        if dead:
            self.context.queue.claims.expire(dead)

    def _requeue_failed(self) -> None:
        """Failed replicates are tried again as often as the file says, also when a sweep goes on."""
        limit = 1 + self.context.sweep.execution.retries
        again = [
            trial.number
            for trial in self.context.queue.finished_trials()
            if trial.user_attrs.get(tags.RESULT, {}).get("outcomes", {}).get(Outcome.FAILED.value)
            and trial.user_attrs.get(tags.ATTEMPTS, 1) < limit
        ]
        self.context.queue.requeue(again)

    # ---- while it runs ----

    def _executor(self, until: float | None) -> LocalExecutor:
        sweep = self.context.sweep
        command = [sys.executable, "-m", "rothamsted", "worker", "--sweep", sweep.name]
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
            has_work=lambda: self._has_work() and (until is None or time.time() < until),
            on_tick=self._on_tick,
        )

    def _has_work(self) -> bool:
        if self._failed_starts >= MOST_FAILED_STARTS:
            return False
        return self.context.queue.counts().finished < self.context.sweep.n_trials

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

    def _on_death(self, death: Death) -> None:
        lost = self.progress.on_death(death.pid)
        self._started_at.pop(death.pid, None)
        for trial, replicate in lost:
            self.context.queue.count_crash(trial, replicate)
            self.progress.say(f"trial {trial} replicate {replicate}: {death.reason}")
        if worker := self._workers.pop(death.pid, None):
            self.context.queue.claims.expire([worker])
        if not lost:
            self._failed_starts += 1
            tail = death.last_lines.strip().splitlines()[-12:]
            self.progress.say("\n".join([f"a worker ended before any replicate: {death.reason}", *tail]))

    def _on_tick(self) -> None:
        self.progress.tick()
        limit = self.context.sweep.execution.timeout_per_trial
        if limit is None:
            return
        for pid, started in self._started_at.items():
            if time.monotonic() - started > limit + TIMEOUT_GRACE_SECONDS and pid not in self._overdue:
                self._overdue.add(pid)
                self.progress.say(f"a replicate is {TIMEOUT_GRACE_SECONDS:g} s over its time and is killed")
                os.kill(pid, signal.SIGKILL)

    def _say_stopping(self, signal_name: str) -> None:
        self.progress.say(f"{signal_name}: workers write their checkpoints and stop; once more to stop at once")

    # ---- after ----

    def _finish(self, *, is_stopped: bool) -> int:
        counts = self.context.queue.counts()
        is_complete = counts.finished >= self.context.sweep.n_trials
        results = res.read_results(self.context.queue)
        self._write_results(results)
        self._write_best(results)
        if not is_complete and self._failed_starts >= MOST_FAILED_STARTS:
            status, exit_status = RunStatus.FAILED, 1
        elif not is_complete and is_stopped:
            status, exit_status = RunStatus.KILLED, INTERRUPTED
        else:  # complete, or its time is up, as the file asked
            status, exit_status = RunStatus.FINISHED, 0
        self._end_runs(status)
        self._print_end(results, is_complete=is_complete)
        return exit_status

    def _write_results(self, results: list[res.ConditionResult]) -> None:
        sweep, run_id, recorder = self.context.sweep, self.context.sweep_run_id, self.context.recorder
        names = list(sweep.search_space.domains)
        recorder.log_text(run_id, res.conditions_csv(results, names), "statistics/conditions.csv")
        recorder.log_text(run_id, res.replicates_csv(results, names), "statistics/replicates.csv")
        text = res.description(
            results,
            name=sweep.name,
            question=self.question,
            metric=sweep.objective.metric,
            direction=sweep.objective.direction,
            level=sweep.statistics.level,
            n_trials=sweep.n_trials,
        )
        recorder.set_description(run_id, text)
        self.context.queue.describe(metric=sweep.objective.metric, note=text)

    def _write_best(self, results: list[res.ConditionResult]) -> None:
        """The best condition as tags and metrics of the sweep run; named as what it is, a search estimate."""
        best = next(iter(res.ranked(results, self.context.sweep.objective.direction)), None)
        counts = res.outcome_counts(results)
        points = [
            MetricPoint(f"replicates/{outcome}", float(n), now_ms(), len(results)) for outcome, n in counts.items()
        ]
        run_tags: dict[str, str] = {}
        if best is not None:
            points += [
                MetricPoint(f"best_in_search/{key}", float(value), now_ms(), len(results))
                for key, value in best.summary.items()
                if value is not None
            ]
            run_tags = {
                "rothamsted.best_trial": str(best.number),
                "rothamsted.best_run": best.run_id,
                "rothamsted.best_condition": ", ".join(f"{k}={v}" for k, v in best.condition.items())[:5000],
            }
        self.context.recorder.log(self.context.sweep_run_id, metrics=points, tags=run_tags)

    def _end_runs(self, status: RunStatus) -> None:
        recorder, run_id = self.context.recorder, self.context.sweep_run_id
        if tracking.current_run_id() != run_id:  # MLflow itself ends its outer run
            recorder.end_run(run_id, status, now_ms())
        recorder.flush()

    def _print_end(self, results: list[res.ConditionResult], *, is_complete: bool) -> None:
        sweep = self.context.sweep
        if res.ranked(results, sweep.objective.direction):
            self.console.print(
                best_table(
                    results,
                    metric=sweep.objective.metric,
                    direction=sweep.objective.direction,
                    level=sweep.statistics.level,
                )
            )
        else:
            self.console.print("no condition has a score")
        if not is_complete:
            n_left = sweep.n_trials - self.context.queue.counts().finished
            self.console.print(f"{n_left} conditions are left: give the same command again to go on")
        link = tracking.run_path(self.context.experiment_id, self.context.sweep_run_id)
        self.console.print("see this sweep in MLflow and in optuna-dashboard:", soft_wrap=True)
        ui = tracking.ui_command(self.context.tracking_uri)
        self.console.print(f"  {ui}    # then /{link.lstrip('/')}", soft_wrap=True, markup=False)
        dashboard = dashboard_command(sweep.storage)
        self.console.print(f"  {dashboard}    # study {sweep.name}", soft_wrap=True, markup=False)


def run_sweep(sweep: Sweep, study: Study, *, root: Path, source: str, question: str, console: Console) -> int:
    """Start a sweep or go on with it, until it is finished or stopped; returns the exit status."""
    started = start_sweep(sweep, study, root=root, source=source)
    coordinator = Coordinator(
        context=started.context, is_resumed=started.is_resumed, question=question, console=console
    )
    try:
        return coordinator.run()
    finally:
        started.context.recorder.close()

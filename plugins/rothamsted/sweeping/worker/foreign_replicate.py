"""Run one replicate of a foreign project, from the start of its process to its end.

Its run is read while it logs, so it is judged like one of our studies without a change to its code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from rothamsted.analysis.objectives import not_finite
from rothamsted.errors import StoreError, UserError
from rothamsted.foreign.left_behind import THREE_WAYS, LeftBehind
from rothamsted.foreign.process import Exit, Running, watch
from rothamsted.foreign.report_lines import ReportError
from rothamsted.recordable import metric_fault
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, Stopped
from rothamsted.sweeping.foreign_study import Starter
from rothamsted.sweeping.histories import as_history, with_artifacts
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.run_points import metric_points
from rothamsted.sweeping.scores import scored, scores_of, sources_of
from rothamsted.sweeping.trial_summary import as_params, now_ms
from rothamsted.sweeping.worker.population_judge import PopulationJudge
from rothamsted.sweeping.worker.trial_runs import ReplicateRun
from rothamsted.tracking import find_run, read_history
from rothamsted.tracking.failures import StoreAwayError
from rothamsted.tracking.projects.command import run_variables
from rothamsted.tracking.retrying import AT_ONCE

LOOK_SECONDS = 0.5  # between two looks at what the process has logged
SCRATCH = Path(".rothamsted", "output")  # a folder a process


@dataclass(kw_only=True)
class ForeignReplicate:
    """Runs one process with its MLflow run."""

    context: Opened
    replicate: ReplicateRun
    population_judge: PopulationJudge  # of this replicate alone
    starter: Starter
    should_stop: Callable[[], bool]
    _judged: int | None = None  # the last step that was judged
    _stopped: Stopped | None = None

    def run(self) -> Ending:
        """Run until the process ends, is stopped, or is judged."""
        context, run_id = self.context, self.replicate.run_id
        context.recorder.flush()  # the process has to find its run
        left = LeftBehind(
            run_id=run_id,
            uri=context.tracking_uri,
            recorder=context.recorder,
            folder=(context.home / SCRATCH / run_id).resolve(),
            now_ms=now_ms,
        )
        variables = run_variables(run_id, context.experiment_id, context.tracking_uri) | left.variables
        try:
            running = self.starter.start(self.replicate.config, variables, left.log_path, left.folder)
        except UserError as error:
            left.remove()
            return Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason=str(error), is_user_error=True)
        try:
            return self._watched(running, left)
        finally:
            left.remove()

    def _watched(self, running: Running, left: LeftBehind) -> Ending:
        execution = self.context.sweep.execution
        bad_line = ""

        def look() -> bool:
            nonlocal bad_line
            try:
                left.follow()
            except ReportError as error:
                bad_line = str(error)
            return bool(bad_line) or self._look()

        ended = watch(
            running,
            time_limit=execution.timeout_per_trial,
            memory_limit=execution.memory_limit,
            should_stop=self.should_stop,
            on_tick=look,
            poll_seconds=LOOK_SECONDS,
            grace_seconds=execution.grace_seconds,
        )
        try:
            left.follow(is_over=not ended.reason)
        except ReportError as error:
            bad_line = bad_line or str(error)
        try:
            return self._written_down(ended, left, bad_line)
        except StoreError:
            if ended.reason != "stopped":
                raise
            return self._ending(ended, (), "")  # nobody waits for a store that is away: it starts anew in any case

    def _written_down(self, ended: Exit, left: LeftBehind, bad_line: str) -> Ending:
        """How it ended, once its run has all that it left."""
        left.keep_files()
        sweep = self.context.sweep
        wanted = sources_of([objective.metric for objective in sweep.objectives], sweep)
        try:
            logged = left.history(wanted, ended.tail if ended.code == 0 and not ended.reason else "")
        except ReportError as error:
            bad_line, logged = bad_line or str(error), left.history(wanted, "")
        bad_line = bad_line or next(filter(None, (metric_fault(point.key) for point in logged)), "")
        failure = "" if ended.reason == "stopped" else bad_line or left.own_failure(ended)
        ending = self._ending(ended, as_history(logged), failure)
        self._write_down(ending, frozenset((point.key, point.step) for point in logged))
        return ending

    # ---- while it runs ----

    def _look(self) -> bool:
        """Judge what has been logged since the last look; whether the process is to end."""
        wanted = self._wanted()
        if not wanted:
            return False
        sweep, run_id = self.context.sweep, self.replicate.run_id
        try:
            found = read_history([run_id], sources_of(wanted, sweep), uri=self.context.tracking_uri, patience=AT_ONCE)
        except StoreError as error:
            if isinstance(error.__cause__, StoreAwayError):
                return False  # the limits of the process are watched meanwhile; the next look judges all
            raise
        points = found[run_id]
        history = [scored(measured, sweep) for measured in as_history(points)]
        for measured in history:
            names = wanted & measured.metrics.keys()
            is_whole = names == wanted or measured is not history[-1]  # of the last step more may be on its way
            if not names or not is_whole or (self._judged is not None and measured.step <= self._judged):
                continue
            self._judged = measured.step
            self.population_judge.heard(0, measured)
            self._stopped = self.population_judge.judge([0]).get(0)
            if self._stopped is not None:
                return True
        return False

    def _wanted(self) -> set[str]:
        """The metrics that can end this replicate."""
        sweep = self.context.sweep
        pruned_by = {sweep.objective.metric} if self.population_judge.members[0][0].judge.over == "steps" else set()
        return pruned_by | ({sweep.stopping[0]} if sweep.stopping is not None else set())

    # ---- after it ----

    def _ending(self, ended: Exit, history: tuple[Measured, ...], failure: str) -> Ending:
        if (
            not failure
            and ended.reason == "pruned"
            and self._stopped is not None
            and self._stopped.outcome is Outcome.PRUNED
        ):
            return self._made(Outcome.PRUNED, history, ended, self._stopped.reason)
        if ended.reason == "stopped":
            return self._made(
                Outcome.INTERRUPTED, history, ended, ("stopped; it starts from its beginning when the sweep goes on")
            )
        if ended.reason == "timeout":
            failure = f"timeout after {self.context.sweep.execution.timeout_per_trial:g} s"
        if failure := failure or ended.failure():
            return replace(self._made(Outcome.FAILED, history, ended, failure), traceback=ended.tail)
        try:
            history = with_artifacts(
                history,
                self.context.sweep,
                self.replicate.run_id,
                uri=self.context.tracking_uri,
                timestamp_ms=now_ms(),
            )
            if not history:
                metrics = " and ".join(repr(objective.metric) for objective in self.context.sweep.objectives)
                return self._made(Outcome.FAILED, history, ended, f"metric {metrics} was never logged; {THREE_WAYS}")
            scores = scores_of([scored(m, self.context.sweep) for m in history], self.context.sweep)
        except UserError as error:
            return self._made(Outcome.FAILED, history, ended, str(error))
        if reason := not_finite(scores, [objective.metric for objective in self.context.sweep.objectives]):
            return self._made(Outcome.DIVERGED, history, ended, reason)
        early = self._stopped.reason if self._stopped is not None and ended.reason == "pruned" else ""
        return self._made(Outcome.FINISHED, history, ended, early)

    def _made(self, outcome: Outcome, history: tuple[Measured, ...], ended: Exit, reason: str) -> Ending:
        return Ending(outcome=outcome, history=history, seconds=ended.seconds, reason=reason)

    def _write_down(self, ending: Ending, logged: Collection[tuple[str, int]]) -> None:
        """Composite metrics, and the parameters that the program has not logged itself."""
        recorder, run_id = self.context.recorder, self.replicate.run_id
        points: list[MetricPoint] = []
        for measured in ending.history:
            points += metric_points(scored(measured, self.context.sweep))
        found = find_run(run_id, uri=self.context.tracking_uri, patience=recorder.patience)
        known = found.params if found is not None else {}
        params = {key: value for key, value in as_params(self.replicate.config).items() if key not in known}
        recorder.log(run_id, metrics=[p for p in points if (p.key, p.step) not in logged], params=params)
        recorder.flush()

"""One replicate of a foreign project, from the start of its process to its ending.

Apart from starting it: here its run is watched while it logs, so that it is judged like a study of ours without a
change to its code, and what it left is read when it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rothamsted.errors import UserError
from rothamsted.foreign.process import Exit, watch
from rothamsted.foreign.results import read_objective_artifact
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, Stopped
from rothamsted.sweep import aggregate
from rothamsted.sweep.context import SweepContext
from rothamsted.sweep.foreign import Starter
from rothamsted.sweep.jury import Jury
from rothamsted.sweep.restore import as_history
from rothamsted.sweep.scores import scored, scores_of
from rothamsted.sweep.trial import Replicate, as_params, now_ms
from rothamsted.tracking import find_run, read_history
from rothamsted.tracking.projects import run_variables

LOOK_SECONDS = 0.5  # between two looks at what the process has logged
OUTPUT = "output.txt"  # artifact: standard output and standard error of the process
LOGS = Path(".rothamsted", "output")


@dataclass(kw_only=True)
class ForeignReplicate:
    """One process and its run."""

    context: SweepContext
    replicate: Replicate
    jury: Jury  # of this replicate alone
    starter: Starter
    should_stop: Callable[[], bool]
    _judged: int = -1  # the last step that was judged
    _stopped: Stopped | None = None

    def run(self) -> Ending:
        """Run to the end, whichever comes first."""
        context, run_id = self.context, self.replicate.run_id
        context.recorder.flush()  # the process has to find its run
        log_path = context.root / LOGS / f"{run_id}.txt"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        variables = run_variables(run_id, context.experiment_id, context.tracking_uri)
        execution = context.sweep.execution
        try:
            running = self.starter.start(self.replicate.config, variables, log_path)
        except UserError as error:
            return Ending(outcome=Outcome.FAILED, history=(), seconds=0.0, reason=str(error), is_user_error=True)
        ended = watch(
            running,
            time_limit=execution.timeout_per_trial,
            memory_limit=execution.memory_limit,
            should_stop=self.should_stop,
            on_tick=self._look,
            poll_seconds=LOOK_SECONDS,
            grace_seconds=execution.grace_seconds,
        )
        ending = self._ending(ended)
        self._write_down(ending, log_path)
        return ending

    # ---- while it runs ----

    def _look(self) -> bool:
        """Judge what has been logged since the last look; whether the process is to end."""
        sweep = self.context.sweep
        if sweep.early_stopping is None and sweep.pruner is None:
            return False
        for measured in self._history():
            if measured.step > self._judged and sweep.objective.metric in scored(measured, sweep).metrics:
                self._judged = measured.step
                self.jury.heard(0, measured)
                self._stopped = self.jury.judge([0]).get(0)
                if self._stopped is not None:
                    return True
        return False

    def _history(self) -> tuple[Measured, ...]:
        run_id = self.replicate.run_id
        return as_history(read_history([run_id], uri=self.context.tracking_uri)[run_id])

    # ---- after it ----

    def _ending(self, ended: Exit) -> Ending:
        history = self._history()
        if ended.reason == "pruned" and self._stopped is not None:
            return self._made(self._stopped.outcome, history, ended, self._stopped.reason)
        if ended.reason == "stopped":
            return self._made(Outcome.INTERRUPTED, history, ended, "stopped; it starts anew when the sweep goes on")
        if ended.reason or ended.code != 0:
            return replace(self._made(Outcome.FAILED, history, ended, self._failure(ended)), traceback=ended.tail)
        try:
            history = self._with_artifacts(history)
            scores = scores_of([scored(m, self.context.sweep) for m in history], self.context.sweep)
        except UserError as error:
            return self._made(Outcome.FAILED, history, ended, str(error))
        is_finite = all(math.isfinite(score) for score in scores)
        outcome = Outcome.FINISHED if is_finite else Outcome.DIVERGED
        return self._made(outcome, history, ended, "" if is_finite else "its objective is not finite")

    def _failure(self, ended: Exit) -> str:
        execution = self.context.sweep.execution
        if ended.reason == "timeout":
            return f"timeout after {execution.timeout_per_trial:g} s"
        if ended.reason == "memory":
            return f"took {ended.peak_memory_bytes / 1e6:.0f} MB, more than the memory_limit of its sweep"
        how = f"exit status {ended.code}" if ended.code >= 0 else f"killed by signal {-ended.code}"
        last = next((line.strip() for line in reversed(ended.tail.splitlines()) if line.strip()), "")
        return f"its process ended with {how}" + (f": {last[:300]}" if last else "")

    def _with_artifacts(self, history: Sequence[Measured]) -> tuple[Measured, ...]:
        """The history with the objectives that stand in a file, as a last measurement of their own."""
        wanted = [o for o in self.context.sweep.objectives if o.artifact is not None]
        if not wanted:
            return tuple(history)
        run_id, uri = self.replicate.run_id, self.context.tracking_uri
        found = {o.metric: read_objective_artifact(run_id, o.artifact or "", o.metric, uri=uri) for o in wanted}
        step = history[-1].step if history else 0
        if history:
            return (*history[:-1], replace(history[-1], metrics={**history[-1].metrics, **found}))
        return (Measured(step=step, epoch=None, seconds=0.0, metrics=found, timestamp_ms=now_ms()),)

    def _made(self, outcome: Outcome, history: Sequence[Measured], ended: Exit, reason: str) -> Ending:
        return Ending(outcome=outcome, history=tuple(history), seconds=ended.seconds, reason=reason)

    def _write_down(self, ending: Ending, log_path: Path) -> None:
        """Composite metrics, the parameters that the project has not logged itself, and its output."""
        recorder, run_id = self.context.recorder, self.replicate.run_id
        there = {(point.key, point.step) for point in read_history([run_id], uri=self.context.tracking_uri)[run_id]}
        points: list[MetricPoint] = []
        for measured in ending.history:
            points += aggregate.metric_points(scored(measured, self.context.sweep))
        found = find_run(run_id, uri=self.context.tracking_uri)
        known = found.params if found is not None else {}
        params = {key: value for key, value in as_params(self.replicate.config).items() if key not in known}
        recorder.log(run_id, metrics=[p for p in points if (p.key, p.step) not in there], params=params)
        recorder.flush()
        if log_path.exists():
            if log_path.stat().st_size:
                recorder.log_text(run_id, log_path.read_text(encoding="utf-8", errors="replace"), OUTPUT)
            log_path.unlink()

"""One replicate of a foreign project, from the start of its process to its ending.

Apart from starting it: here its run is watched while it logs, so that it is judged like a study of ours without a
change to its code, and what it left is read when it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from rothamsted.analysis.objectives import not_finite
from rothamsted.errors import UserError
from rothamsted.expression import Expression
from rothamsted.foreign.process import Exit, watch
from rothamsted.foreign.results import read_objective_artifact
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, Stopped
from rothamsted.sweeping import trial_summary as aggregate
from rothamsted.sweeping.foreign_study import Starter
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.scores import scored, scores_of
from rothamsted.sweeping.told_replicates import as_history
from rothamsted.sweeping.trial_summary import as_params, now_ms
from rothamsted.sweeping.worker.population_judge import PopulationJudge
from rothamsted.sweeping.worker.trial import ReplicateRun
from rothamsted.tracking import find_run, read_history

LOOK_SECONDS = 0.5  # between two looks at what the process has logged
OUTPUT = "output.txt"  # artifact: standard output and standard error of the process
LOGS = Path(".rothamsted", "output")


@dataclass(kw_only=True)
class ForeignReplicate:
    """One process and its run."""

    context: Opened
    replicate: ReplicateRun
    population_judge: PopulationJudge  # of this replicate alone
    starter: Starter
    should_stop: Callable[[], bool]
    _judged: int | None = None  # the last step that was judged
    _stopped: Stopped | None = None

    def run(self) -> Ending:
        """Run to the end, whichever comes first."""
        context, run_id = self.context, self.replicate.run_id
        context.recorder.flush()  # the process has to find its run
        log_path = context.root / LOGS / f"{run_id}.txt"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        from rothamsted.tracking.projects.project import run_variables  # imports MLflow

        variables = run_variables(run_id, context.experiment_id, context.tracking_uri)
        execution = context.sweep.execution
        try:
            running = self.starter.start(self.replicate.config, variables, log_path)
        except UserError as error:
            log_path.unlink(missing_ok=True)
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
        logged = read_history([run_id], uri=context.tracking_uri)[run_id]
        ending = self._ending(ended, as_history(logged))
        self._write_down(ending, frozenset((point.key, point.step) for point in logged), log_path)
        return ending

    # ---- while it runs ----

    def _look(self) -> bool:
        """Judge what has been logged since the last look; whether the process is to end."""
        wanted = self._wanted()
        if not wanted:
            return False
        sweep, run_id = self.context.sweep, self.replicate.run_id
        points = read_history([run_id], self._sources(wanted), uri=self.context.tracking_uri)[run_id]
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

    def _sources(self, wanted: Collection[str]) -> set[str]:
        """Metrics with those that composite ones are made of: all that a look has to read."""
        made = {o.metric: o.expression for o in self.context.sweep.objectives if o.expression is not None}
        return {*wanted}.union(*(Expression(made[name]).names for name in wanted if name in made))

    # ---- after it ----

    def _ending(self, ended: Exit, history: tuple[Measured, ...]) -> Ending:
        if ended.reason == "pruned" and self._stopped is not None and self._stopped.outcome is Outcome.PRUNED:
            return self._made(Outcome.PRUNED, history, ended, self._stopped.reason)
        if ended.reason == "stopped":
            return self._made(Outcome.INTERRUPTED, history, ended, "stopped; it starts anew when the sweep goes on")
        if ended.reason != "pruned" and (ended.reason or ended.code != 0):
            return replace(self._made(Outcome.FAILED, history, ended, self._failure(ended)), traceback=ended.tail)
        try:
            history = self._with_artifacts(history)
            scores = scores_of([scored(m, self.context.sweep) for m in history], self.context.sweep)
        except UserError as error:
            return self._made(Outcome.FAILED, history, ended, str(error))
        if reason := not_finite(scores, [objective.metric for objective in self.context.sweep.objectives]):
            return self._made(Outcome.DIVERGED, history, ended, reason)
        early = self._stopped.reason if self._stopped is not None and ended.reason == "pruned" else ""
        return self._made(Outcome.FINISHED, history, ended, early)

    def _failure(self, ended: Exit) -> str:
        execution = self.context.sweep.execution
        if ended.reason == "timeout":
            return f"timeout after {execution.timeout_per_trial:g} s"
        if ended.reason == "memory":
            return f"took {ended.peak_memory_bytes / 1e6:.0f} MB, more than the memory_limit of its sweep"
        how = f"exit status {ended.code}" if ended.code >= 0 else f"killed by signal {-ended.code}"
        last = next((line.strip() for line in reversed(ended.tail.splitlines()) if line.strip()), "")
        return f"its process ended with {how}" + (f": {last[:300]}" if last else "")

    def _with_artifacts(self, history: tuple[Measured, ...]) -> tuple[Measured, ...]:
        """The history with the objectives that stand in a file, as part of its last measurement."""
        wanted = [o for o in self.context.sweep.objectives if o.artifact is not None]
        if not wanted:
            return history
        run_id, uri = self.replicate.run_id, self.context.tracking_uri
        found = {o.metric: read_objective_artifact(run_id, o.artifact or "", o.metric, uri=uri) for o in wanted}
        if history:
            return (*history[:-1], replace(history[-1], metrics={**history[-1].metrics, **found}))
        return (Measured(step=0, epoch=None, seconds=math.nan, metrics=found, timestamp_ms=now_ms()),)

    def _made(self, outcome: Outcome, history: tuple[Measured, ...], ended: Exit, reason: str) -> Ending:
        return Ending(outcome=outcome, history=history, seconds=ended.seconds, reason=reason)

    def _write_down(self, ending: Ending, logged: Collection[tuple[str, int]], log_path: Path) -> None:
        """Composite metrics, the parameters that the project has not logged itself, and its output."""
        recorder, run_id = self.context.recorder, self.replicate.run_id
        points: list[MetricPoint] = []
        for measured in ending.history:
            points += aggregate.metric_points(scored(measured, self.context.sweep))
        found = find_run(run_id, uri=self.context.tracking_uri)
        known = found.params if found is not None else {}
        params = {key: value for key, value in as_params(self.replicate.config).items() if key not in known}
        recorder.log(run_id, metrics=[p for p in points if (p.key, p.step) not in logged], params=params)
        recorder.flush()
        if log_path.exists():
            if log_path.stat().st_size:
                recorder.log_text(run_id, log_path.read_text(encoding="utf-8", errors="replace"), OUTPUT)
            log_path.unlink()

"""One claimed trial: which of its replicates still have to run, their runs, and what came of them.

Apart from the worker loop because a trial that is taken over, retried or resumed is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rothamsted.records import Ending, Measured, MetricPoint, Outcome, ReplicateResult, RunStatus
from rothamsted.search import Claimed
from rothamsted.statistics import reduce_curve
from rothamsted.sweep import aggregate, tags
from rothamsted.sweep.context import SweepContext
from rothamsted.tracking import FoundRun, find_runs, read_history, run_link

TRACEBACK = "traceback.txt"


def now_ms() -> int:
    """The time of day in milliseconds, as MLflow keeps it."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One replicate that is about to run."""

    replicate: int
    seed: int
    config: BaseModel
    run_id: str
    attempt: int
    logged: frozenset[tuple[str, int]]  # (metric, step) that an earlier sitting has logged already


@dataclass(kw_only=True)
class TrialRun:
    """A trial in the hands of one worker."""

    context: SweepContext
    claimed: Claimed
    run_id: str = ""
    results: dict[int, ReplicateResult] = field(default_factory=dict)
    _found: dict[int, FoundRun] = field(default_factory=dict)

    @classmethod
    def open(cls, context: SweepContext, claimed: Claimed) -> TrialRun:
        """Open the trial's run, or the one that an earlier worker opened, with what it had finished."""
        trial = cls(context=context, claimed=claimed)
        if claimed.is_continued:
            trial._find()
        if not trial.run_id and len(context.seeds) > 1:
            trial.run_id = trial._open_trial_run()
        return trial

    def pending(self) -> list[int]:
        """The replicates that have no result yet."""
        return [r for r in range(len(self.context.seeds)) if r not in self.results]

    def start(self, replicate: int, attempt: int) -> Replicate:
        """Open the run of a replicate, or reopen the one that was interrupted."""
        seed = self.context.seeds[replicate]
        config = self.context.config_of(self.claimed.condition, seed)
        found = self._found.pop(replicate, None)
        logged: frozenset[tuple[str, int]] = frozenset()
        if found is not None:
            run_id = found.run_id
            self.context.recorder.resume_run(run_id)
            history = read_history([run_id], uri=self.context.tracking_uri)[run_id]
            logged = frozenset((point.key, point.step) for point in history)
        else:
            run_id = self._open_replicate_run(replicate, seed, attempt)
        if len(self.context.seeds) == 1:
            self.run_id = run_id
        return Replicate(replicate=replicate, seed=seed, config=config, run_id=run_id, attempt=attempt, logged=logged)

    def log(self, replicate: Replicate, measured: Measured) -> None:
        """Buffer one measurement of a replicate."""
        points = aggregate.metric_points(measured)
        if replicate.logged:
            points = [p for p in points if (p.key, p.step) not in replicate.logged]
        self.context.recorder.log(replicate.run_id, metrics=points)

    def end(self, replicate: Replicate, ending: Ending) -> ReplicateResult:
        """Write how a replicate ended; keeps its result unless it was interrupted or is to be retried."""
        objective = None
        extra: list[MetricPoint] = []
        if ending.outcome is Outcome.FINISHED:
            spec = self.context.sweep.objective
            objective = reduce_curve(self._curve(ending), spec.reduce, spec.direction)
            extra = [MetricPoint(aggregate.OBJECTIVE, objective, now_ms(), ending.history[-1].step)]
            extra = [p for p in extra if (p.key, p.step) not in replicate.logged]
        run_tags = {tags.OUTCOME: ending.outcome.value}
        if ending.reason:
            run_tags[tags.REASON] = ending.reason[:500]
        recorder = self.context.recorder
        recorder.log(replicate.run_id, metrics=extra, tags=run_tags)
        recorder.end_run(replicate.run_id, ending.outcome.run_status, now_ms())
        if ending.outcome is Outcome.FAILED:
            recorder.flush()
            recorder.log_text(replicate.run_id, ending.traceback or ending.reason, TRACEBACK)
        return ReplicateResult(
            replicate=replicate.replicate,
            seed=replicate.seed,
            run_id=replicate.run_id,
            outcome=ending.outcome,
            objective=objective,
            history=ending.history,
        )

    def close(self) -> None:
        """All replicates have a result: write the trial's means and intervals, then tell the search."""
        results = [self.results[r] for r in sorted(self.results)]
        sweep = self.context.sweep
        recorder, level = self.context.recorder, sweep.statistics.level
        has_score = any(r.objective is not None or r.outcome is Outcome.DIVERGED for r in results)
        if len(self.context.seeds) > 1:
            points = aggregate.curve_points(results, level=level, timestamp_ms=now_ms())
            points += aggregate.objective_points(results, level=level, timestamp_ms=now_ms())
            recorder.log(self.run_id, metrics=points, tags=self._counts(results))
            recorder.end_run(self.run_id, RunStatus.FINISHED if has_score else RunStatus.FAILED, now_ms())
        recorder.flush()
        self.context.queue.tell(self.claimed.trial_id, self.told())

    def told(self) -> Any:
        """The result as Optuna is told it."""
        result = aggregate.told(
            [self.results[r] for r in sorted(self.results)],
            direction=self.context.sweep.objective.direction,
            level=self.context.sweep.statistics.level,
            run_id=self.run_id,
            link=run_link(self.context.tracking_uri, self.context.experiment_id, self.run_id),
        )
        return result

    def leave(self) -> None:
        """Stopped from outside: the trial's run ends as KILLED, to be reopened by whoever goes on."""
        if len(self.context.seeds) > 1:
            self.context.recorder.log(self.run_id, tags={tags.OUTCOME: Outcome.INTERRUPTED.value})
            self.context.recorder.end_run(self.run_id, RunStatus.KILLED, now_ms())
        self.context.recorder.flush()

    # ---- within ----

    def _curve(self, ending: Ending) -> list[float]:
        """The objective's metric along a replicate's measurements, without one before the first update.

        An untrained model is no result: where all seeds start alike, its loss would be the best of every
        condition that does not learn, with no spread at all.
        """
        metric = self.context.sweep.objective.metric
        points = [m for m in ending.history if metric in m.metrics]
        return [float(m.metrics[metric]) for m in points if m.step > 0 or len(points) == 1]

    def _tags(self, role: str) -> dict[str, str]:
        return {
            tags.ROLE: role,
            tags.SWEEP: self.context.sweep.name,
            tags.STUDY: self.context.study.name,
            tags.TRIAL: str(self.claimed.number),
            tags.PHASE: "search",
        }

    def _open_trial_run(self) -> str:
        return self.context.recorder.open_run(
            experiment_id=self.context.experiment_id,
            name=f"trial {self.claimed.number}",
            parent_id=self.context.sweep_run_id,
            tags=self._tags("trial"),
            params=_as_params(self.claimed.condition),
            start_ms=now_ms(),
        )

    def _open_replicate_run(self, replicate: int, seed: int, attempt: int) -> str:
        is_alone = len(self.context.seeds) == 1
        name = f"trial {self.claimed.number}" + ("" if is_alone else f" replicate {replicate}")
        own = {tags.REPLICATE: str(replicate), tags.SEED: str(seed), tags.ATTEMPT: str(attempt)}
        return self.context.recorder.open_run(
            experiment_id=self.context.experiment_id,
            name=name,
            parent_id=self.context.sweep_run_id if is_alone else self.run_id,
            tags={**self._tags("trial" if is_alone else "replicate"), **own},
            params=_as_params({**self.claimed.condition, "seed": seed}),
            start_ms=now_ms(),
        )

    def _counts(self, results: list[ReplicateResult]) -> dict[str, str]:
        counts = {f"rothamsted.n_{o.value}": str(sum(r.outcome is o for r in results)) for o in Outcome}
        outcomes = {r.outcome for r in results}
        best = next(o for o in (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED) if o in outcomes)
        return {k: v for k, v in counts.items() if v != "0"} | {tags.OUTCOME: best.value}

    def _find(self) -> None:
        """Read back what earlier holders of this trial wrote down."""
        wanted = {tags.SWEEP: self.context.sweep.name, tags.TRIAL: str(self.claimed.number)}
        found = find_runs([self.context.experiment_id], wanted, uri=self.context.tracking_uri)
        found = [run for run in found if self._is_of_this_sweep(run, found)]
        alone = len(self.context.seeds) == 1
        for run in sorted(found, key=lambda run: run.start_ms):
            if run.tags[tags.ROLE] == "trial" and not alone:
                self.run_id = run.run_id
                self.context.recorder.resume_run(run.run_id)
            elif tags.REPLICATE in run.tags:
                self._keep(run)
        for result in self._read_histories():
            self.results[result.replicate] = result

    def _is_of_this_sweep(self, run: FoundRun, found: list[FoundRun]) -> bool:
        parent = run.tags.get("mlflow.parentRunId")
        trials = {r.run_id for r in found if r.tags.get("mlflow.parentRunId") == self.context.sweep_run_id}
        return parent == self.context.sweep_run_id or parent in trials

    def _keep(self, run: FoundRun) -> None:
        replicate = int(run.tags[tags.REPLICATE])
        outcome = run.tags.get(tags.OUTCOME)
        if run.status == RunStatus.FINISHED and outcome in (Outcome.FINISHED, Outcome.DIVERGED):
            self.results[replicate] = ReplicateResult(
                replicate=replicate,
                seed=int(run.tags[tags.SEED]),
                run_id=run.run_id,
                outcome=Outcome(outcome),
                objective=run.metrics.get(aggregate.OBJECTIVE),
            )
            if len(self.context.seeds) == 1:
                self.run_id = run.run_id
            self._found.pop(replicate, None)
        elif run.status != RunStatus.FAILED and replicate not in self.results:
            self._found[replicate] = run

    def _read_histories(self) -> list[ReplicateResult]:
        ids = [result.run_id for result in self.results.values()]
        histories = read_history(ids, uri=self.context.tracking_uri) if ids else {}
        return [
            ReplicateResult(
                replicate=r.replicate,
                seed=r.seed,
                run_id=r.run_id,
                outcome=r.outcome,
                objective=r.objective,
                history=_as_history(histories[r.run_id]),
            )
            for r in self.results.values()
        ]


def _as_params(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


def _as_history(points: list[MetricPoint]) -> tuple[Measured, ...]:
    """Measurements from logged metrics, by step."""
    by_step: dict[int, dict[str, MetricPoint]] = {}
    for point in points:
        if point.key != aggregate.OBJECTIVE:
            by_step.setdefault(point.step, {})[point.key] = point
    history = []
    for step in sorted(by_step):
        row = by_step[step]
        metrics = {key: point.value for key, point in row.items() if key != "epoch"}
        history.append(
            Measured(
                step=step,
                epoch=row["epoch"].value if "epoch" in row else None,
                seconds=metrics.get("seconds", float("nan")),
                metrics=metrics,
                timestamp_ms=max(point.timestamp_ms for point in row.values()),
            )
        )
    return tuple(history)

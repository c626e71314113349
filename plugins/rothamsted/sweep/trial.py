"""One claimed trial: which of its replicates still have to run, their runs, and what came of them.

Apart from the worker loop because a trial that is taken over, retried or resumed is decided here. What is
written twice, because a worker died between writing and telling, has the same time stamps both times, so that
the store keeps one point a step.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rothamsted import tags
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, ReplicateResult, RunStatus
from rothamsted.search import Claimed
from rothamsted.statistics import reduce_curve
from rothamsted.statistics.sequential import schedule_looks
from rothamsted.sweep import aggregate
from rothamsted.sweep.context import SweepContext
from rothamsted.sweep.models import ModelLogger, Trained, TrialModels
from rothamsted.sweep.restore import Earlier, restore, with_histories
from rothamsted.sweep.results import ConditionResult, result_of
from rothamsted.sweep.work import RACING, Work, work_of
from rothamsted.tracking import read_history, run_link

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
    work: Work
    earlier: Earlier
    models: TrialModels
    run_id: str = ""
    results: dict[int, ReplicateResult] = field(default_factory=dict)

    @classmethod
    def open(cls, context: SweepContext, claimed: Claimed, models: ModelLogger | None = None) -> TrialRun:
        """Open the trial's run, or the one that an earlier worker opened, with what it had finished."""
        work = work_of(context, claimed)
        earlier = restore(context, claimed, work)
        trial = cls(
            context=context,
            claimed=claimed,
            work=work,
            earlier=earlier,
            models=TrialModels(logger=models, context=context, phase=work.phase, notes=dict(earlier.notes)),
            run_id=earlier.run_id,
        )
        trial.results.update(earlier.results)
        if work.has_trial_run and trial.run_id:
            context.recorder.resume_run(trial.run_id)
        elif work.has_trial_run:
            trial.run_id = trial._open_trial_run()
        elif earlier.results:
            trial.run_id = next(iter(earlier.results.values())).run_id
        return trial

    def pending(self) -> list[int]:
        """The replicates that have no result yet."""
        return [r for r in self.work.seeds if r not in self.results]

    def start(self, replicate: int, attempt: int) -> Replicate:
        """Open the run of a replicate, or reopen the one that was interrupted."""
        seed = self.work.seeds[replicate]
        config = self.context.config_of(self.claimed.condition, seed)
        found = self.earlier.interrupted.pop(replicate, None)
        logged: frozenset[tuple[str, int]] = frozenset()
        if found is not None:
            run_id = found.run_id
            self.context.recorder.resume_run(run_id)
            history = read_history([run_id], uri=self.context.tracking_uri)[run_id]
            logged = frozenset((point.key, point.step) for point in history)
        else:
            run_id = self._open_replicate_run(replicate, seed, attempt)
        if not self.work.has_trial_run:
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
        if ending.outcome is Outcome.FINISHED:
            # Before the run ends: killed in between, it is trained again, and no finished run lacks its model.
            self.models.take(replicate.replicate, lambda: self._trained(replicate, ending))
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
        if self.work.has_trial_run:
            self._write_summary()
        self.models.log_if_best(self._as_result)
        self.context.recorder.flush()
        self.context.queue.tell(self.claimed.trial_id, self.told())

    def _write_summary(self) -> None:
        """Counts; the objective's summary; curves, once the trial cannot get more replicates.

        What was told before, in an earlier round of a race or before a retry, is replaced.
        """
        recorder, results = self.context.recorder, self._ordered()
        is_first = not self.earlier.told
        if is_first or not self.work.is_racing:
            results = with_histories(results, tracking_uri=self.context.tracking_uri)
        stamp = last_ms(results) if is_first else now_ms()
        points = self._objective_points(results, stamp)
        if not self.work.is_racing:
            level = self.context.sweep.statistics.level
            points += aggregate.curve_points(results, level=level, timestamp_ms=stamp)
        has_score = any(r.objective is not None or r.outcome is Outcome.DIVERGED for r in results)
        recorder.log(self.run_id, metrics=points if is_first else (), tags=self._closing_tags(results))
        recorder.end_run(self.run_id, RunStatus.FINISHED if has_score else RunStatus.FAILED, now_ms())
        if not is_first:
            recorder.replace_metrics(self.run_id, points)

    def _objective_points(self, results: list[ReplicateResult], stamp: int) -> list[MetricPoint]:
        """The objective's summary, at step 0; in a race at each number of replicates that was looked at."""
        level, racing = self.context.sweep.statistics.level, self.context.sweep.replicates.racing
        if racing is None:
            return aggregate.objective_points(results, level=level, timestamp_ms=stamp)
        looks = schedule_looks(n_min=racing.min, n_max=racing.max, step=racing.step)
        points = []
        for n in (look for look in looks if look <= len(self.work.seeds)):
            seen = [r for r in results if r.replicate < n]
            points += aggregate.objective_points(seen, level=level, timestamp_ms=stamp, step=n)
        return points

    def told(self) -> Any:
        """The result as Optuna is told it."""
        result = aggregate.told(
            self._ordered(),
            direction=self.context.sweep.objective.direction,
            level=self.context.sweep.statistics.level,
            run_id=self.run_id,
            link=run_link(self.context.tracking_uri, self.context.experiment_id, self.run_id),
            race=self._race_line(),
        )
        result.attributes[tags.RESULT].update(self.models.as_told())
        return result

    def leave(self) -> None:
        """Stopped from outside: the trial's run ends as KILLED, to be reopened by whoever goes on."""
        if self.work.has_trial_run:
            self.context.recorder.log(self.run_id, tags={tags.OUTCOME: Outcome.INTERRUPTED.value})
            self.context.recorder.end_run(self.run_id, RunStatus.KILLED, now_ms())
        self.context.recorder.flush()

    # ---- within ----

    def _trained(self, replicate: Replicate, ending: Ending) -> Trained:
        """What a replicate's model is logged with."""
        last = ending.history[-1]
        own = {tags.REPLICATE: str(replicate.replicate), tags.SEED: str(replicate.seed)}
        return Trained(
            run_id=replicate.run_id,
            model=ending.model,
            step=last.step,
            timestamp_ms=last.timestamp_ms,
            metrics=frozenset(last.metrics) | {key for key, _ in replicate.logged},
            params=as_params({**self.claimed.condition, "seed": replicate.seed}),
            tags={**self._tags(self.work.role), **own},
        )

    def _as_result(self) -> ConditionResult:
        result, verdict = self.told().attributes[tags.RESULT], self.work.verdict or {"verdict": ""}
        return result_of(self.work.trial, self.claimed.condition, result, race=verdict["verdict"])

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
            tags.TRIAL: str(self.work.trial),
            tags.PHASE: self.work.phase,
            **({tags.CONTESTANT: self.work.contestant} if self.work.contestant else {}),
        }

    def _open_trial_run(self) -> str:
        return self.context.recorder.open_run(
            experiment_id=self.context.experiment_id,
            name=self.work.name,
            parent_id=self.work.parent_id,
            tags=self._tags("trial"),
            params=as_params(self.claimed.condition),
            start_ms=now_ms(),
        )

    def _open_replicate_run(self, replicate: int, seed: int, attempt: int) -> str:
        work = self.work
        name = work.name if work.role == "trial" else f"{work.name} replicate {replicate}"
        own = {tags.REPLICATE: str(replicate), tags.SEED: str(seed), tags.ATTEMPT: str(attempt)}
        return self.context.recorder.open_run(
            experiment_id=self.context.experiment_id,
            name=name,
            parent_id=self.run_id if work.has_trial_run else work.parent_id,
            tags={**self._tags(work.role), **own},
            params=as_params({**self.claimed.condition, "seed": seed}),
            start_ms=now_ms(),
        )

    def _closing_tags(self, results: list[ReplicateResult]) -> dict[str, str]:
        if self.work.verdict is not None:
            return outcome_tags(results) | {tags.RACE: self.work.verdict["verdict"]}
        return outcome_tags(results) | ({tags.RACE: RACING} if self.work.is_racing else {})

    def _race_line(self) -> str:
        verdict = self.work.verdict
        if verdict is not None:
            return f"{verdict['verdict']}: {verdict['reason']}" if verdict["reason"] else verdict["verdict"]
        return f"{RACING}, {len(self.work.seeds)} replicates so far" if self.work.is_racing else ""

    def _ordered(self) -> list[ReplicateResult]:
        return [self.results[r] for r in sorted(self.results)]


def outcome_tags(results: Iterable[ReplicateResult]) -> dict[str, str]:
    """How many replicates ended how, and the best of these outcomes, as tags of their trial's run."""
    counts = Counter(result.outcome for result in results)
    best = next(o for o in (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED) if counts[o])
    return {f"rothamsted.n_{o.value}": str(counts[o]) for o in Outcome if counts[o]} | {tags.OUTCOME: best.value}


def last_ms(results: Iterable[ReplicateResult]) -> int:
    """The time of the last measurement behind a summary: the same whenever it is written; now without any."""
    finished = (r.history[-1].timestamp_ms for r in results if r.outcome is Outcome.FINISHED and r.history)
    return max(finished, default=now_ms())


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """A condition as the params of its run."""
    return {key: str(value) for key, value in values.items()}

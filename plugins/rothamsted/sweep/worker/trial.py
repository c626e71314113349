"""One claimed trial: which of its replicates still have to run, their runs, and what came of them.

Apart from the worker loop because a trial that is taken over, retried or resumed is decided here. What is
written twice, because a worker died between writing and telling, has the same time stamps both times, so that
the store keeps one point a step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import objective_key
from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, ReplicateResult, RunStatus
from rothamsted.search import Claimed, ToldTrial
from rothamsted.statistics.sequential import schedule_looks
from rothamsted.sweep import trial_summary as aggregate
from rothamsted.sweep.assignment import Work, work_of
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.scores import last_values, scored, scores_of
from rothamsted.sweep.trial_summary import as_params, closing_status, closing_tags, last_ms, now_ms, race_line
from rothamsted.sweep.worker.earlier import Earlier, abandon, restore, with_histories
from rothamsted.sweep.worker.model_log import ModelLogger, Trained, TrialModels
from rothamsted.sweep.worker.trial_judge import TrialJudge
from rothamsted.tracking import read_history, run_link

JUDGED = (Outcome.FINISHED, Outcome.DIVERGED)  # whose curves a pruner sees
TRACEBACK = "traceback.txt"
_REASONS = {Outcome.FINISHED: tags.STOPPED_EARLY, Outcome.PRUNED: tags.PRUNED_BECAUSE}  # where an ending's reason goes


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One replicate that is about to run."""

    replicate: int
    seed: int
    config: Any  # of the study; of a foreign project the parameters of its entry point
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
    judge: TrialJudge
    run_id: str = ""
    results: dict[int, ReplicateResult] = field(default_factory=dict)
    pruned: str = ""  # why the trial was pruned

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
            judge=TrialJudge(context=context, trial_id=claimed.trial_id),
            models=TrialModels(logger=models, context=context, phase=work.phase, notes=dict(earlier.notes)),
            run_id=earlier.run_id,
            pruned=claimed.attributes.get(tags.PRUNED, ""),
        )
        trial.results.update(earlier.results)
        if work.has_trial_run and trial.run_id:
            context.recorder.resume_run(trial.run_id)
        elif work.has_trial_run:
            trial.run_id = trial._open_trial_run()
        elif earlier.results:
            trial.run_id = next(iter(earlier.results.values())).run_id
        if trial.pruned:
            trial._end_interrupted()
        elif context.sweep.project is not None:
            abandon(context, earlier)
        if trial.judge.over == "steps" and earlier.results:
            trial.judge.remember(
                with_histories(list(earlier.results.values()), tracking_uri=context.tracking_uri, of=JUDGED)
            )
        return trial

    def pending(self) -> list[int]:
        """The replicates that have no result yet and shall have one."""
        return [] if self.pruned else [r for r in self.work.seeds if r not in self.results]

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

    def complete(self, ending: Ending) -> Ending:
        """An ending with its composite metrics; one without a number for an objective or a constraint has failed."""
        sweep = self.context.sweep
        ending = replace(ending, history=tuple(scored(m, sweep) for m in ending.history))
        if ending.outcome is not Outcome.FINISHED:
            return ending
        try:
            scores_of(ending.history, sweep)
            last_values(ending.history, sweep)
        except StudyError as error:
            return replace(ending, outcome=Outcome.FAILED, reason=str(error), model=None)
        return ending

    def end(self, replicate: Replicate, ending: Ending) -> ReplicateResult:
        """Write how a replicate ended, its ending being complete; whether its result is kept is the worker's."""
        sweep, recorder = self.context.sweep, self.context.recorder
        scores: tuple[float, ...] = ()
        extra: list[MetricPoint] = []
        if ending.outcome is Outcome.FINISHED:
            scores, step = scores_of(ending.history, sweep), ending.history[-1].step
            keys = [objective_key(index, objective.metric) for index, objective in enumerate(sweep.objectives)]
            extra = [MetricPoint(key, score, now_ms(), step) for key, score in zip(keys, scores, strict=True)]
            extra = [p for p in extra if (p.key, p.step) not in replicate.logged]
        run_tags = {tags.OUTCOME: ending.outcome.value}
        if ending.reason:
            run_tags[_REASONS.get(ending.outcome, tags.REASON)] = ending.reason[:500]
        if ending.outcome is Outcome.FINISHED:
            # Before the run ends: killed in between, it is trained again, and no finished run lacks its model.
            self.models.take(replicate.replicate, lambda: self._trained(replicate, ending))
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
            objective=scores[0] if scores else None,
            others=scores[1:],
            last=last_values(ending.history, sweep) if scores else {},
            reason=ending.reason if ending.outcome is not Outcome.PRUNED else "",  # the trial's own
            attempt=replicate.attempt,
            history=ending.history,
        )

    def prune(self, reason: str) -> None:
        """Stop the trial: said in the search first, so that whoever takes it over does not train it on.

        After what it was judged by has been written: whoever takes it over finds that, and its replicates' runs.
        """
        self.context.recorder.flush()
        self.context.queue.set_trial_attributes(self.claimed.trial_id, {tags.PRUNED: reason})
        self.pruned = reason

    def close(self) -> None:
        """All replicates have a result: write the trial's means and intervals, then tell the search."""
        if self.work.has_trial_run:
            self._write_summary()
        self.models.log_if_best(self.as_told)
        self.context.recorder.flush()
        self.context.queue.tell(self.claimed.trial_id, self.told())

    def _write_summary(self) -> None:
        """Counts; the objective's summary; curves, once the trial cannot get more replicates.

        What was told before, in an earlier round of a race or before a retry, is replaced.
        """
        recorder, results = self.context.recorder, self.ended()
        is_first = not self.earlier.told
        if is_first or not self.work.is_racing:
            results = with_histories(results, tracking_uri=self.context.tracking_uri)
        stamp = last_ms(results) if is_first else now_ms()
        points = [] if self.pruned else self._objective_points(results, stamp)
        if not self.work.is_racing and not self.pruned:
            level = self.context.sweep.statistics.level
            points += aggregate.curve_points(results, level=level, timestamp_ms=stamp)
        recorder.log(
            self.run_id, metrics=points if is_first else (), tags=closing_tags(results, self.work, self.pruned)
        )
        recorder.end_run(self.run_id, closing_status(results, self.pruned), now_ms())
        if not is_first:
            recorder.replace_metrics(self.run_id, points)

    def _objective_points(self, results: list[ReplicateResult], stamp: int) -> list[MetricPoint]:
        """The objective's summary, at step 0; in a race at each number of replicates that was looked at."""
        racing = self.context.sweep.replicates.racing
        if racing is None:
            return aggregate.objective_points(results, self.context.sweep, timestamp_ms=stamp)
        looks = schedule_looks(n_min=racing.min, n_max=racing.max, step=racing.step)
        points = []
        for n in (look for look in looks if look <= len(self.work.seeds)):
            seen = [r for r in results if r.replicate < n]
            points += aggregate.objective_points(seen, self.context.sweep, timestamp_ms=stamp, step=n)
        return points

    def told(self) -> Any:
        """The result as Optuna is told it."""
        result = aggregate.told(
            self.ended(),
            self.context.sweep,
            run_id=self.run_id,
            link=run_link(self.context.tracking_uri, self.context.experiment_id, self.run_id),
            race=race_line(self.work),
            pruned=self.pruned,
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
            stopped_early=ending.reason,
            params=as_params({**self.claimed.condition, "seed": replicate.seed}),
            tags={**self._tags(self.work.role), **own},
        )

    def as_told(self) -> ToldTrial:
        """The trial as the search is about to have it."""
        verdict = {tags.VERDICT: self.work.verdict} if self.work.verdict is not None else {}
        attributes = {**self.told().attributes, **verdict}
        return ToldTrial(number=self.work.trial, condition=self.claimed.condition, attributes=attributes)

    def _tags(self, role: str) -> dict[str, str]:
        return {
            tags.ROLE: role,
            tags.SWEEP: self.context.sweep.name,
            tags.STUDY: self.context.study.name,
            tags.TRIAL: str(self.work.trial),
            tags.PHASE: self.work.phase,
            **self._condition_tag(role),
            **({tags.CONTESTANT: self.work.contestant} if self.work.contestant else {}),
        }

    def _condition_tag(self, role: str) -> dict[str, str]:
        """The condition, where the run's params are the foreign project's own to log."""
        is_foreign = self.context.sweep.project is not None
        return {tags.CONDITION: json.dumps(self.claimed.condition)} if is_foreign and role == "trial" else {}

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
            params=self._replicate_params(seed),
            start_ms=now_ms(),
        )

    def _replicate_params(self, seed: int) -> dict[str, str]:
        """What a replicate's run says of its condition when it opens.

        Nothing of a foreign project's: that may log them itself, in its own spelling, which MLflow would refuse.
        """
        return {} if self.context.sweep.project else as_params({**self.claimed.condition, "seed": seed})

    def _end_interrupted(self) -> None:
        """The runs of replicates whose worker died after it had pruned their trial."""
        for replicate, run in self.earlier.interrupted.items():
            said = {tags.OUTCOME: Outcome.PRUNED.value, tags.PRUNED_BECAUSE: self.pruned[:500]}
            self.context.recorder.log(run.run_id, tags=said)
            self.context.recorder.end_run(run.run_id, RunStatus.KILLED, now_ms())
            self.results[replicate] = ReplicateResult(
                replicate=replicate,
                seed=self.work.seeds[replicate],
                run_id=run.run_id,
                outcome=Outcome.PRUNED,
                objective=None,
            )
            if not self.work.has_trial_run:
                self.run_id = run.run_id

    def ended(self) -> list[ReplicateResult]:
        """The replicates that have a result, in order."""
        return [self.results[r] for r in sorted(self.results)]

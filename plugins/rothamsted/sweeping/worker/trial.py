"""Work on one claimed trial: which replicates must still run, their runs, and their results.

The ids of its runs are written to the search before the runs are made, so that the next holder finds them. If a worker
dies between writing to the record and to the search, points are written twice. They have the same time stamps, so the
store keeps one point for each step.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import objective_key
from rothamsted.analysis.values import Replicate
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, RunStatus
from rothamsted.search import Lease, LostError, ToldTrial
from rothamsted.sweeping import trial_summary as aggregate
from rothamsted.sweeping.assignment import Assignment, assignment_of
from rothamsted.sweeping.histories import History, histories_of
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.run_points import closing_points, curve_points, metric_points, written_once
from rothamsted.sweeping.scores import last_values, scores_of
from rothamsted.sweeping.trial_summary import as_params, closing_status, closing_tags, last_ms, now_ms
from rothamsted.sweeping.worker.aftermath import count_failures, end_pruned, lay_blame, start_anew
from rothamsted.sweeping.worker.earlier import Earlier, restore
from rothamsted.sweeping.worker.model_log import ModelLogger, ModelNote, Trained, TrialModels
from rothamsted.sweeping.worker.rescored import rescore
from rothamsted.sweeping.worker.trial_judge import TrialJudge
from rothamsted.sweeping.worker.trial_runs import ReplicateRun, TrialRuns, by_text
from rothamsted.tracking import run_link

JUDGED = (Outcome.FINISHED, Outcome.DIVERGED)  # whose curves a pruner sees
TRACEBACK = "traceback.txt"
OUTPUT = "output.txt"
_REASONS = {Outcome.FINISHED: tags.STOPPED_EARLY, Outcome.PRUNED: tags.PRUNED_BECAUSE}  # where an ending's reason goes


@dataclass(kw_only=True)
class TrialRun:
    """Handles a trial that one worker holds."""

    context: Opened
    lease: Lease
    assignment: Assignment
    earlier: Earlier
    runs: TrialRuns
    models: TrialModels
    judge: TrialJudge
    run_id: str = ""
    results: dict[int, Replicate] = field(default_factory=dict)  # by replicate
    histories: dict[str, History] = field(default_factory=dict)  # by run, of those that were trained or read here
    once: frozenset[str] = frozenset()  # metrics of which a replicate's run has the last value only
    pruned: str = ""  # why the trial was pruned
    killed: dict[int, str] = field(default_factory=dict)  # replicates whose worker was ended on purpose, and why

    @classmethod
    def open(cls, context: Opened, lease: Lease, models: ModelLogger | None = None) -> TrialRun:
        """Open the trial's run, or that of an earlier worker with its finished replicates.

        Raises:
            LostError: another worker has the trial.
        """
        assignment = assignment_of(context, lease)
        context.recorder.deliver_left()  # what an earlier holder measured while the server was away is read, too
        earlier = restore(context, lease, assignment)
        if context.is_rescored:
            rescore(context, lease, assignment, earlier)
        notes = {number: note for number, one in earlier.results.items() if (note := ModelNote.of(one)) is not None}
        trial = cls(
            context=context,
            lease=lease,
            assignment=assignment,
            earlier=earlier,
            runs=TrialRuns(context=context, lease=lease, assignment=assignment),
            judge=TrialJudge(context=context, lease=lease, prunes=assignment.prunes),
            models=TrialModels(logger=models, context=context, kept=assignment.models, notes=notes),
            run_id=earlier.run_id,
            once=written_once(context.sweep),
            pruned=lease.attributes.get(tags.PRUNED, ""),
            histories=earlier.histories,
        )
        trial.results.update(earlier.results)
        for replicate in earlier.results.keys() - earlier.told:  # its holder may have died before it wrote the files
            config = context.config_of(lease.condition, assignment.seeds[replicate])
            trial.runs.add_config(earlier.results[replicate].run_id, config)
        if assignment.has_run:
            trial.run_id = trial.runs.open_trial(trial.run_id)
            if earlier.lone_run_id:
                trial.runs.put_below(trial.run_id, earlier.lone_run_id)
        trial.results.update(count_failures(trial.runs, earlier))
        trial.killed = lay_blame(trial.runs, earlier, trial.pending())
        if trial.pruned:
            trial.results.update(end_pruned(context, assignment, earlier, trial.pruned))
        elif context.sweep.is_foreign:
            start_anew(trial.runs, earlier, keep=trial.killed)
        if not assignment.has_run and trial.results:
            trial.run_id = next(iter(trial.results.values())).run_id
        if trial.judge.over == "steps" and earlier.results:
            before = earlier.results.values()
            known = histories_of(before, trial.histories, tracking_uri=context.tracking_uri, of=JUDGED)
            trial.judge.remember(before, known)
        return trial

    def pending(self) -> list[int]:
        """Return the replicates that still need a result."""
        return [] if self.pruned else [r for r in self.assignment.seeds if r not in self.results]

    def start(self, replicate: int) -> ReplicateRun:
        """Open the run of a replicate, or reopen the one that was interrupted.

        Raises:
            LostError: another worker has the trial.
        """
        seed = self.assignment.seeds[replicate]
        config = self.context.config_of(self.lease.condition, seed)
        attempt = 1 + self.runs.attempts.failures.get(replicate, 0)
        found = self.earlier.interrupted.pop(replicate, None)
        if found is not None:
            run_id = found.run_id
            self.context.recorder.resume_run(run_id)
            if found.tags.get(tags.REASON):  # why it stopped then says nothing of how it ends
                self.context.recorder.log(run_id, tags={tags.REASON: ""})
            logged = self.runs.logged(run_id)
        else:
            run_id, logged = self.runs.open_replicate(self.run_id, replicate, attempt)
        self.runs.add_config(run_id, config)  # again where it was interrupted: its holder may have died before it
        if not self.assignment.has_run:
            self.run_id = run_id
        return ReplicateRun(
            replicate=replicate, seed=seed, config=config, run_id=run_id, attempt=attempt, logged=logged
        )

    def log(self, replicate: ReplicateRun, measured: Measured) -> None:
        """Buffer one measurement of a replicate."""
        points = metric_points(measured, but=self.once)
        if replicate.logged:
            points = [p for p in points if (p.key, p.step) not in replicate.logged]
        self.context.recorder.log(replicate.run_id, metrics=points)

    def end(self, replicate: ReplicateRun, ending: Ending) -> Replicate:
        """Write how a replicate ended. The ending is complete. The worker decides whether the result is kept."""
        sweep, recorder, ending = self.context.sweep, self.context.recorder, aggregate.as_recorded(ending)
        scores: tuple[float, ...] = ()
        extra: list[MetricPoint] = []
        if ending.outcome is Outcome.FINISHED:
            scores, step = scores_of(ending.history, sweep), ending.history[-1].step
            keys = [objective_key(index, objective.metric) for index, objective in enumerate(sweep.objectives)]
            extra = [MetricPoint(key, score, now_ms(), step) for key, score in zip(keys, scores, strict=True)]
        extra += closing_points(ending, once=self.once)
        extra = [p for p in extra if (p.key, p.step) not in replicate.logged]
        run_tags = {tags.OUTCOME: ending.outcome.value}
        if ending.reason:
            run_tags[_REASONS.get(ending.outcome, tags.REASON)] = ending.reason[:500]
        if ending.outcome is Outcome.FINISHED:
            run_tags |= aggregate.kept_tags(ending)
            # Before the run ends: killed in between, it is trained again, and no finished run lacks its model.
            self.models.take(replicate.replicate, lambda: self._trained(replicate, ending))
        recorder.log(replicate.run_id, metrics=extra, tags=run_tags)
        self.runs.add_origin(replicate.run_id, ending)
        if ending.output:
            recorder.flush()
            recorder.log_text(replicate.run_id, ending.output, OUTPUT)
        recorder.end_run(replicate.run_id, ending.outcome.run_status, now_ms())
        if ending.outcome is Outcome.FAILED:
            recorder.flush()
            recorder.log_text(replicate.run_id, ending.traceback or ending.reason, TRACEBACK)
        self.histories[replicate.run_id] = ending.history
        is_pruned = ending.outcome is Outcome.PRUNED  # for a reason that is the trial's own
        return self.assignment.replicate(
            replicate.replicate,
            replicate.run_id,
            ending.outcome.value,
            objective=scores[0] if scores else math.nan,
            others=scores[1:],
            last=last_values(ending.history, sweep) if scores else {},
            tested=aggregate.tested(ending) if scores and self.assignment.is_fresh else {},
            reason="" if scores or is_pruned else ending.reason,
            stopped_early=ending.reason if scores else "",
            attempt=replicate.attempt,
        )

    def judged(self, measured: Measured) -> str:
        """Say why the trial is pruned after the latest measurement; empty: it goes on, or is lost."""
        with suppress(LostError):
            if self.lease.confirm() and (reason := self.judge.at(measured)):
                self.prune(reason)
                return reason
        return ""

    def judge_replicates(self) -> None:
        """Prune the trial if its finished replicates say so.

        Raises:
            LostError: another worker has the trial.
        """
        reason = self.judge.after_replicates(self.ended(), is_over=not self.pending())
        if reason and not self.pruned:
            self.prune(reason)

    def prune(self, reason: str) -> None:
        """Stop the trial. It is written to the search first, so that the next holder does not train it on.

        Measurements are written before, so that the next holder finds them and the replicates' runs.

        Raises:
            LostError: another worker has the trial.
        """
        self.context.recorder.flush()
        self.lease.set_attributes({tags.PRUNED: reason})
        self.pruned = reason

    def close(self) -> bool:
        """Write the trial's means and intervals when all replicates have results, then its result to the search.

        False: the trial was lost, and nothing more is written.
        """
        if not self.lease.confirm():
            return False
        if self.assignment.has_run:
            self._write_summary()
        self.models.log_if_best(self.as_told)
        self.context.recorder.flush()
        return self.lease.tell(self.told())

    def _write_summary(self) -> None:
        """Counts; the objective's summary; curves, once the trial cannot get more replicates.

        What was told before, in an earlier round of a race or before a retry, is replaced.
        """
        recorder, results, histories = self.context.recorder, self.ended(), self.histories
        is_first = not self.earlier.told
        if is_first or self.assignment.is_final:
            histories = histories_of(results, histories, tracking_uri=self.context.tracking_uri)
        stamp = last_ms(results, histories) if is_first else now_ms()
        sweep, metrics = self.context.sweep, self.context.study.known_metrics
        points = [] if self.pruned else aggregate.points_at_looks(results, sweep, metrics, timestamp_ms=stamp)
        if self.assignment.is_final and not self.pruned:
            points += curve_points(
                results, histories, sweep, metrics, timestamp_ms=stamp, crossed=sweep.replicates.crossed
            )
        recorder.log(
            self.run_id,
            metrics=points if is_first else (),
            tags=closing_tags(results, self.assignment.closing_tags, self.pruned),
        )
        recorder.end_run(self.run_id, closing_status(results, self.pruned), now_ms())
        if not is_first:
            recorder.replace_metrics(self.run_id, points)

    def told(self) -> Any:
        """Return the result for Optuna."""
        result = aggregate.told(
            self.ended(),
            self.context.sweep,
            self.context.study.known_metrics,
            run_id=self.run_id,
            link=run_link(self.context.tracking_uri, self.context.experiment_id, self.run_id),
            race=self.assignment.race,
            pruned=self.pruned,
        )
        result.attributes[tags.RESULT].update(self.models.as_told())
        if failures := self.runs.attempts.failures:
            return replace(result, attributes={**result.attributes, tags.ATTEMPTS: by_text(failures)})
        return result

    def leave(self) -> None:
        """End the trial's run as KILLED after a stop from outside; the next holder opens it again."""
        if self.assignment.has_run:
            self.context.recorder.log(self.run_id, tags={tags.OUTCOME: Outcome.INTERRUPTED.value})
            self.context.recorder.end_run(self.run_id, RunStatus.KILLED, now_ms())
        self.context.recorder.pass_on()

    # ---- within ----

    def _trained(self, replicate: ReplicateRun, ending: Ending) -> Trained:
        """What a replicate's model is logged with."""
        last = ending.history[-1]
        own = {tags.REPLICATE: str(replicate.replicate), tags.SEED: str(replicate.seed)}
        return Trained(
            run_id=replicate.run_id,
            model=ending.model,
            step=last.step,
            kept_step=ending.kept.step if ending.kept is not None else last.step,
            timestamp_ms=last.timestamp_ms,
            metrics=frozenset(last.metrics) | {key for key, _ in replicate.logged},
            stopped_early=ending.reason,
            params=as_params({**self.lease.condition, "seed": replicate.seed}),
            tags={
                tags.STUDY: self.context.study.name,
                **self.runs.tags(self.assignment.tags[tags.ROLE]),
                **own,
                **aggregate.kept_tags(ending),
            },
        )

    def as_told(self) -> ToldTrial:
        """Return the trial as the search will have it."""
        verdict = self.lease.attributes.get(tags.VERDICT)
        attributes = {**self.told().attributes, **({tags.VERDICT: verdict} if verdict is not None else {})}
        return ToldTrial(number=self.assignment.of, condition=self.lease.condition, attributes=attributes)

    def ended(self) -> list[Replicate]:
        """Return the replicates that have a result, in order."""
        return [self.results[r] for r in sorted(self.results)]

"""Stop trainings before their end: a trial that the pruner rejects, a replicate that no longer improves.

A pruner over steps sees a trial as the mean (or the number of `objective.over`) over the replicates that have reached a
step. A replicate that runs after others joins their means as it goes. A pruner that counts epochs sees one value for
each epoch. A pruner over replicates sees each finished replicate's objective.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rothamsted import catalog
from rothamsted.analysis.values import Replicate
from rothamsted.records import Measured, Outcome, Stopped
from rothamsted.search import Lease
from rothamsted.spec import Sweep
from rothamsted.statistics.centres import MEAN, centre_of, words_of
from rothamsted.sweeping.opened import Opened

EPOCH_SLACK = 1e-6  # 3 x (1 / 3) is an epoch


@dataclass(kw_only=True)
class TrialJudge:
    """Judges one claimed trial.

    Attributes:
        context: the sweep.
        lease: lease of the trial.
        prunes: whether the sweep's pruner may end it.
    """

    context: Opened
    lease: Lease
    prunes: bool
    _curves: dict[int, dict[int, float]] = field(default_factory=dict)  # replicate -> step or epoch -> value
    _is_new: bool = False  # a value has come that the pruner has not been asked about
    _reported: set[int] = field(default_factory=set)  # replicates whose score the search has

    @property
    def over(self) -> str:
        """Return what the sweep's pruner looks at: steps, replicates, or nothing if there is no pruner."""
        pruner = self.context.sweep.pruner
        if pruner is None or not self.prunes:
            return "nothing"
        return catalog.PRUNERS[pruner.name].over

    def note(self, replicate: int, measured: Measured) -> None:
        """Remember a measurement of a replicate."""
        value = measured.metrics.get(self.context.sweep.objective.metric)
        if self.over == "steps" and value is not None and math.isfinite(value):  # a diverged one is judged as that
            curve, point = self._curves.setdefault(replicate, {}), self._point(measured)
            if point is not None and not (self._in_epochs and point in curve):  # the first of an epoch's counts
                curve[point], self._is_new = float(value), True

    def remember(self, results: Iterable[Replicate], histories: Mapping[str, Sequence[Measured]]) -> None:
        """Remember the measurements of ended replicates, by run."""
        for result in results:
            for measured in histories.get(result.run_id, ()):
                self.note(result.number, measured)

    def at(self, measured: Measured) -> str:
        """Say why the trial is pruned at the step or epoch just measured; empty: it goes on.

        Raises:
            LostError: another worker has the trial; nothing is written.
        """
        step = self._point(measured)
        if self.over != "steps" or step is None or not self._is_new:
            return ""
        self._is_new, means = False, self._means(step)
        if step not in means:
            return ""
        self.lease.report(step, means[step])
        if not self.context.queue.should_prune(self.lease, step, means):
            return ""
        n = sum(step in curve for curve in self._curves.values())
        objective = self.context.sweep.objective
        metric, over = objective.metric, f", the {words_of(objective.over)} over {n} replicates" if n > 1 else ""
        unit = "epoch" if self._in_epochs else "step"
        return f"at {unit} {step} by pruner {self._name}: {metric} {means[step]:.6g}{over}"

    def after_replicates(self, results: Sequence[Replicate], *, is_over: bool) -> str:
        """Say why the trial is pruned after the replicates finished so far; empty: it goes on.

        After the last one there is nothing to decide, but it is reported, because other trials are compared with it.

        Raises:
            LostError: another worker has the trial; nothing is written.
        """
        scores = {r.number: r.objective for r in results if math.isfinite(r.objective)}
        if self.over != "replicates" or not scores:
            return ""
        for replicate in sorted(scores.keys() - self._reported):
            self.lease.report(replicate, scores[replicate])
            self._reported.add(replicate)
        if is_over or not self.context.queue.should_prune(self.lease, max(scores), scores):
            return ""
        return f"after {len(scores)} replicates by pruner {self._name}"

    @property
    def _in_epochs(self) -> bool:
        pruner = self.context.sweep.pruner
        return pruner is not None and pruner.in_epochs

    def _point(self, measured: Measured) -> int | None:
        """Where the pruner sees a measurement: at its step, or at the whole epochs that are over; None: nowhere."""
        if not self._in_epochs:
            return measured.step
        n_epochs = math.floor(measured.epoch + EPOCH_SLACK) if measured.epoch is not None else 0
        return n_epochs or None

    @property
    def _name(self) -> str:
        return self.context.sweep.pruner.name if self.context.sweep.pruner is not None else ""

    def _means(self, last_step: int) -> dict[int, float]:
        """Step -> mean, or what `objective.over` names, over the replicates that have measured it, up to a step."""
        over = self.context.sweep.objective.over
        steps = sorted({step for curve in self._curves.values() for step in curve if step <= last_step})
        means = {}
        for step in steps:
            values = [curve[step] for curve in self._curves.values() if step in curve]
            means[step] = sum(values) / len(values) if over == MEAN else centre_of(np.array(values), over)
        return means


@dataclass(kw_only=True)
class Patience:
    """Stops a replicate if its own curve has not improved for a number of measurements."""

    sweep: Sweep
    _best: float = math.nan
    _n_since: int = 0

    def stopped(self, measured: Measured) -> Stopped | None:
        """Return how the replicate ends with this measurement; None: it goes on."""
        early, stopping = self.sweep.early_stopping, self.sweep.stopping
        if early is None or stopping is None:
            return None
        metric, direction = stopping
        value = measured.metrics.get(metric)
        if value is None:
            return None
        sign = 1.0 if direction == "minimize" else -1.0
        if math.isnan(self._best) or sign * value < sign * self._best - early.min_delta:
            self._best, self._n_since = float(value), 0
            return None
        self._n_since += 1
        if self._n_since < early.patience:
            return None
        reason = (
            f"at step {measured.step}: {metric} has not improved on {self._best:.6g} for {early.patience} measurements"
        )
        return Stopped(outcome=Outcome.FINISHED, reason=reason)

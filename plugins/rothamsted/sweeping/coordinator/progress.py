"""Show the progress of a sweep: counts, times, and the best condition so far.

On a terminal it is one live block, in a notebook a line that is overwritten. Elsewhere (a log file, MLflow's capture)
it is a plain line every few seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rothamsted import tags
from rothamsted.analysis.independent import independent
from rothamsted.analysis.ranking import only, ranked, scores_of
from rothamsted.analysis.read_search import dataset_of
from rothamsted.analysis.told_replicates import told_outcomes
from rothamsted.analysis.typed import short
from rothamsted.analysis.values import Dataset
from rothamsted.metric import Metric, declared
from rothamsted.printable import printable
from rothamsted.records import Outcome
from rothamsted.search import ToldTrial
from rothamsted.spec import Sweep
from rothamsted.sweeping.coordinator.notebook_line import NotebookLine, notebook_line
from rothamsted.sweeping.trial_summary import describe_estimate, summary_of
from rothamsted.wording import verb

PLAIN_SECONDS = 5.0  # between two lines when the output is not a terminal

Place = tuple[bool, int, int]  # one replicate: whether it is on fresh seeds, its condition, its number


@dataclass(frozen=True, kw_only=True)
class RunningReplicate:
    """Describes a replicate that a worker runs."""

    is_fresh: bool  # on a seed that the search has not used
    number: int  # of its trial in that queue
    trial: int  # of the search
    replicate: int
    name: str  # what it is called in messages

    @property
    def place(self) -> Place:
        """Give the key under which it is counted."""
        return self.is_fresh, self.trial, self.replicate


@dataclass(kw_only=True)
class Progress:
    """Counts replicates, each once, and keeps the best condition, from the workers' events."""

    sweep: Sweep
    n_search: int  # replicates of the search; of a race those that are decided
    n_confirm: int  # replicates of the confirmation
    n_replicates: int  # of one condition, where nothing is pruned
    console: Console
    names_best: bool = True  # of a contest nobody is named, nor where conditions are compared over tasks
    clock: Callable[[], float] = time.monotonic
    ended: dict[Place, str] = field(default_factory=dict)  # replicates with a final outcome
    running: dict[RunningReplicate, str] = field(default_factory=dict)  # -> its worker
    metrics: Mapping[str, Metric] = field(default_factory=dict)  # what is declared of them
    race: Mapping[str, Any] | None = None  # what the sweep says of its race
    best: Dataset | None = None  # the best condition alone
    _now: set[Place] = field(default_factory=set)  # of those that ended, in this session
    _spared: dict[int, int] = field(default_factory=dict)  # pruned condition -> replicates that it need not run
    _said_of_models: set[str] = field(default_factory=set)
    _started: float = 0.0
    _printed: float = 0.0
    _live: Live | None = None
    _cell: NotebookLine | None = None

    def open(self, found: Dataset) -> None:
        """Begin with what earlier sessions have finished."""
        n_of = Counter(one.condition for one in found.replicates if one.phase == "search")
        self.ended = {(one.phase == "confirm", one.condition, one.number): one.outcome for one in found.replicates}
        if found.n_repeated:  # conditions that an earlier version trained again: they count once
            n_there, n_left = len(found.conditions), self.n_search // self.n_replicates - found.n_repeated
            self.n_search = max(n_left, n_there) * self.n_replicates
        self._spared = {c.number: self.n_replicates - n_of[c.number] for c in found.conditions if c.pruned}
        self.best = _best(found)
        self._started = self._printed = self.clock()
        self._cell = notebook_line(self.clock, is_jupyter=self.console.is_jupyter)
        if self._cell is None and self.console.is_terminal:
            self._live = Live(get_renderable=self._line, console=self.console, refresh_per_second=4)
            self._live.start()

    def on_start(self, worker: str, event: Mapping[str, Any]) -> None:
        """Count a replicate that has started, perhaps again after a failure."""
        running = _running(event)
        self.running[running] = worker
        self.ended.pop(running.place, None)
        self._now.discard(running.place)

    def on_end(self, event: Mapping[str, Any]) -> None:
        """Count a replicate that has ended."""
        running = _running(event)
        self.running.pop(running, None)
        if event["is_final"]:
            self.ended[running.place] = event["outcome"]
            self._now.add(running.place)
        if event["outcome"] == Outcome.FAILED.value:
            self.say(f"{running.name} failed: {event['reason']}")
        if (problem := event.get("model_problem")) and problem not in self._said_of_models:
            self._said_of_models.add(problem)  # the count of each is printed at the end
            self.say(f"{running.name} has no model: {problem}")

    def on_trial(self, event: Mapping[str, Any]) -> None:
        """Count a trial that has ended, for now or for good. A trial on fresh seeds does not count for the search.

        A changed file may have given its replicates other outcomes.
        """
        for replicate, outcome in told_outcomes(event["result"]).items():
            self.ended[event["is_fresh"], event["trial"], replicate] = outcome
        if event["is_fresh"]:
            return
        verdict = {tags.VERDICT: {"verdict": event["race"]}} if event["race"] else {}
        told = ToldTrial(
            number=event["trial"],
            condition=event["condition"],
            attributes={tags.RESULT: event["result"], **verdict},
        )
        if event["result"].get("pruned"):
            self._spared[told.number] = event["n_spared"]
        self.best = _best(_joined(dataset_of(self.sweep, [told]), self.best))

    def on_round(self, race: Mapping[str, Any], found: Dataset) -> None:
        """Note that a round of the race, or its end, has begun."""
        self.race = race
        self.n_search = race["n_planned"]
        self.best = _best(found)
        self.say(_race(race))

    def on_death(self, worker: str) -> list[RunningReplicate]:
        """Count a dead worker, and return the replicates that it was running."""
        lost = [key for key, owner in self.running.items() if owner == worker]
        for key in lost:
            del self.running[key]
        return lost

    def tick(self) -> None:
        """Print the plain line when it is due."""
        if self._cell is not None:
            self._cell.write(printable(str(self._line())))
        elif self._live is None and self.clock() - self._printed >= PLAIN_SECONDS:
            self._printed = self.clock()
            self.console.print(self._line(), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line above the live block."""
        self.console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """End the live block and leave its last state on the screen."""
        if self._live is not None:
            self._live.stop()
        elif self._cell is not None:
            self._cell.write(printable(str(self._line())), is_last=True)
        else:
            self.console.print(self._line(), soft_wrap=True)

    @property
    def n_planned(self) -> int:
        """Return the number of replicates that will have ended when all is done."""
        return self.n_search + self.n_confirm - sum(self._spared.values())

    def _line(self) -> Text:
        n_of, n_ended = Counter(self.ended.values()), len(self.ended)
        failed = n_of[Outcome.FAILED.value]
        left = max(0, self.n_planned - n_ended)
        elapsed = self.clock() - self._started
        parts = [
            f"{n_ended - failed} done",
            f"{len(self.running)} running",
            f"{failed} failed",
            f"{max(0, left - len(self.running))} remaining",
            f"elapsed {_time(elapsed)}",
            f"expected {_time(left * elapsed / len(self._now))} more"
            if self._now
            else "expected: after the first replicate",
        ]
        odd = [(n_of[o.value], o.value) for o in (Outcome.DIVERGED, Outcome.PRUNED) if n_of[o.value]]
        if odd:
            parts.insert(1, "of them " + ", ".join(f"{n} {what}" for n, what in odd))
        if any(running.place[0] for running in self.running):
            parts.append("confirming on fresh seeds")
        elif self.race is not None:
            parts.append(_race(self.race))
        return Text("\n  ".join([" | ".join(parts), *self._best_line()]))

    def _best_line(self) -> list[str]:
        if self.best is None or not self.names_best:
            return []
        values = self.best.conditions[0].values
        shown = ", ".join(f"{key}={short(value)}" for key, value in values.items())
        how = self.sweep.statistics
        metric = declared(self.metrics, self.sweep.objective.metric)
        scores = scores_of(independent(self.best).replicates)
        summary = summary_of(scores, how, metric, over=self.sweep.objective.over)
        return [f"best so far: {shown}: {describe_estimate(summary, how.level)}"]


def _best(found: Dataset) -> Dataset | None:
    """The best condition of the search alone."""
    searched = replace(found, replicates=tuple(one for one in found.replicates if one.phase == "search"))
    best = ranked(searched)[:1]
    return only(searched, best) if best else None


def _joined(new: Dataset, before: Dataset | None) -> Dataset:
    """What was told now, beside the best before, unless that is the same condition."""
    if before is None or before.conditions[0].number == new.conditions[0].number:
        return new
    return replace(
        new,
        conditions=(*new.conditions, *before.conditions),
        replicates=(*new.replicates, *before.replicates),
    )


def _running(event: Mapping[str, Any]) -> RunningReplicate:
    of_queue = {"is_fresh": event["is_fresh"], "number": event["number"], "trial": event["trial"]}
    name = f"{event['name']} replicate {event['replicate']}"
    return RunningReplicate(**of_queue, replicate=event["replicate"], name=name)


def _race(race: Mapping[str, Any]) -> str:
    dropped = f"{race['n_dropped']} of {race['n_conditions']} conditions dropped"
    go_on = f"{race['n_in']} {verb(race['n_in'], 'goes', 'go')} on"
    if not race["n_in"]:
        return f"race: over, {dropped}"
    return f"race: round {race['round'] + 1}, {dropped}, {go_on} to {race['n_replicates']} replicates"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""What the terminal shows while a sweep runs: counts, times, the best condition so far, and the table at the end.

Apart from the coordinator because it only reads. On a terminal it is one live block; elsewhere (a log file,
MLflow's capture) it is a plain line every few seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rothamsted.records import Outcome
from rothamsted.spec import Sweep
from rothamsted.sweep.results import ConditionResult, pareto_front, ranked, result_of, short
from rothamsted.sweep.trial_summary import describe_estimate

PLAIN_SECONDS = 5.0  # between two lines when the output is not a terminal


@dataclass(frozen=True, kw_only=True)
class Running:
    """A replicate in the hands of a worker."""

    phase: str  # search, confirm or duel
    number: int  # of its trial in the queue of its phase
    trial: int  # of the search
    replicate: int

    @property
    def name(self) -> str:
        """What it is called in messages, as its run is."""
        phase = {"search": "", "confirm": "confirm of ", "duel": "duel "}[self.phase]
        return f"{phase}trial {self.trial} replicate {self.replicate}"


@dataclass(kw_only=True)
class Progress:
    """Counts replicates and keeps the best condition, from the workers' events."""

    n_search: int  # replicates of the search; of a race those that are decided
    n_confirm: int  # replicates of the confirmation
    n_replicates: int  # of one condition, where nothing is pruned
    direction: str
    level: float
    console: Console
    names_best: bool = True  # of a duel nobody is named before all have ended
    clock: Callable[[], float] = time.monotonic
    ended: Counter[str] = field(default_factory=Counter)  # replicates with a final outcome
    n_before: int = 0  # of those, ended before this sitting
    running: dict[Running, str] = field(default_factory=dict)  # -> its worker
    race: Mapping[str, Any] | None = None  # what the sweep says of its race
    best: ConditionResult | None = None
    _said_of_models: set[str] = field(default_factory=set)
    _started: float = 0.0
    _printed: float = 0.0
    _live: Live | None = None

    def open(self, results: Sequence[ConditionResult], confirmed: Sequence[ConditionResult] = ()) -> None:
        """Begin with what earlier sittings have finished."""
        for result in (*results, *confirmed):
            self.ended.update(result.outcomes)
        self.n_search -= sum(self.n_replicates - sum(r.outcomes.values()) for r in results if r.pruned)
        self.n_before = self.ended.total()
        self.best = next(iter(ranked(results, self.direction)), None)
        self._started = self._printed = self.clock()
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._line, console=self.console, refresh_per_second=4)
            self._live.start()

    def on_start(self, worker: str, event: Mapping[str, Any]) -> None:
        """A replicate has started."""
        self.running[_running(event)] = worker

    def on_end(self, event: Mapping[str, Any]) -> None:
        """A replicate has ended."""
        running = _running(event)
        self.running.pop(running, None)
        if event["is_final"]:
            self.ended[event["outcome"]] += 1
        if event["outcome"] == Outcome.FAILED.value:
            self.say(f"{running.name} failed: {event['reason']}")
        if (problem := event.get("model_problem")) and problem not in self._said_of_models:
            self._said_of_models.add(problem)  # the count of each is printed at the end
            self.say(f"{running.name} has no model: {problem}")

    def on_trial(self, event: Mapping[str, Any]) -> None:
        """A trial has ended, for now or for good."""
        if event["phase"] != "search":
            return
        result = result_of(event["trial"], event["condition"], event["result"], race=event["race"])
        if result.pruned:
            self.n_search -= event["n_spared"]
        candidates = [result] + ([self.best] if self.best is not None and self.best.number != result.number else [])
        self.best = next(iter(ranked(candidates, self.direction)), None)

    def on_round(self, race: Mapping[str, Any], results: Sequence[ConditionResult]) -> None:
        """A round of the race has begun, or its end."""
        self.race = race
        self.n_search = race["n_planned"]
        self.best = next(iter(ranked(results, self.direction)), None)
        self.say(_race(race))

    def on_death(self, worker: str) -> list[Running]:
        """A worker has died; returns the replicates that it was running."""
        lost = [key for key, owner in self.running.items() if owner == worker]
        for key in lost:
            del self.running[key]
        return lost

    def tick(self) -> None:
        """Print the plain line when it is due."""
        if self._live is None and self.clock() - self._printed >= PLAIN_SECONDS:
            self._printed = self.clock()
            self.console.print(self._line(), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line above the live block."""
        self.console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """End the live block and leave its last state on the screen."""
        if self._live is not None:
            self._live.stop()
        else:
            self.console.print(self._line(), soft_wrap=True)

    def _line(self) -> Text:
        failed = self.ended[Outcome.FAILED.value]
        n_replicates = self.n_search + self.n_confirm
        remaining = max(0, n_replicates - self.ended.total() - len(self.running))
        elapsed = self.clock() - self._started
        done_now = self.ended.total() - self.n_before
        left = (n_replicates - self.ended.total()) * elapsed / done_now if done_now else None
        parts = [
            f"{self.ended.total() - failed} done",
            f"{len(self.running)} running",
            f"{failed} failed",
            f"{remaining} remaining",
            f"elapsed {_time(elapsed)}",
            f"expected {_time(left)} more" if left is not None else "expected: after the first replicate",
        ]
        odd = [(self.ended[o.value], o.value) for o in (Outcome.DIVERGED, Outcome.PRUNED) if self.ended[o.value]]
        if odd:
            parts.insert(1, "of them " + ", ".join(f"{n} {what}" for n, what in odd))
        if any(running.phase == "confirm" for running in self.running):
            parts.append("confirming on fresh seeds")
        elif self.race is not None:
            parts.append(_race(self.race))
        text = " | ".join(parts)
        if self.best is not None and self.names_best:
            condition = ", ".join(f"{k}={short(v)}" for k, v in self.best.condition.items())
            text += f"\n  best so far: {condition}: {describe_estimate(self.best.summary, self.level)}"
        return Text(text)


def best_table(results: Sequence[ConditionResult], sweep: Sweep, *, n_shown: int = 10) -> Table:
    """The best conditions, best first, each with mean, interval and n; with several objectives the Pareto set first."""
    metric, direction, level = sweep.objective.metric, sweep.objective.direction, sweep.statistics.level
    in_order = ranked(results, direction)
    best, front = in_order[:n_shown], {r.number for r in pareto_front(in_order, direction)}
    further = [other["metric"] for other in in_order[0].others] if in_order else []
    is_race = any(r.race for r in results)
    names = list(dict.fromkeys(key for r in best for key in r.condition))
    is_several = bool(further)
    which = "Conditions on the Pareto set first, by" if is_several else "Best conditions by"
    picked = "those on the set are" if is_several else "the first is"
    table = Table(
        title=escape(f"{which} mean {metric} ({direction})"),
        caption=f"the search's own estimates: {picked} picked for looking best, so the mean is optimistic",
    )
    table.add_column("trial", justify="right")
    for name in names:
        table.add_column(escape(name), justify="right")
    of_further = [header for other in further for header in (f"mean {other}", "interval", "n")]
    last = [*(["Pareto set"] * is_several), *(["race"] * is_race)]
    for header in ("mean", f"{100 * level:g} % interval (t)", "n", *of_further, *last):
        table.add_column(escape(header), justify="right")
    for r in best:
        row = [str(r.number), *(short(r.condition.get(key, "")) for key in names), *_cells(r.summary)]
        row += [cell for other in r.others for cell in _cells(other["summary"])]
        row += ["yes" if r.number in front else "no"] * is_several
        table.add_row(*row, *([r.race or "racing"] * is_race))
    return table


def _cells(summary: Mapping[str, Any]) -> tuple[str, str, str]:
    low, high = summary.get("ci_low"), summary.get("ci_high")
    interval = "none (n = 1)" if low is None else f"{low:.5g} to {high:.5g}"
    return f"{summary['mean']:.5g}", interval, str(int(summary["n"]))


def _running(event: Mapping[str, Any]) -> Running:
    return Running(phase=event["phase"], number=event["number"], trial=event["trial"], replicate=event["replicate"])


def _race(race: Mapping[str, Any]) -> str:
    dropped = f"{race['n_dropped']} of {race['n_conditions']} conditions dropped"
    if not race["n_in"]:
        return f"race: over, {dropped}"
    return f"race: round {race['round'] + 1}, {dropped}, {race['n_in']} go on to {race['n_replicates']} replicates"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

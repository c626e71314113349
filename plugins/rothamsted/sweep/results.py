"""The results of a sweep read back from the search: a table of conditions, the best ones, the record's texts.

Apart from the coordinator because a finished, a running and a resumed sweep are all read in this one way.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rothamsted import tags
from rothamsted.records import Outcome
from rothamsted.search import Queue
from rothamsted.statistics.pareto import pareto_set

DROPPED = "dropped after "
STATISTICS = ("n", "mean", "sd", "sem", "ci_low", "ci_high", "median", "min", "max")


@dataclass(frozen=True, kw_only=True)
class ConditionResult:
    """One finished trial: its condition, the objective's summary over replicates, and how replicates ended."""

    number: int
    condition: Mapping[str, Any]
    summary: Mapping[str, Any]  # statistic -> value; None where it is undefined, empty without a score
    outcomes: Mapping[str, int]  # outcome -> replicates
    replicates: Sequence[Mapping[str, Any]]
    run_id: str
    race: str = ""  # how it left the race: "dropped after 5", "narrow after 7", "survived"
    ended_ms: int = 0  # when it was told last, milliseconds since 1970
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # replicate -> {"uri"} or {"problem"}
    others: Sequence[Mapping[str, Any]] = ()  # further objectives: metric, direction, summary
    violations: Sequence[float] = ()  # of each constraint; at most 0: it holds
    pruned: str = ""  # why it was pruned

    @property
    def mean(self) -> float | None:
        """The objective's mean over replicates; None if there is none, one diverged, or the trial was pruned."""
        return None if self.means is None else self.means[0]

    @property
    def means(self) -> tuple[float, ...] | None:
        """The mean of every objective, where all have one."""
        if self.outcomes.get(Outcome.DIVERGED.value) or self.pruned:
            return None
        found = [summary.get("mean") for summary in (self.summary, *(other["summary"] for other in self.others))]
        return None if None in found else tuple(float(mean) for mean in found if mean is not None)

    @property
    def is_feasible(self) -> bool:
        """Whether every constraint holds."""
        return all(violation <= 0 for violation in self.violations)

    @property
    def dropped_after(self) -> int:
        """Replicates after which it was dropped from the race; 0: it was not."""
        return int(self.race.removeprefix(DROPPED)) if self.race.startswith(DROPPED) else 0


def read_results(queue: Queue) -> list[ConditionResult]:
    """Every finished trial in order."""
    results = []
    for trial in queue.finished_trials():
        result = trial.user_attrs.get(tags.RESULT)
        if result is None:
            continue  # made by another program in the same storage
        verdict = trial.user_attrs.get(tags.VERDICT, {"verdict": ""})["verdict"]
        run_id, condition = trial.user_attrs[tags.RUN_ID], queue.condition_of(trial)
        found = result_of(trial.number, condition, result, run_id, race=verdict)
        results.append(replace(found, ended_ms=_milliseconds(trial.datetime_complete)))
    return results


def result_of(
    number: int, condition: Mapping[str, Any], result: Mapping[str, Any], run_id: str = "", race: str = ""
) -> ConditionResult:
    """A result from the attribute that the search keeps."""
    return ConditionResult(
        number=number,
        condition=condition,
        summary=result["summary"],
        outcomes=result["outcomes"],
        replicates=result["replicates"],
        run_id=run_id,
        race=race,
        models=result.get("models", {}),
        others=result.get("others", ()),
        violations=result.get("violations", ()),
        pruned=result.get("pruned", ""),
    )


def ranked(results: Sequence[ConditionResult], direction: str) -> list[ConditionResult]:
    """The conditions with a mean that keep every constraint, best first; ties by trial number.

    With several objectives those of the Pareto set come first, in the order of the first objective. Those that
    a race dropped come after all others, the last dropped first: their means are over fewer seeds.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    scored = [r for r in results if r.mean is not None and math.isfinite(r.mean) and r.is_feasible]
    front = {r.number for r in pareto_front(scored, direction)}

    def place(result: ConditionResult) -> tuple[Any, ...]:
        is_beaten = bool(result.others) and result.number not in front
        mean = sign * float(result.mean or 0.0)
        return result.dropped_after > 0, -result.dropped_after, is_beaten, mean, result.number

    return sorted(scored, key=place)


def pareto_front(results: Sequence[ConditionResult], direction: str) -> list[ConditionResult]:
    """The conditions that no other beats in every objective, by their means; all of them with one objective."""
    if not results or not results[0].others:
        return list(results)
    directions = [direction, *(other["direction"] for other in results[0].others)]
    signs = np.array([1.0 if one == "minimize" else -1.0 for one in directions])
    costs = np.array([r.means or [math.nan] * len(signs) for r in results]) * signs
    return [r for r, is_in in zip(results, pareto_set(costs), strict=True) if is_in]


def outcome_counts(results: Sequence[ConditionResult]) -> Counter[str]:
    """Replicates by outcome over all finished trials."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.outcomes)
    return total


def conditions_csv(
    results: Sequence[ConditionResult], names: Sequence[str], *, direction: str, constraints: Sequence[str] = ()
) -> str:
    """One line a condition: parameters, counts, the objective's statistics, run id; then what only some sweeps have.

    That is its fate in a race, why it was pruned, the statistics of further objectives, whether it is on the Pareto
    set, whether it keeps every constraint, and each constraint's violation.
    """
    header = ["trial", *names, *(f"n_{o.value}" for o in Outcome), *STATISTICS, "run_id"]
    columns = _more_columns(results, direction, constraints)
    rows = [
        [
            r.number,
            *(r.condition.get(name, "") for name in names),
            *(r.outcomes.get(o.value, 0) for o in Outcome),
            *(_cell(r.summary.get(statistic)) for statistic in STATISTICS),
            r.run_id,
            *(column[row] for column in columns.values()),
        ]
        for row, r in enumerate(results)
    ]
    return csv_text([*header, *columns], rows)


def _more_columns(
    results: Sequence[ConditionResult], direction: str, constraints: Sequence[str]
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    if any(r.race for r in results):
        columns["race"] = [r.race for r in results]
    if any(r.pruned for r in results):
        columns["pruned"] = [r.pruned for r in results]
    for index, metric in enumerate(other["metric"] for other in (results[0].others if results else ())):
        for statistic in STATISTICS:
            columns[f"{metric}/{statistic}"] = [_cell(r.others[index]["summary"].get(statistic)) for r in results]
    if results and results[0].others:
        front = {r.number for r in pareto_front(ranked(results, direction), direction)}
        columns["on_pareto_set"] = [_yes(r.number in front) for r in results]
    if constraints:
        columns["feasible"] = ["" if not r.violations else _yes(r.is_feasible) for r in results]
    for index, constraint in enumerate(constraints):
        columns[f"violation of {constraint}"] = [r.violations[index] if r.violations else "" for r in results]
    return columns


def replicates_csv(results: Sequence[ConditionResult], names: Sequence[str]) -> str:
    """One line a replicate: parameters, seed, outcome, objectives, run id."""
    others = [other["metric"] for other in (results[0].others if results else ())]
    keys = ("replicate", "seed", "outcome", "objective", "run_id")
    rows = [
        [
            r.number,
            *(r.condition.get(name, "") for name in names),
            *(_cell(one[key]) for key in keys),
            *(one.get("others") or [""] * len(others)),
        ]
        for r in results
        for one in r.replicates
    ]
    return csv_text(["trial", *names, *keys, *others], rows)


def short(value: Any) -> str:
    """A parameter's value as tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1000)  # as `rows.utc_now` wrote it


def csv_text(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()

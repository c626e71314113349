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
from rothamsted.sweep.aggregate import describe_estimate

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
        if self.outcomes.get(Outcome.DIVERGED.value) or self.pruned or not self.summary:
            return None
        return self.summary["mean"]

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
    costs = [
        [
            mean if way == "minimize" else -mean
            for way, mean in (
                (direction, float(r.summary["mean"])),
                *((other["direction"], _mean(other["summary"])) for other in r.others),
            )
        ]
        for r in results
    ]
    return [r for r, is_in in zip(results, pareto_set(np.array(costs)), strict=True) if is_in]


def outcome_counts(results: Sequence[ConditionResult]) -> Counter[str]:
    """Replicates by outcome over all finished trials."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.outcomes)
    return total


def conditions_csv(results: Sequence[ConditionResult], names: Sequence[str]) -> str:
    """One line a condition: parameters, counts, the objective's statistics, run id; its fate where there is a race."""
    is_race = any(r.race for r in results)
    header = ["trial", *names, *(f"n_{o.value}" for o in Outcome), *STATISTICS, "run_id", *(["race"] * is_race)]
    rows = [
        [
            r.number,
            *(r.condition.get(name, "") for name in names),
            *(r.outcomes.get(o.value, 0) for o in Outcome),
            *(_cell(r.summary.get(statistic)) for statistic in STATISTICS),
            r.run_id,
            *([r.race] * is_race),
        ]
        for r in results
    ]
    return csv_text(header, rows)


def replicates_csv(results: Sequence[ConditionResult], names: Sequence[str]) -> str:
    """One line a replicate: parameters, seed, outcome, objective, run id."""
    header = ["trial", *names, "replicate", "seed", "outcome", "objective", "run_id"]
    rows = [
        [
            r.number,
            *(r.condition.get(name, "") for name in names),
            *(_cell(one[key]) for key in ("replicate", "seed", "outcome", "objective", "run_id")),
        ]
        for r in results
        for one in r.replicates
    ]
    return csv_text(header, rows)


def description(
    results: Sequence[ConditionResult],
    *,
    name: str,
    question: str,
    metric: str,
    direction: str,
    level: float,
    n_trials: int,
    n_shown: int = 10,
) -> str:
    """The sweep in Markdown, as MLflow shows it on the sweep's run."""
    best = ranked(results, direction)
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcome_counts(results).items()))
    lines = [f"## Sweep {name}", "", question, ""] if question else [f"## Sweep {name}", ""]
    lines += [f"{len(results)} of {n_trials} conditions finished; replicates: {counts or 'none'}.", ""]
    if not best:
        return "\n".join([*lines, "No condition has a score.", ""])
    names = list(dict.fromkeys(key for r in best for key in r.condition))
    if any(r.race for r in results):
        lines += [f"{race_text(results)} Among the dropped, the last dropped come first.", ""]
    race = " race |" if any(r.race for r in results) else ""
    lines += [
        f"Best conditions by mean {metric} ({direction}). These are the search's own estimates: the first is "
        "picked because it looked best, so its mean is optimistic.",
        "",
        "| trial | " + " | ".join(names) + f" | {metric} |{race}",
        "|---|" + "---|" * (len(names) + 1 + bool(race)),
    ]
    lines += [
        f"| {r.number} | "
        + " | ".join(short(r.condition.get(key, "")) for key in names)
        + f" | {describe_estimate(r.summary, level)} |"
        + (f" {r.race or 'racing'} |" if race else "")
        for r in best[:n_shown]
    ]
    return "\n".join([*lines, ""])


def race_text(results: Sequence[ConditionResult]) -> str:
    """The race in a sentence."""
    n_in = {"dropped": 0, "survived": 0, "narrow": 0, "racing": 0}
    for result in results:
        n_in[result.race.split(" ")[0] or "racing"] += 1
    counts = ", ".join(f"{n} {word}" for word, n in n_in.items() if n)
    return f"Race, {sum(sum(r.outcomes.values()) for r in results)} replicates: {counts}."


def short(value: Any) -> str:
    """A parameter's value as tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _mean(summary: Mapping[str, Any]) -> float:
    return math.nan if summary.get("mean") is None else float(summary["mean"])


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

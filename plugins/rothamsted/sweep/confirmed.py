"""What a confirmation found: search estimate, confirmed estimate, and the difference, which is what luck was worth.

Apart from running it, because a finished, a running and a resumed sweep are all read in this one way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from rothamsted import tags
from rothamsted.analysis.luck import luck_of
from rothamsted.analysis.values import Luck
from rothamsted.publish.description import LUCK_NOTE, luck_text
from rothamsted.records import MetricPoint, Outcome
from rothamsted.search import Queue
from rothamsted.sweep.results import STATISTICS, ConditionResult, csv_text, read_results, short
from rothamsted.sweep.trial_summary import describe_estimate

REPORTED = ("mean", "sd", "sem", "ci_low", "ci_high", "n")  # metrics of the sweep run, `confirmed/mean` and so on

MOST_SHOWN = 10  # conditions in descriptions and on the terminal; the CSV has all


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """One condition on the search's seeds and on fresh ones."""

    search: ConditionResult
    confirmed: ConditionResult  # number and condition of the search; runs, summary and counts of the confirmation
    direction: str

    @property
    def luck(self) -> float | None:
        """By how much the search's mean was better than the confirmed one; None where one is missing."""
        if self.search.mean is None or self.confirmed.mean is None:
            return None
        sign = 1.0 if self.direction == "minimize" else -1.0
        return sign * (self.confirmed.mean - self.search.mean)

    def luck_at(self, level: float) -> Luck | None:
        """The luck with Welch's interval; None where a mean is missing."""
        if self.luck is None:
            return None
        search, fresh = _objectives(self.search), _objectives(self.confirmed)
        return luck_of(search, fresh, direction=self.direction, level=level)


def read_confirmations(queue: Queue, winners: Sequence[ConditionResult], direction: str) -> list[Confirmation]:
    """The winners whose replicates have all ended, best of the search first."""
    closed: Mapping[str, Any] = queue.attribute(tags.CONFIRMED, {})
    ended_ms = max((r.ended_ms for r in read_results(queue)), default=0)
    found = []
    for winner in winners:
        result = closed.get(str(winner.number))
        if result is not None:
            confirmed = ConditionResult(
                number=winner.number,
                condition=winner.condition,
                summary=result["summary"],
                outcomes=result["outcomes"],
                replicates=result["replicates"],
                run_id=result["run_id"],
                ended_ms=ended_ms,
            )
            found.append(Confirmation(search=winner, confirmed=confirmed, direction=direction))
    return found


def metric_points(best: Confirmation, *, level: float | None = None) -> list[MetricPoint]:
    """`confirmed/mean` and its kind, and `luck`, of the search's best condition; none where it has no mean.

    Args:
        best: The search's best condition.
        level: Of the interval of luck, `luck/ci_low` and `luck/ci_high`; None: those are left to the analysis.
    """
    timestamp_ms = best.confirmed.ended_ms
    mean, luck = best.confirmed.mean, best.luck
    if mean is None or luck is None:
        return []
    values = {f"confirmed/{key}": best.confirmed.summary.get(key) for key in REPORTED} | {"luck": luck}
    bounds = best.luck_at(level) if level is not None else None
    if bounds is not None and bounds.has_interval:
        values |= {"luck/ci_low": bounds.low, "luck/ci_high": bounds.high}
    return [MetricPoint(key, float(value), timestamp_ms, 0) for key, value in values.items() if value is not None]


def confirmed_csv(confirmations: Sequence[Confirmation], names: Sequence[str]) -> str:
    """One line a confirmed condition: both estimates, their difference, counts, run id."""
    summaries = [f"{which}_{statistic}" for which in ("search", "confirmed") for statistic in STATISTICS]
    counts = [f"n_{o.value}" for o in Outcome]
    rows = [
        [
            c.search.number,
            *(c.search.condition.get(name, "") for name in names),
            *(_cell(which.summary.get(statistic)) for which in (c.search, c.confirmed) for statistic in STATISTICS),
            _cell(c.luck),
            *(c.confirmed.outcomes.get(o.value, 0) for o in Outcome),
            c.confirmed.run_id,
        ]
        for c in confirmations
    ]
    return csv_text(["trial", *names, *summaries, "luck", *counts, "run_id"], rows)


def confirmed_replicates_csv(confirmations: Sequence[Confirmation]) -> str:
    """One line a replicate of the confirmation."""
    keys = ("replicate", "seed", "outcome", "objective", "run_id")
    rows = [
        [c.search.number, *(_cell(one[key]) for key in keys)] for c in confirmations for one in c.confirmed.replicates
    ]
    return csv_text(["trial", *keys], rows)


def markdown(confirmations: Sequence[Confirmation], *, metric: str, level: float, study: str) -> str:
    """The confirmation as a section of the sweep's description."""
    lines = [
        "### Confirmed on fresh seeds",
        "",
        f"The confirmed mean is the estimate to report; its seeds were not used in the search. {_rule(confirmations)}"
        f"{LUCK_NOTE} Its replicates are in the Optuna study {study}.",
        "",
        f"| trial | condition | {metric}, search | {metric}, confirmed | luck of the search |",
        "|---|---|---|---|---|",
    ]
    for c in confirmations[:MOST_SHOWN]:
        estimates = (describe_estimate(c.search.summary, level), _estimate(c.confirmed, level))
        lines.append(f"| {c.search.number} | {_condition(c.search)} | {' | '.join(estimates)} | {_luck(c, level)} |")
    if len(confirmations) > MOST_SHOWN:
        lines += ["", f"All {len(confirmations)} are in statistics/confirmed.csv."]
    return "\n".join([*lines, ""])


def confirmed_table(confirmations: Sequence[Confirmation], *, metric: str, level: float) -> Table:
    """The confirmation in the terminal."""
    table = Table(
        title=escape(f"Confirmed {metric}: the estimate to report"),
        caption="fresh seeds, not used in the search; luck: by how much the search's mean looked better, which it was "
        "picked for, and the interval of this difference",
    )
    table.add_column("trial", justify="right")
    table.add_column("condition")
    for header in ("search", "n", "confirmed", f"{100 * level:g} % interval (t)", "n", "luck"):
        table.add_column(escape(header), justify="right")
    for c in confirmations[:MOST_SHOWN]:
        searched, confirmed = c.search.summary, c.confirmed.summary
        table.add_row(
            str(c.search.number),
            escape(_condition(c.search)),
            f"{searched['mean']:.5g}",
            str(int(searched["n"])),
            *(_cells(confirmed) if c.confirmed.mean is not None else (_estimate(c.confirmed, level), "", "")),
            _luck(c, level),
        )
    return table


def _cells(summary: Mapping[str, Any]) -> tuple[str, str, str]:
    low, high = summary.get("ci_low"), summary.get("ci_high")
    interval = "none (n = 1)" if low is None or high is None else f"{low:.5g} to {high:.5g}"
    return f"{summary['mean']:.5g}", interval, str(int(summary["n"]))


def _rule(confirmations: Sequence[Confirmation]) -> str:
    if len(confirmations) < 2:
        return ""
    return "The first is the winner, chosen before these seeds: to choose again by these means is luck again. "


def _estimate(confirmed: ConditionResult, level: float) -> str:
    """Words for a condition that diverged or failed on some of the fresh seeds."""
    odd = [f"{n} {name}" for name, n in sorted(confirmed.outcomes.items()) if name != Outcome.FINISHED and n]
    if confirmed.mean is None:
        return "no mean: " + (", ".join(odd) or "no score")
    return describe_estimate(confirmed.summary, level) + (f"; {', '.join(odd)}" if odd else "")


def _condition(result: ConditionResult) -> str:
    return ", ".join(f"{key}={short(value)}" for key, value in result.condition.items())


def _luck(confirmation: Confirmation, level: float) -> str:
    luck = confirmation.luck_at(level)
    return "none" if luck is None else luck_text(luck)


def _objectives(result: ConditionResult) -> list[float]:
    """The objective of each replicate that has one."""
    return [float(one["objective"]) for one in result.replicates if one["objective"] is not None]


def _cell(value: Any) -> Any:
    return "" if value is None else value

"""Make DataFrames of an analysis: conditions, replicates, measurements, points of bands, comparisons.

Nothing is computed here: all numbers come from the analysis and its tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rothamsted.analysis.bands import band_of
from rothamsted.analysis.independent import independent
from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Analysis, Axis, Band, Comparisons, Condition, Confirmed, Dataset, Replicate
from rothamsted.metric import declared
from rothamsted.reporting.tables.csv_tables import in_order_of_rank

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {"f": "float64", "i": "int64", "I": "Int64", "s": "str", "b": "bool"}
TIME = "datetime64[ms, UTC]"
_CONDITIONS: Mapping[str, str] = {
    "rank": "I",
    "verdict": "s",
    **dict.fromkeys(("mean", "adjusted_mean", "ci_low", "ci_high", "sd", "min", "max"), "f"),
    **dict.fromkeys(("n", "n_failed", "n_diverged"), "i"),
    "gap_low": "f",
    "gap_high": "f",
    "in_set": "b",
    **dict.fromkeys(("confirmed_mean", "confirmed_low", "confirmed_high"), "f"),
    "confirmed_n": "i",
    "seconds": "f",
    "why": "s",
    "run_id": "s",
}
_COMPARED = ("n", "difference", "low", "high", "p_value", "p_corrected", "probability_better", "is_different")


def conditions_frame(analysis: Analysis) -> pd.DataFrame:
    """Return a row for each condition, best first, those without a rank last; see `Result.conditions`."""
    conditions = {one.number: one for one in analysis.dataset.conditions}
    rank = {number: place for place, number in enumerate(analysis.ranking, start=1)}
    members, confirmed = members_of(analysis.dataset), {one.condition: one for one in analysis.confirmed}
    rows, numbers = [], []
    for summary in in_order_of_rank(analysis, analysis.objective):
        number = summary.condition
        one = analysis.best.verdicts.get(number) if analysis.best else None
        bounds = (summary.interval.low, summary.interval.high) if summary.interval else (math.nan, math.nan)
        numbers.append(number)
        rows.append(
            (
                rank.get(number),
                "best" if number in analysis.ranking[:1] else one.verdict if one else "",
                summary.value,
                summary.adjusted,
                *bounds,
                *(summary.statistics.get(name, math.nan) for name in ("sd", "min", "max")),
                summary.n,
                *(summary.counts.get(outcome, 0) for outcome in ("failed", "diverged")),
                *((one.low, one.high, one.is_in_set) if one else (math.nan, math.nan, number in analysis.ranking[:1])),
                *_confirmed_cells(confirmed.get(number)),
                _mean([r.seconds for r in members[number] if r.outcome == "finished"]),
                _why(conditions[number], members[number], summary.note, is_ranked=number in rank),
                conditions[number].run_id,
            )
        )
    return _frame(analysis.dataset, [conditions[number] for number in numbers], _CONDITIONS, rows)


def replicates_frame(analysis: Analysis) -> pd.DataFrame:
    """Return a row for each replicate, those of the best condition first; see `Result.replicates`."""
    dataset = analysis.dataset.cells or analysis.dataset
    place = {number: rank for rank, number in enumerate(analysis.ranking)} if dataset is analysis.dataset else {}
    ordered = sorted(
        dataset.replicates,
        key=lambda r: (place.get(r.condition, len(place)), r.condition, r.phase == "confirm", _order(r), r.started_ms),
    )
    metrics = sorted({name for one in ordered for name in one.metrics})
    own = {"phase": "s", "seed": _kind_of_seeds(ordered), "outcome": "s", "objective": "f"}
    last = {"seconds": "f", "started": TIME, "reason": "s", "run_id": "s", "model": "s"}
    taken = {*own, *last, *_names(dataset, {*own, *last}).values()}
    columns = {**own, **{f"metric.{name}" if name in taken else name: "f" for name in metrics}, **last}
    rows = [
        (
            one.phase,
            _seed(one) if own["seed"] != "s" else one.seed,
            one.outcome,
            one.objective,
            *(one.metrics.get(name, math.nan) for name in metrics),
            one.seconds,
            one.started_ms or None,
            one.reason,
            one.run_id,
            one.model,
        )
        for one in ordered
    ]
    conditions = {one.number: one for one in dataset.conditions}
    return _frame(dataset, [conditions[one.condition] for one in ordered], columns, rows)


def has_curve(dataset: Dataset, metric: str, *, samples: bool) -> bool:
    """Return whether some replicate has a curve of a metric, and with `samples` also the samples seen at each point."""
    found = [one.series[metric] for one in dataset.replicates if metric in one.series]
    return any(not samples or one.samples is not None for one in found)


def curves_frame(dataset: Dataset, metric: str, ranking: Sequence[int], *, has_samples: bool = False) -> pd.DataFrame:
    """Return a row for each measurement of one metric, those of the best condition first; see `Result.curves`."""
    conditions, place = {one.number: one for one in dataset.conditions}, {n: rank for rank, n in enumerate(ranking)}
    kind = _kind_of_seeds(dataset.replicates)
    rows, of = [], []
    for one in sorted(dataset.replicates, key=lambda r: (place.get(r.condition, len(place)), r.condition)):
        series = one.series.get(metric)
        if series is None:
            continue
        seed = _seed(one) if kind != "s" else one.seed
        samples = [] if not has_samples else [series.samples if series.samples is not None else series.steps * math.nan]
        floats = (series.epochs, *samples, series.seconds, series.values)
        for step, *others in zip(series.steps, *floats, strict=True):
            rows.append((seed, int(step), *map(float, others)))
            of.append(conditions[one.condition])
    names = ("epoch", *(["samples"] if has_samples else []), "seconds", "value")
    return _frame(dataset, of, {"seed": kind, "step": "i", **dict.fromkeys(names, "f")}, rows)


def bands_frame(analysis: Analysis, metric: str, axis: Axis) -> pd.DataFrame:
    """Return a row for each point of a condition's mean curve; see `Result.bands`."""
    dataset = analysis.dataset.cells or analysis.dataset
    conditions = {one.number: one for one in dataset.conditions}
    rows, of = [], []
    for band in _bands(analysis, metric, axis):
        for cells in zip(band.x, band.mean, band.low, band.high, band.n, strict=True):
            rows.append((*map(float, cells[:4]), int(cells[4])))
            of.append(conditions[band.condition])
    columns = {**dict.fromkeys(("x", "mean", "ci_low", "ci_high"), "f"), "n": "i"}
    return _frame(dataset, of, columns, rows)


def versus_frame(compared: Sequence[tuple[str, Dataset, Comparisons]]) -> pd.DataFrame:
    """Return a row for each condition and task compared with the reference; see `Result.versus`.

    Args:
        compared: name of the task (empty without one), its conditions, their comparisons.
    """
    columns = {
        "task": "s",
        "n": "i",
        **dict.fromkeys(
            ("difference", "ci_low", "ci_high", "p_value", "p_corrected", "probability_better"),
            "f",
        ),
        "is_different": "b",
        "test": "s",
    }
    rows, of = [], []
    for task, dataset, family in compared:
        conditions = {one.number: one for one in dataset.conditions}
        for row in family.rows:
            rows.append((task, *(getattr(row, name) for name in _COMPARED), family.test))
            of.append(conditions[row.condition])
    return _frame(compared[0][1], of, columns, rows)


def _bands(analysis: Analysis, metric: str, axis: Axis) -> Iterable[Band]:
    """The bands of all conditions, best first: those of the analysis, and those beyond the most that it has."""
    found = {one.condition: one for one in analysis.bands.get(metric, {}).get(axis, ())}
    dataset = independent(analysis.dataset.cells or analysis.dataset)  # over tasks there are no curves
    members = members_of(dataset)
    ordered = [one.condition for one in in_order_of_rank(analysis, analysis.objective)]
    for number in ordered if analysis.dataset.cells is None else [one.number for one in dataset.conditions]:
        one = found.get(number) or band_of(
            number,
            members[number],
            metric,
            axis,
            level=analysis.level,
            method=analysis.interval,
            metric=declared(dataset.metrics, metric),
        )
        if one is not None:
            yield one


def _confirmed_cells(one: Confirmed | None) -> tuple[float, float, float, int]:
    """Mean, interval and number of replicates on fresh seeds."""
    if one is None:
        return math.nan, math.nan, math.nan, 0
    bounds = (one.confirmed.low, one.confirmed.high) if one.confirmed else (math.nan, math.nan)
    return math.nan if one.mean is None else one.mean, *bounds, one.summary.n if one.summary else 0


def _why(condition: Condition, members: Sequence[Replicate], note: str, *, is_ranked: bool) -> str:
    """Why a condition has no place, or what is odd about it."""
    if condition.pruned:
        return f"pruned: {condition.pruned}"
    if condition.broken:
        return f"breaks {'; '.join(text for text, _ in condition.broken)}"
    if condition.race.startswith("dropped"):
        return f"race: {condition.race}"
    reasons = "" if is_ranked else next((one.reason for one in members if one.reason), "")
    return reasons or note


def _frame(
    dataset: Dataset, conditions: Sequence[Condition], columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> pd.DataFrame:
    """Number, label and factors of a condition, then the columns, each of its kind."""
    import pandas as pd

    found: dict[str, Any] = {
        "condition": pd.Series([one.number for one in conditions], dtype="int64"),
        "label": pd.Series([one.label for one in conditions], dtype="str"),
    }
    for name, column in _names(dataset, columns).items():
        found[column] = pd.Series([one.values.get(name) for one in conditions], dtype=None if conditions else "object")
    return pd.DataFrame({**found, **_columns(columns, rows)})


def table(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a frame of rows.

    Args:
        columns: name -> kind of values: a letter of `_KINDS`, or `TIME` for milliseconds since 1970.
        rows: cells in the order of the columns.
    """
    import pandas as pd

    return pd.DataFrame(_columns(columns, rows))


def _columns(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    import pandas as pd

    found: dict[str, Any] = {}
    for position, (column, kind) in enumerate(columns.items()):
        cells = [row[position] for row in rows]
        if kind == TIME:
            found[column] = pd.to_datetime(pd.Series(cells, dtype="Int64"), unit="ms", utc=True).astype(TIME)
        else:
            found[column] = pd.Series(cells, dtype=_KINDS[kind])
    return found


def _names(dataset: Dataset, columns: Iterable[str]) -> dict[str, str]:
    """Factor -> its column: a factor that is called like a column is `parameter.NAME`."""
    own = {"condition", "label", *columns}
    return {one.name: f"parameter.{one.name}" if one.name in own else one.name for one in dataset.factors}


def _kind_of_seeds(replicates: Iterable[Replicate]) -> str:
    """Whole numbers; with gaps where nothing tells replicates apart; text where something else does."""
    seeds = [one.seed for one in replicates]
    if all(seed.lstrip("-").isdecimal() for seed in seeds):
        return "i"
    return "I" if all(not seed or seed.lstrip("-").isdecimal() for seed in seeds) else "s"


def _seed(one: Replicate) -> Any:
    return int(one.seed) if one.seed.lstrip("-").isdecimal() else None if not one.seed else one.seed


def _order(one: Replicate) -> tuple[bool, int, str]:
    seed = _seed(one)
    return (False, seed, "") if isinstance(seed, int) else (True, 0, one.seed)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan

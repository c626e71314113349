"""Read results in rows, such as files or a table, as conditions and replicates: grouped by their columns.

A row has only final values, and does not say what is a parameter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rothamsted.analysis.objectives import not_finite
from rothamsted.analysis.typed import factors_of, label, typed
from rothamsted.analysis.values import Condition, Dataset, Objective, Replicate
from rothamsted.errors import DataError, StoreError
from rothamsted.expression import Expression
from rothamsted.space import identity
from rothamsted.suggest import known_names
from rothamsted.wording import count


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """Holds the record of one training run.

    Attributes:
        values: column (dotted if it was nested) -> value; None or absent: there is none.
        place: its place, for errors: a file, "row 3".
        run_id: id of an MLflow run; empty for others.
        outcome: finished, diverged, failed, interrupted, running.
        started_ms: milliseconds since 1970; 0: unknown.
        seconds: how long it took; NaN if unknown.
    """

    values: Mapping[str, Any]
    place: str
    run_id: str = ""
    outcome: str = "finished"
    started_ms: int = 0
    seconds: float = math.nan
    metrics: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        numbers = {name: value for name, value in self.values.items() if _is_number(value)}
        object.__setattr__(self, "metrics", {name: self._float(name, value) for name, value in numbers.items()})

    def _float(self, name: str, value: Any) -> float:
        try:
            return float(value)
        except OverflowError:  # a whole number of 300 digits
            raise DataError(f"{self.place}: {name} is too large for a float; correct it") from None


def read_rows(
    rows: Sequence[ResultRow],
    *,
    name: str,
    group_by: Sequence[str],
    replicate_by: str | None,
    objective: Objective,
) -> Dataset:
    """Return rows as a dataset.

    Args:
        rows: One for each training run.
        name: A name for all of them.
        group_by: Columns whose values make a condition.
        replicate_by: Column that identifies replicates and pairs them over conditions, usually the seed. None: rows of
            one condition are replicates, and nothing pairs them.
        objective: What conditions are compared by: a column, or an expression of columns.

    Raises:
        StoreError: There are no rows, no row has a column, or two rows have the same condition and replicate.
    """
    place = f"analyze {name}"
    if not rows:
        raise StoreError(f"{place}: holds no results; give others")
    needed = Expression(objective.expression).names if objective.expression is not None else {objective.metric}
    fields = [*group_by, *([replicate_by] if replicate_by else [])]
    _check_columns(rows, fields, needed, place)
    kept, marks = _with_fields(rows, fields)
    conditions: dict[Hashable, Condition] = {}
    replicates: list[Replicate] = []
    for row in kept:
        values = {column: _typed(row.values[column]) for column in group_by}
        key = tuple(identity(value) for value in values.values())
        if key not in conditions:
            conditions[key] = Condition(number=len(conditions), values=values, label=label(values))
        replicates.append(_replicate(row, conditions[key].number, replicate_by, objective, {*fields}))
    if replicate_by is not None:
        _check_twice(kept, replicates, list(conditions.values()), replicate_by, place)
    return Dataset(
        name=name,
        kind="runs",
        objective=objective,
        factors=tuple(factors_of(list(conditions.values()))),
        conditions=tuple(conditions.values()),
        replicates=tuple(sorted(replicates, key=lambda one: one.condition)),
        design={
            "runs": f"{len(kept)} of {count(len(rows), 'row')}",
            "grouped by": ", ".join(group_by),
            "replicates": f"told apart by {replicate_by}" if replicate_by else "rows of one condition, unpaired",
        },
        marks=tuple(marks),
    )


def _replicate(
    row: ResultRow, condition: int, replicate_by: str | None, objective: Objective, fields: set[str]
) -> Replicate:
    """One row; one without a number of the objective has failed, one with a number that is not finite diverged."""
    seed = "" if replicate_by is None else str(_typed(row.values[replicate_by]))
    score, missing = _score(row, objective)
    outcome, reason = row.outcome, ""
    if outcome == "finished" and missing:
        outcome, reason = "failed", f"{row.place} has no number {missing}"
    elif outcome == "finished" and (reason := not_finite([score], [objective.metric])):
        outcome, score = "diverged", math.nan
    metrics = {column: value for column, value in row.metrics.items() if column not in fields}
    own = {} if math.isnan(score) else {objective.metric: score}
    return Replicate(
        run_id=row.run_id,
        condition=condition,
        seed=seed,
        outcome=outcome,
        objective=score if outcome == "finished" else math.nan,
        seconds=row.seconds,
        reason=reason,
        metrics={**metrics, **own},
        started_ms=row.started_ms,
    )


def _score(row: ResultRow, objective: Objective) -> tuple[float, str]:
    """The objective of a row, and the column that it lacks for it; empty where it lacks none."""
    if objective.expression is None:
        value = row.metrics.get(objective.metric)
        return (math.nan, objective.metric) if value is None else (value, "")
    expression = Expression(objective.expression)
    missing = sorted(expression.names - row.metrics.keys())
    return (math.nan, missing[0]) if missing else (expression.evaluate(row.metrics), "")


def _check_columns(rows: Sequence[ResultRow], fields: Sequence[str], needed: Collection[str], place: str) -> None:
    known = list(dict.fromkeys(column for row in rows for column in row.values))
    numbers = list(dict.fromkeys(column for row in rows for column in row.metrics))
    for column in fields:
        if column not in known:
            raise StoreError(f"{place}: no result has {column!r}; {known_names(column, known)}")
    for column in sorted(needed):
        if column not in numbers:
            raise StoreError(f"{place}: no result has a number {column!r}; {known_names(column, numbers)}")


def _with_fields(rows: Sequence[ResultRow], fields: Sequence[str]) -> tuple[list[ResultRow], list[str]]:
    """The rows that have all the fields, and a mark that counts the others by what they lack."""
    kept: list[ResultRow] = []
    lacking: Counter[str] = Counter()
    for row in rows:
        missing = next((name for name in fields if row.values.get(name) is None), None)
        if missing is None:
            kept.append(row)
        else:
            lacking[missing] += 1
    return kept, [f"{count(n, 'result')} without {name!r}: left out." for name, n in lacking.items()]


def _check_twice(
    rows: Sequence[ResultRow],
    replicates: Sequence[Replicate],
    conditions: Sequence[Condition],
    replicate_by: str,
    place: str,
) -> None:
    """Two results of one condition and seed are one replicate, or differ in what nobody asked for."""
    seen: dict[tuple[int, str], ResultRow] = {}
    for row, one in zip(rows, replicates, strict=True):
        other = seen.setdefault((one.condition, one.seed), row)
        if other is not row:
            raise StoreError(
                f"{place}: {other.place} and {row.place} are both {conditions[one.condition].label} at {replicate_by} "
                f"{one.seed}; add what tells them apart to group_by, or leave one out"
            )


def _typed(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return value  # 1.0 and 1 are one value to `identity`
    return typed(value) if isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, (bool, str, bytes))

"""Decide what the columns of a table are: by options, then by usual names, then by their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.errors import DataError
from rothamsted.importing import columns as names
from rothamsted.importing.flat import number_of
from rothamsted.importing.histories import STEPS, TIMES, counts
from rothamsted.importing.times import time_ms
from rothamsted.suggest import known_names

Row = Mapping[str, Any]
_LONG = ("metric", "metric_name", "variable", "key", "tag")  # beside `value`: a row has one number of any metric
_VALUE = "value"
_TELLING = ("experiment", "experiment_name", "exp", "exp_name", "model", "config")  # columns that may tell runs apart


@dataclass(frozen=True, kw_only=True)
class TableForm:
    """Says what the columns of a table are.

    Attributes:
        run_by: the columns that identify the run of a row; empty: each row is a run.
        is_history: a run has several rows.
        step_by: the column of the step, if a run has several rows; None: the number of the row.
        params, metrics, tags: column -> its name in MLflow.
        other: kind (name, state, start, end, id) -> column.
    """

    run_by: Sequence[str]
    is_history: bool
    step_by: str | None
    params: Mapping[str, str]
    metrics: Mapping[str, str]
    tags: Mapping[str, str]
    other: Mapping[str, str]

    def __str__(self) -> str:
        """What was taken as what, so that a wrong guess is seen."""
        parts = [f"params: {', '.join(self.params) or 'none'}", f"metrics: {', '.join(self.metrics)}"]
        rows = f"a row a step of {','.join(self.run_by)}" if self.is_history else "a row a run"
        return f"taken as {rows}; {'; '.join(parts)} (params=, metrics= say otherwise)"


def widened(rows: Sequence[Row], options: Mapping[str, str]) -> tuple[Sequence[Row], Mapping[str, str]]:
    """Turn rows of one number each (run, step, metric, value) into rows with a column for each metric.

    Example:
        >>> widened([{"run": "a", "step": 0, "metric": "loss", "value": 0.5}], {})
        ([{'run': 'a', 'step': 0, 'loss': 0.5}], {'metrics': 'loss'})
    """
    by = names.first_of(_LONG, {name for row in rows for name in row})
    if by is None or options.get("metrics") or not all(_VALUE in row and by in row for row in rows):
        return rows, options
    if any(number_of(row[by]) is not None for row in rows):  # numbers name nothing
        return rows, options
    measured = list(dict.fromkeys(str(row[by]) for row in rows))
    if any("," in name or name in rows[0] for name in measured):
        return rows, options
    wide = [
        {**{name: one for name, one in row.items() if name not in (by, _VALUE)}, str(row[by]): row[_VALUE]}
        for row in rows
    ]
    return wide, {**options, "metrics": ",".join(measured)}


def form_of(path: Path, rows: Sequence[Row], options: Mapping[str, str]) -> TableForm:
    """Decide what the columns are.

    Raises:
        DataError: an option names no column, or it is unclear what a run, a step or a metric is.
    """
    known = list(dict.fromkeys(name for row in rows for name in row))
    asked = {key: _columns(path, options, key, known) for key in ("params", "metrics", "run_by", "step_by")}
    free = [name for name in known if name not in asked["params"] + asked["metrics"]]
    step = next(iter(asked["step_by"]), None) or names.first_of(STEPS, free)
    run_by, guessed = asked["run_by"], names.first_of(names.IDS, free)
    telling = guessed or names.first_of((*names.NAMES, *_TELLING), free)
    if not run_by and telling is not None and step is not None and repeats(rows, [telling]):
        run_by = [telling]
        _check_steps(path, rows, run_by, step)
    if not run_by and step is not None and (asked["step_by"] or not asked["params"]):
        raise DataError(
            f"{path}: has the step column '{step}' and none that tells runs apart; add run_by=COLUMN; for one row a "
            f"run params=A,B and metrics=X,Y; for the history of one run kind=folder; {known_names('', known)}"
        )
    is_history = bool(run_by) and repeats(rows, run_by)
    other = _own_columns(rows, free, run_by, is_history=is_history)
    if not run_by and guessed is not None and not repeats(rows, [guessed]):
        other["id"] = guessed
    taken = {*other.values(), *([step] if is_history and step else [])}
    taken |= {name for name in run_by if len(run_by) == 1}  # of several columns each is a param, too
    taken |= {name for name in TIMES if name in free and is_history}
    params, metrics, tags = _sorted(
        rows, [name for name in known if name not in taken], asked, run_by if is_history else []
    )
    if not metrics:
        raise DataError(f"{path}: none of its columns is surely a metric; add metrics=A,B; {known_names('', known)}")
    return TableForm(
        run_by=run_by,
        is_history=is_history,
        step_by=step if is_history and step and (asked["step_by"] or counts(step, rows)) else None,
        params=params,
        metrics=metrics,
        tags=tags,
        other=other,
    )


def key_of(row: Row, run_by: Sequence[str]) -> str:
    """Return the run of a row: the value of a column, or those of several with their names."""
    if len(run_by) == 1:
        return str(row.get(run_by[0], ""))
    return ",".join(f"{name}={row.get(name, '')}" for name in run_by)


def repeats(rows: Sequence[Row], run_by: Sequence[str]) -> bool:
    """Say whether two rows have the same values in some columns."""
    return len({key_of(row, run_by) for row in rows}) < len(rows)


def _own_columns(
    rows: Sequence[Row], free: Sequence[str], run_by: Sequence[str], *, is_history: bool
) -> dict[str, str]:
    """Name, state, start and end of a run; without a column that says when a run began any time of a row is that."""
    kinds = (("name", names.NAMES), ("state", names.STATES), ("start", names.STARTS), ("end", names.ENDS))
    left = [name for name in free if name not in run_by]
    found = {what: name for what, some in kinds if (name := names.first_of(some, left)) is not None}
    if "start" not in found and not is_history:
        times = (name for name in TIMES if name in left and time_ms(rows[0].get(name)) is not None)
        if (at := next(times, None)) is not None:
            found["start"] = at
    return found


def _sorted(
    rows: Sequence[Row], left: Sequence[str], asked: Mapping[str, Sequence[str]], run_by: Sequence[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Params, metrics and tags among the columns that are left."""
    found: dict[str, dict[str, str]] = {"param": {}, "metric": {}, "tag": {}}
    for name in left:
        role, called = names.role_of(name) or ("", name)
        if name in asked["params"] or name in asked["metrics"]:
            role = "param" if name in asked["params"] else "metric"
        elif not role and (asked["metrics"] or asked["params"]):
            is_metric = not asked["metrics"] and names.is_number_throughout(rows, name)
            role = "metric" if is_metric else "param" if not asked["params"] else "tag"
        elif not role:
            role = "metric" if _is_metric(rows, name, run_by) else "tag" if names.is_metric_name(name) else "param"
        found[role][name] = called
    return found["param"], found["metric"], found["tag"]


def _is_metric(rows: Sequence[Row], name: str, run_by: Sequence[str]) -> bool:
    if name in run_by or not names.is_number_throughout(rows, name):
        return False
    if names.is_metric_name(name):
        return True
    if not run_by:
        return False
    first: dict[str, Any] = {}  # what changes within a run is measured
    return any(first.setdefault(key_of(row, run_by), row[name]) != row[name] for row in rows if name in row)


def _check_steps(path: Path, rows: Sequence[Row], run_by: Sequence[str], step: str) -> None:
    """Refuse a guessed column of runs in which one step of a run has two values of one column."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        there = seen.setdefault((key_of(row, run_by), str(row.get(step))), {})
        if clash := [name for name, value in row.items() if there.get(name, value) != value]:
            raise DataError(
                f"{path}: {key_of(row, run_by)} in column '{run_by[0]}' has {step} {row.get(step)} twice, with two "
                f"values of '{clash[0]}': it does not tell runs apart; add run_by=COLUMN, or several, run_by=A,B"
            )
        there.update(row)


def _columns(path: Path, options: Mapping[str, str], key: str, known: Sequence[str]) -> list[str]:
    """The columns that an option names."""
    asked = [name.strip() for name in options.get(key, "").split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise DataError(f"{path}: {key}: has no column '{name}'; {known_names(name, known)}")
    return asked

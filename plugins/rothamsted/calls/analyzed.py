"""Analyse results that exist already: a sweep, MLflow's runs, files, a table. Nothing is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationError

from rothamsted import tracking
from rothamsted.analysis.only import matching, only_these
from rothamsted.analysis.read_rows import ResultRow, read_rows
from rothamsted.analysis.read_runs import read_runs
from rothamsted.analysis.scored import direction_by_name, with_score
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.values import Dataset
from rothamsted.calls.loaded import load
from rothamsted.calls.result import Result
from rothamsted.calls.rows import SUFFIXES, is_files, rows_of
from rothamsted.errors import StoreError, UserError
from rothamsted.expression import Expression, ExpressionError
from rothamsted.metric import declared
from rothamsted.space import among, identity
from rothamsted.spec import Objective, Task
from rothamsted.suggest import known_names
from rothamsted.wording import rule_words

PLACE = "rt.analyze"
Direction = Literal["minimize", "maximize"]


def analyze(
    data: Any,
    /,
    *,
    metric: str | None = None,
    direction: Direction | None = None,
    reduce: str | Mapping[str, int] | None = None,
    group_by: Sequence[str] | None = None,
    replicate_by: str | None = None,
    task: str | None = None,
    where: Mapping[str, Any] | None = None,
    level: float | None = None,
) -> Result:
    """Analyse results that exist already: means, intervals and verdicts. Nothing is trained.

    Args:
        data: a result, the name or run id of a sweep, the name of an MLflow experiment, files ("runs/*/summary.json";
            JSON, JSON lines or CSV), a DataFrame, MLflow's runs, or a list of mappings.
        metric: what conditions are compared by: a name, or arithmetic on names ("acc - max(0, train_acc - acc - 3)"). A
            name that is not a Python name goes into braces. None: the sweep's objective.
        direction: minimize or maximize; None: as the metric is declared, or as its name says.
        reduce: how a curve becomes a number: "last", "best", {"mean_of_last": K}.
        group_by: names whose values make a condition; needed if the data are not a sweep.
        replicate_by: the name that tells replicates apart and pairs them, usually the seed.
        task: the factor whose values are tasks.
        where: name -> value: use only results with these values.
        level: confidence level of intervals and verdicts; None: the level of the sweep's file, else 0.95.

    Raises:
        UserError: something is missing; the message has the nearest names.

    Example:
        >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
        >>> analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss").best.values
        {'lr': 0.1}
    """
    if isinstance(group_by, str):
        raise UserError(f"{PLACE}: group_by takes a list of names; write group_by=[{group_by!r}]")
    if level is not None and not 0 < level < 1:
        raise UserError(f"{PLACE}: level={level} must lie between 0 and 1, such as 0.95")
    own = [task] if task is not None and group_by else []
    groups: list[str] = list(dict.fromkeys([*(group_by or []), *own]))
    rows, found = rows_of(data), None
    if rows is None:
        found = data if isinstance(data, Result) else _sweep(data, is_perhaps_experiment=bool(groups))
        rows = _rows_of_dataset(found.dataset) if found is not None and groups else None
    if rows is not None:
        dataset = _of_rows(rows, data, metric, direction, reduce, groups, replicate_by, where)
    elif found is None:
        dataset = _of_experiment(str(data), metric, direction, reduce, groups, replicate_by)
    elif replicate_by is not None:
        raise UserError(
            f"{PLACE}: replicate_by={replicate_by!r} needs group_by; leave it out for a sweep, which knows its seeds"
        )
    else:
        dataset = _with_objective(found, metric, direction, reduce)
    if where and rows is None:
        dataset = only_these(dataset, matching(dataset, {key: str(value) for key, value in where.items()}))
    if task is not None:
        dataset = replace(dataset, task=Task(factor=task))
    settings = Settings() if found is None else found.settings
    settings = settings if level is None else replace(settings, level=level)
    if found is None or rows is not None:
        return Result(dataset=dataset, settings=settings)
    return replace(found, dataset=dataset, settings=settings)


def _sweep(data: Any, *, is_perhaps_experiment: bool) -> Result | None:
    """The sweep of a name; None where it may be the name of an experiment.

    Raises:
        UserError: there is no such sweep, or this is nothing that can be analysed.
    """
    if not isinstance(data, str):
        raise UserError(
            f"{PLACE}: {type(data).__name__} cannot be analysed; give a result, the name of a sweep, files such as "
            "'runs/*/summary.json', a DataFrame, MLflow's runs, or a list of mappings"
        )
    try:
        return load(data)
    except StoreError as error:
        if is_perhaps_experiment:
            return None
        raise UserError(
            f"{PLACE}: {error}; an experiment of MLflow needs group_by=[…], and files a name that ends in "
            f"{', '.join(SUFFIXES)}"
        ) from None


def _of_experiment(
    name: str,
    metric: str | None,
    direction: Direction | None,
    reduce: Any,
    groups: Sequence[str],
    replicate_by: str | None,
) -> Dataset:
    """The runs of an experiment of MLflow."""
    if metric is None:
        raise UserError(f"{PLACE}: experiment {name} needs metric=…, what its runs are compared by")
    objective = _objective(metric, None, direction or _direction(metric, None), reduce)
    return read_runs(name, group_by=groups, replicate_by=replicate_by, objective=objective, uri=tracking.tracking_uri())


def _of_rows(
    rows: Sequence[ResultRow],
    data: Any,
    metric: str | None,
    direction: Direction | None,
    reduce: Any,
    groups: Sequence[str],
    replicate_by: str | None,
    where: Mapping[str, Any] | None,
) -> Dataset:
    """Results that hold final values."""
    columns = list(dict.fromkeys(column for row in rows for column in row.values))
    if not groups:
        raise UserError(f"{PLACE}: group_by=[…] is missing: what makes a condition? there are: {', '.join(columns)}")
    if metric is None:
        numbers = list(dict.fromkeys(column for row in rows for column in row.metrics if column not in groups))
        raise UserError(f"{PLACE}: metric=… is missing: what are they compared by? there are: {', '.join(numbers)}")
    if reduce is not None:
        raise UserError(
            f"{PLACE}: reduce={reduce!r} needs curves, and these results hold one number each; leave it out"
        )
    expression = _expression(metric, columns)
    objective = _objective(metric, expression, direction or _direction(metric, expression), None)
    kept = [row for row in rows if all(_is(row.values.get(name), value) for name, value in (where or {}).items())]
    if where and not kept:
        names = [name for name in where if name not in columns]
        why = f"; {known_names(names[0], columns)}" if names else ""
        raise UserError(f"{PLACE}: where={dict(where)!r} leaves no result{why}")
    name = str(data) if is_files(data) and not isinstance(data, (list, tuple)) else "results"
    return read_rows(kept, name=name, group_by=groups, replicate_by=replicate_by, objective=objective)


def _rows_of_dataset(dataset: Dataset) -> list[ResultRow]:
    """The replicates of a search as rows: parameters, seed, metrics, to be grouped in another way."""
    conditions = {one.number: one for one in dataset.conditions}
    return [
        ResultRow(
            values={**one.metrics, **conditions[one.condition].values, "seed": one.seed},
            place=f"replicate {one.run_id or one.number}",
            run_id=one.run_id,
            outcome=one.outcome,
            started_ms=one.started_ms,
            seconds=one.seconds,
        )
        for one in dataset.replicates
        if one.phase == "search"
    ]


def _with_objective(found: Result, metric: str | None, direction: Direction | None, reduce: Any) -> Dataset:
    """The dataset of a sweep with another objective, worked out from the curves that were logged."""
    dataset = found.dataset
    own = dataset.objective
    if (metric, direction, reduce) == (None, None, None):
        return dataset
    known = sorted({name for one in dataset.replicates for name in (*one.metrics, *one.series)})
    expression = own.expression if metric is None else _expression(metric, known)
    metric = own.metric if metric is None else metric
    is_own = metric in (own.metric, own.expression)
    said = own.direction if is_own else declared(dataset.metrics, metric).direction
    objective = _objective(metric, expression, direction or said or _direction(metric, expression), reduce)
    needed = Expression(objective.expression).names if objective.expression else {objective.metric}
    return with_score(found.with_curves(needed), objective)


def _expression(metric: str, known: Collection[str]) -> str | None:
    """The text of a score; None where it is the name of a metric.

    Raises:
        UserError: it is neither.
    """
    if metric in known:
        return None
    try:
        names = Expression(metric).names
    except ExpressionError:
        names = frozenset({metric})
    for name in sorted(names):
        if name not in known:
            raise UserError(f"{PLACE}: metric={metric!r}: {name!r} is not there; {known_names(name, known)}")
    return metric


def _direction(metric: str, expression: str | None) -> Direction:
    said = direction_by_name(metric) if expression is None else None
    if said is None:
        raise UserError(f"{PLACE}: direction is missing: is more {metric} better? give 'maximize' or 'minimize'")
    return said


def _objective(metric: str, expression: str | None, direction: str, reduce: Any) -> Objective:
    what = {"metric": metric} if expression is None else {"expression": expression}
    try:
        return Objective.model_validate({**what, "direction": direction, **({"reduce": reduce} if reduce else {})})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{PLACE}: {where}={first['input']!r}: {rule_words(first['msg'])}") from None


def _is(value: Any, wanted: Any) -> bool:
    is_meant = identity(value) == identity(among([value], wanted))
    return value is not None and (is_meant or (str in (type(value), type(wanted)) and str(value) == str(wanted)))

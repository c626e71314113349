"""Read the keys that analyze, report, compare and power share: which runs, how they are analysed, and the recorder.

The analysis is imported where it is used, so that a mistake is reported before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from rothamsted.catalog import CORRECTIONS, INTERVALS, TESTS
from rothamsted.cli.arguments import take
from rothamsted.cli.store import open_store
from rothamsted.errors import UserError
from rothamsted.registries import NameOf
from rothamsted.spec import Objective, Task
from rothamsted.spec.document import parse_override
from rothamsted.spec.rules_over import MEAN
from rothamsted.spec.run_sections import BestMethod
from rothamsted.wording import rule_words

if TYPE_CHECKING:
    from rothamsted.analysis.settings import Settings
    from rothamsted.analysis.values import Axis, Dataset
    from rothamsted.reporting.plots import PlotOptions

_T = TypeVar("_T")
_HIGHER_IS_BETTER = ("acc", "accuracy", "f1", "auc", "score", "reward", "precision", "recall")


def open_named(found: Mapping[str, str]) -> str:
    """Return the tracking URI; refuse a sweep or a metric that is not there, before what analyses it is imported.

    Raises:
        UserError: There is none, or the store does not answer.
    """
    from rothamsted.analysis.find import find_sweep, refuse_unknown_sweep
    from rothamsted.analysis.logged import refuse_unknown_metrics

    name, metrics = found.get("sweep"), [*filter(None, [found.get("metric")]), *names_of(found.get("metrics"))]

    def refuse(uri: str) -> None:
        if name:
            refuse_unknown_sweep(name, uri=uri)
            refuse_unknown_metrics(metrics, name, uri=uri)

    uri = open_store(refuse)
    if name:
        find_sweep(name, uri=uri)
    return uri


def take_dataset(
    found: dict[str, str],
    command: str,
    *,
    uri: str,
    has_samples: bool = False,
    where: Mapping[str, str] = MappingProxyType({}),
) -> Dataset:
    """Read the runs that `sweep=` or `experiment=` names, with the samples seen on request; removes the keys.

    Raises:
        UserError: Neither or both are given, a key is missing, or what they or `where` name is not there.
    """
    dataset = _read_dataset(found, command, uri=uri, has_samples=has_samples)
    if where:
        from rothamsted.analysis.only import matching

        matching(dataset, where)  # a mistake is told before anything is analysed
    return dataset


def _read_dataset(found: dict[str, str], command: str, *, uri: str, has_samples: bool) -> Dataset:
    from rothamsted.analysis.read_runs import read_runs
    from rothamsted.analysis.read_sweep import read_sweep

    sweep, experiment = take(found, "sweep"), take(found, "experiment")
    curves = names_of(take(found, "metrics"))
    if (sweep is None) == (experiment is None):
        raise UserError(
            f"rothamsted {command}: which runs? give sweep=NAME, or experiment=NAME with group_by and metric"
        )
    is_guessed = "direction" not in found
    objective = take_objective(found, command)
    task = take_task(found, command)
    if sweep is not None:
        dataset = read_sweep(
            sweep,
            uri=uri,
            objective=objective,
            curves=curves or None,
            is_direction_guessed=is_guessed,
            has_samples=has_samples,
        )
        return dataset if task is None else replace(dataset, task=task)
    group_by, replicate_by = names_of(take(found, "group_by")), take(found, "replicate_by")
    if not group_by:
        raise UserError(f"rothamsted {command}: experiment={experiment} needs group_by=PARAMETER[,PARAMETER]")
    if objective is None:
        raise UserError(f"rothamsted {command}: experiment={experiment} needs metric=NAME")
    dataset = read_runs(
        str(experiment),
        group_by=list(dict.fromkeys([*group_by, *([task.factor] if task is not None else [])])),
        replicate_by=replicate_by,
        objective=objective,
        uri=uri,
        curves=curves or None,
        has_samples=has_samples,
        is_direction_guessed=is_guessed,
    )
    return replace(dataset, task=task)


def take_task(found: dict[str, str], command: str) -> Task | None:
    """Take the task of `task=FACTOR` and `task_scale=`; None if no task is given."""
    factor, scale = take(found, "task"), take(found, "task_scale")
    if factor is None:
        if scale is not None:
            raise UserError(f"rothamsted {command}: task_scale={scale} needs task=FACTOR; give it, too")
        return None
    try:
        return Task(factor=factor, scale="range" if scale is None else parse_override("task_scale", scale))
    except ValidationError as error:
        reason = rule_words(error.errors()[0]["msg"])
        raise UserError(f"rothamsted {command}: task_scale: {reason}") from None


def take_objective(found: dict[str, str], command: str) -> Objective | None:
    """Take the objective of `metric=`, `direction=` and `reduce=`; None if no metric is given."""
    metric, direction, reduce = take(found, "metric"), take(found, "direction"), take(found, "reduce", "last") or "last"
    if metric is None:
        if direction is not None:
            raise UserError(f"rothamsted {command}: direction={direction} needs metric=NAME; give it, too")
        return None
    if direction is None:
        direction = "maximize" if any(word in metric.lower() for word in _HIGHER_IS_BETTER) else "minimize"
    from rothamsted.statistics import parse_reduction

    parse_reduction(reduce)
    return Objective(metric=metric, direction=one_of(direction, "direction", command, _DIRECTIONS), reduce=reduce)


_DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {"minimize": "minimize", "maximize": "maximize"}


def take_over(found: dict[str, str], command: str) -> str | None:
    """Take what stands for a condition over its seeds: `over_seeds=mean`, median, iqm, quantile:Q; None: not asked."""
    text = take(found, "over_seeds")
    if text is None:
        return None
    try:
        return Objective(metric="any", direction="minimize", over=text).over
    except ValidationError:
        raise UserError(
            f"rothamsted {command}: over_seeds={text} is not known; use mean, median, iqm, or quantile:Q with Q "
            "between 0 and 1, such as quantile:0.1"
        ) from None


def with_over(dataset: Dataset, over: str | None, settings: Settings, command: str) -> Dataset:
    """Return the dataset with conditions compared over seeds as asked; if nothing is asked, as its sweep's file says.

    Raises:
        UserError: Something in the settings, or in the dataset, is about means alone.
    """
    from rothamsted.analysis.settings import Settings

    found = dataset
    if over is not None:
        found = replace(dataset, objective=dataset.objective.model_copy(update={"over": over}))
    own, way = found.objective.over, "give over_seeds=mean"
    if own == MEAN:
        return found
    if found.others:
        raise UserError(
            f"rothamsted {command}: {found.name} has several objectives, which are compared by means; {way}"
        )
    if any(condition.race for condition in found.conditions):
        raise UserError(f"rothamsted {command}: {found.name} was a race, which compares means; {way}")
    if found.crossed:
        raise UserError(
            f"rothamsted {command}: replicates of {found.name} are crossed, and {own} needs independent ones; {way}"
        )
    if found.task is not None:
        raise UserError(f"rothamsted {command}: means are compared over tasks, not {own}; {way}, or no task")
    usual = Settings()
    for key in ("interval", "best", "test", "correction"):
        if (value := getattr(settings, key)) != getattr(usual, key):
            raise UserError(f"rothamsted {command}: {key} {value} is for means, not for {own}; {way}, or no {key}")
    return found


def take_settings(found: dict[str, str], command: str) -> dict[str, Any]:
    """Take what is asked of the analysis, fields of `Settings`; what is not asked is as the sweep's file has it."""
    readers: dict[str, Callable[[str], Any]] = {
        "level": lambda key: take_share(found, key, 0.95, command),
        "interval": lambda key: _name(found, key, NameOf(INTERVALS), command),
        "best": lambda key: one_of(take(found, key) or "", key, command, {name: name for name in get_args(BestMethod)}),
        "smallest_difference": lambda key: take_number(found, key, float, command),
        "reference": lambda key: take_number(found, key, int, command),
        "correction": lambda key: _name(found, key, NameOf(CORRECTIONS), command),
        "test": lambda key: _name(found, key, NameOf(TESTS, also=("auto",)), command),
        "power": lambda key: take_share(found, key, 0.8, command),
    }
    return {key: read(key) for key, read in readers.items() if key in found}


def take_plot_options(found: dict[str, str], command: str) -> PlotOptions:
    """Take what the plots show: factors by x and group, over best or mean, the second metric of a Pareto front.

    An x of step, epoch, samples or seconds is the axis of curves, any other a factor.
    """
    from rothamsted.reporting.plots import PlotOptions
    from rothamsted.statistics.smoothing import smoothing_named

    second = take(found, "second_direction")
    over = take(found, "over", "best") or "best"
    x, smoothing = take(found, "x"), take(found, "smoothing", "none") or "none"
    return PlotOptions(
        x=None if x in _AXES else x,
        axis=_AXES.get(x or ""),
        smoothing=smoothing_named(smoothing),
        group=take(found, "group"),
        over=one_of(over, "over", command, _OVER),
        second=take(found, "second"),
        second_direction=None if second is None else one_of(second, "second_direction", command, _DIRECTIONS),
    )


_OVER: Mapping[str, Literal["best", "mean"]] = {"best": "best", "mean": "mean"}
_AXES: Mapping[str, Axis] = {"step": "step", "epoch": "epoch", "samples": "samples", "seconds": "seconds"}


def take_share(found: dict[str, str], key: str, default: float, command: str) -> float:
    """Take a number strictly between 0 and 1."""
    text = take(found, key)
    value = default if text is None else take_number({key: text}, key, float, command)
    if not 0 < value < 1:
        raise UserError(f"rothamsted {command}: {key}={text} must lie between 0 and 1, such as {default}")
    return value


def take_number(found: dict[str, str], key: str, kind: Callable[[str], Any], command: str) -> Any:
    """Take a finite number that has to be given."""
    text = take(found, key)
    if text is None:
        raise UserError(f"rothamsted {command}: {key}=NUMBER is missing")
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"rothamsted {command}: {key}={text} is not {what}")
    return value


def one_of(value: str, key: str, command: str, known: Mapping[str, _T]) -> _T:
    """Return the row of a table that a word names."""
    if value not in known:
        raise UserError(f"rothamsted {command}: {key}={value} is not known; there are: {', '.join(known)}")
    return known[value]


def names_of(text: str | None) -> list[str]:
    """Split `a, b` into names; return none for nothing."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _name(found: dict[str, str], key: str, taken: NameOf, command: str) -> str:
    value = take(found, key) or ""
    if reason := taken.refusal(value):
        raise UserError(f"rothamsted {command}: {key}={value}: {reason}")
    return value

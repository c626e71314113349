"""Take the keys of a sweep file as arguments of `sweep` and `Sweep`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from rothamsted.calls.spaces import plain_domain
from rothamsted.errors import UserError
from rothamsted.spec import SWEEP_KEYS
from rothamsted.spec.document import Document
from rothamsted.spec.overrides import expand_short_forms, set_values
from rothamsted.suggest import known_names

IN_PROCESS = "in_process"
_Call = TypeVar("_Call", bound=Callable[..., Any])


class SweepKeys(TypedDict, total=False):
    """Lists the keys that a call takes. None, or left out: the default, or the value of the file."""

    metric: str | None  # what is optimised; default: the only one that is declared, else "value"
    direction: Literal["minimize", "maximize"] | None  # default: as the metric is declared
    reduce: str | Mapping[str, int] | None  # how a curve becomes a number: "last", "best", {"mean_of_last": K}
    objective: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None  # as in a file; several as a list
    name: str | None  # of the sweep; default: the function's
    command: str | None  # what is run in place of a function
    project: str | None  # folder or git URI of a foreign MLflow project
    parameters: Mapping[str, Any] | None  # fixed in every condition
    sampler: str | Mapping[str, Any] | None  # default: grid where the space is finite without trials, else tpe
    trials: int | None  # how many conditions
    replicates: int | Mapping[str, Any] | None  # of each condition
    confirm: int | Mapping[str, Any] | None  # replicates on fresh seeds, of the best condition
    task: str | Mapping[str, Any] | None  # factor whose values are tasks
    pruner: str | Mapping[str, Any] | None
    early_stopping: int | Mapping[str, Any] | None  # measurements without improvement
    stages: Sequence[Mapping[str, Any]] | None
    workers: int | Literal["auto", "in_process"] | None  # 0: only decide
    timeout: float | str | None  # seconds, or "2h"
    keys: Mapping[str, Any] | None  # any other key of a sweep file, dotted or nested


def takes_keys(call: _Call) -> _Call:
    """Show the keys one by one in the signature of a call that has **keys, for help and completion."""
    own = inspect.signature(call)
    fixed = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in SweepKeys.__annotations__.items()
    ]
    setattr(call, "__signature__", own.replace(parameters=[*fixed, *more]))  # noqa: B010  (pyright knows no such attribute)
    return call


def with_keys(document: Document, space: Any, place: str, **keys: Unpack[SweepKeys]) -> Document:
    """Return the document of a sweep file with the keys of a call.

    Raises:
        UserError: a key is wrong; the message names the key, the value and the way out.
    """
    for key in keys:
        if key not in SweepKeys.__annotations__:
            raise UserError(
                f"{place}: {key} is not an argument; {known_names(key, SweepKeys.__annotations__)}; other keys of a "
                f"sweep file go into keys={{{key!r}: …}}"
            )
    given = {name: value for name, value in keys.items() if value is not None}
    other, workers, parameters = given.pop("keys", {}), given.pop("workers", None), given.pop("parameters", {})
    values = {**given, **_other_keys(other, place)}
    if workers == IN_PROCESS:
        values |= {"execution.executor": IN_PROCESS, "execution.workers": 1}
    elif workers is not None:
        values["execution.workers"] = workers
    _check_objective(values, place)
    return set_values(
        expand_short_forms(document),
        {name: _as_plain(value) for name, value in values.items()},
        space=_space(space, place),
        parameters=_mapping("parameters", parameters, place),
        place=place,
    )


def _space(space: Any, place: str) -> dict[str, Any]:
    given = {} if space is None else _mapping("space", space, place)
    return {name: plain_domain(f"{place}: space.{name}", domain) for name, domain in given.items()}


def _mapping(what: str, given: Any, place: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        example = "{'lr': [0.01, 0.1]}" if what == "space" else "{'epochs': 10}"
        raise UserError(f"{place}: {what} must be a mapping of names, such as {example}, not {given!r}")
    return dict(given)


def _other_keys(other: Any, place: str) -> dict[str, Any]:
    """What `keys` holds: no argument of the call, and only keys that a file may have."""
    for key in _mapping("keys", other, place):
        first = key.partition(".")[0]
        if first in SweepKeys.__annotations__ or first == "space":
            raise UserError(f"{place}: keys: {first} is an argument of its own; write {first}=…")
        if first not in SWEEP_KEYS:
            raise UserError(f"{place}: keys: {key} is not a key of a sweep file; {known_names(first, SWEEP_KEYS)}")
    return dict(other)


def _check_objective(values: Mapping[str, Any], place: str) -> None:
    short = [name for name in ("metric", "direction", "reduce") if name in values]
    if short and "objective" in values:
        raise UserError(f"{place}: {short[0]} cannot be given with objective; give one of the two")


def _as_plain(value: Any) -> Any:
    """Mappings and sequences as a YAML file would give them."""
    if isinstance(value, Mapping):
        return {str(key): _as_plain(one) for key, one in value.items()}
    return [_as_plain(one) for one in value] if isinstance(value, (list, tuple)) else value

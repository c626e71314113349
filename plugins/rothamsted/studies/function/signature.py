"""Turn a function's signature into a config, and call the function with a config: each parameter is a field."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from types import MethodType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model

from rothamsted.errors import StudyError
from rothamsted.studies.function.nested import annotations_in, as_model, as_value, is_nested, restored
from rothamsted.studies.function.source import plain_function

STATE = "state"  # the parameter from which training goes on
SEED = "seed"
_PLAIN = (bool, int, float, str, PurePath, Enum, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict, Sequence, Mapping)
_RULES = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)
_VARIADIC = {
    inspect.Parameter.VAR_POSITIONAL: "takes *{name}; name each parameter that the study has",
    inspect.Parameter.VAR_KEYWORD: "takes **{name}; name each parameter that the study has",
    inspect.Parameter.POSITIONAL_ONLY: "takes {name} by position only; remove the / of its signature",
}


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Says what a function is called with.

    Attributes:
        config: one field a parameter, the seed's called `seed`; or the whole of the one parameter that has a seed.
        takes_state: it can go on from a state.
        arguments: config -> keyword arguments.
    """

    config: type[BaseModel]
    takes_state: bool
    arguments: Callable[[BaseModel], dict[str, Any]]


def signature_of(function: Callable[..., Any], *, name: str, seed_parameter: str, place: str) -> Signature:
    """Read a function's signature; `name` is the study's, `place` what errors call it.

    Raises:
        StudyError: in one line, with the way out: what no sweep can vary or give.
    """
    _check_kind(function, place)
    parameters = dict(inspect.signature(function).parameters)
    for one in parameters.values():
        if one.kind in _VARIADIC:
            raise StudyError(f"{place}: {_VARIADIC[one.kind].format(name=one.name)}")
    hints = _hints(function, place)
    takes_state = STATE in parameters and parameters[STATE].default is None
    if takes_state:
        del parameters[STATE]
    whole = _whole(parameters, hints, seed_parameter)
    if whole is not None:
        model = as_model(hints[whole], place)
        return Signature(config=model, takes_state=takes_state, arguments=partial(_as_whole, whole, hints[whole]))
    if seed_parameter not in parameters:
        known = ", ".join(parameters) or "none"
        raise StudyError(
            f"{place}: has no parameter {seed_parameter!r} (it has: {known}); add seed: int and use it, "
            'or name the one that is the seed: @study(seed_parameter="...")'
        )
    fields = {
        SEED if name == seed_parameter else name: _field(name, one, hints, place, is_seed=name == seed_parameter)
        for name, one in parameters.items()
    }
    nested = {name: hints[name] for name in parameters if is_nested(hints.get(name))}
    return Signature(
        config=_model(function, name, fields),
        takes_state=takes_state,
        arguments=partial(_as_arguments, seed_parameter, nested),
    )


def types_of(function: Callable[..., Any]) -> list[tuple[Any, dict[str, Any]]]:
    """Return (what has annotations, its types as objects): of a function, and of the dataclasses among its parameters.

    For another process, where the names that annotations are written in are not there.
    """
    hints = _hints(function, "")
    own = [] if isinstance(plain_function(function), MethodType) else [(plain_function(function), hints)]
    return [*own, *annotations_in(hints.values())]


def _as_whole(name: str, kind: Any, config: BaseModel) -> dict[str, Any]:
    return {name: restored(kind, config)}


def _as_arguments(seed_parameter: str, nested: Mapping[str, Any], config: BaseModel) -> dict[str, Any]:
    found = {name: getattr(config, name) for name in type(config).model_fields}
    found = {name: restored(nested[name], value) if name in nested else value for name, value in found.items()}
    return {seed_parameter if name == SEED else name: value for name, value in found.items()}


def _check_kind(function: Any, place: str) -> None:
    if not callable(function) or inspect.isclass(function):
        raise StudyError(f"{place}: must be a function, not {function!r}; write @study above def")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise StudyError(f"{place}: is async, and a training runs by itself; write def without async")


def _hints(function: Callable[..., Any], place: str) -> dict[str, Any]:
    """Annotations as objects, also those that `from __future__ import annotations` keeps as text."""
    inner = plain_function(function)
    try:
        return typing.get_type_hints(inner, include_extras=True)
    except NameError as error:
        names = inspect.getclosurevars(inner).nonlocals if inspect.isfunction(inner) else {}
        try:
            return typing.get_type_hints(inner, localns=dict(names), include_extras=True)
        except NameError:
            raise StudyError(f"{place}: an annotation cannot be read: {error}; import it at the file's top") from error


def _whole(parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any], seed_parameter: str) -> str | None:
    """The one parameter that is a config with a seed."""
    if len(parameters) != 1 or seed_parameter in parameters:
        return None
    [name] = parameters
    kind = hints.get(name)
    if not is_nested(kind):
        return None
    own = kind.model_fields if issubclass(kind, BaseModel) else {one.name for one in dataclasses.fields(kind)}
    return name if SEED in own else None


def _model(function: Callable[..., Any], name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    import warnings

    with warnings.catch_warnings():  # a parameter may be called copy or json: nobody asks the config for these
        warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
        model: Any = create_model(
            name,
            __config__=_RULES,
            __module__=getattr(function, "__module__", __name__),
            __doc__=inspect.getdoc(function) or None,
            **dict(fields),
        )
    return model


def _field(
    name: str, one: inspect.Parameter, hints: Mapping[str, Any], place: str, *, is_seed: bool
) -> tuple[Any, Any]:
    """(type, default) as pydantic wants a field."""
    default = one.default
    if is_seed:
        return Annotated[int, Field(ge=0)], default if isinstance(default, int) else 0
    kind = hints.get(name, Any if default is inspect.Parameter.empty else _kind_of(default))
    where = f"{place}: parameter {name!r}"
    if is_nested(kind):
        kind = as_model(kind, where)
    elif (wrong := _unfit(kind)) is not None:
        raise StudyError(f"{where} is {wrong}; {_WAY_OUT}")
    if default is inspect.Parameter.empty:
        return kind, ...
    if not _is_plain(default) and not is_nested(type(default)):
        raise StudyError(f"{where} has a value of type {type(default).__name__} as its default; {_WAY_OUT}")
    if is_nested(type(default)) and isinstance(kind, type) and issubclass(kind, BaseModel):
        default = as_value(kind, default)
    return kind, default


_WAY_OUT = "a sweep gives plain values: load it inside the function, or keep it as a global of the file"


def _kind_of(default: Any) -> Any:
    """The type that a default stands for."""
    if default is None:
        return Any
    for kind in (list, dict, tuple, set):
        if isinstance(default, kind):
            return kind
    return Path if isinstance(default, PurePath) else type(default)


def _unfit(kind: Any) -> str | None:
    """Why a sweep cannot give values of a type; None: it can."""
    origin = get_origin(kind)
    if kind is Any or origin is Literal:
        return None
    if origin is Annotated:
        return _unfit(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return next((wrong for one in get_args(kind) if (wrong := _unfit(one)) is not None), None)
    if origin is not None:
        parts = [one for one in get_args(kind) if one is not Ellipsis]
        wrong = next((wrong for one in parts if (wrong := _unfit(one)) is not None), None)
        return wrong if origin in _CONTAINERS or wrong else f"of type {origin.__name__}"
    if isinstance(kind, type) and (issubclass(kind, _PLAIN) or kind in _CONTAINERS or is_nested(kind)):
        return None
    return f"of type {getattr(kind, '__name__', kind)}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_plain(one) for one in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_is_plain(one) for one in value)
    return isinstance(value, _PLAIN) and not type(value).__module__.startswith("numpy")

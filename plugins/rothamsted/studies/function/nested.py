"""Use dataclasses and pydantic models as parts of a config: fields are dotted names, unknown ones are refused."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, create_model

from rothamsted.errors import StudyError


def is_nested(kind: Any) -> TypeGuard[type]:
    """Say whether a type is a dataclass or a pydantic model."""
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))


def annotations_in(kinds: Iterable[Any]) -> list[tuple[Any, dict[str, Any]]]:
    """Return (class, its types as objects) of the dataclasses among types, of their bases and of those they hold."""
    found: list[tuple[Any, dict[str, Any]]] = []
    for kind in kinds:
        if not is_nested(kind) or issubclass(kind, BaseModel):
            continue
        hints = typing.get_type_hints(kind, include_extras=True)
        for base in kind.__mro__:
            if dataclasses.is_dataclass(base):
                found.append((base, {name: hints[name] for name in inspect.get_annotations(base)}))
        found += annotations_in(hints.values())
    return found


def as_model(kind: type, place: str) -> type[BaseModel]:
    """Return the model whose fields a config has: frozen, and it refuses unknown keys.

    Raises:
        StudyError: a type of its fields is not there at run time.
    """
    try:
        if issubclass(kind, BaseModel):
            return _strict(kind)
        return _of_dataclass(kind)
    except (NameError, TypeError) as error:
        raise StudyError(f"{place}: {kind.__name__} cannot be read: {error}; import its types at the file's top") from (
            error
        )


def restored(kind: Any, config: Any) -> Any:
    """Return a value of the function's own type, from the part of the config that stands for it."""
    if not isinstance(config, BaseModel):
        return config
    if issubclass(kind, BaseModel):
        return kind.model_validate({name: getattr(config, name) for name in config.model_fields_set})
    hints = typing.get_type_hints(kind)
    given = {one.name: getattr(config, one.name) for one in dataclasses.fields(kind) if one.init}
    return kind(**{name: restored(hints[name], value) for name, value in given.items()})


@cache
def _strict(kind: type[BaseModel]) -> type[BaseModel]:
    config = ConfigDict(**{**kind.model_config, "frozen": True, "extra": "forbid"})
    return type(
        kind.__name__, (kind,), {"model_config": config, "__module__": kind.__module__, "__doc__": kind.__doc__}
    )


@cache
def _of_dataclass(kind: type) -> type[BaseModel]:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for one in dataclasses.fields(kind):  # pyright: ignore[reportArgumentType] # is_nested has looked
        if not one.init:
            continue
        inner = hints[one.name]
        nested = is_nested(inner)
        inner = as_model(inner, one.name) if nested else inner
        default: Any = ...
        if one.default_factory is not dataclasses.MISSING:
            default = Field(default_factory=partial(_from_factory, one.default_factory, inner if nested else None))
        elif one.default is not dataclasses.MISSING:
            default = as_value(inner, one.default) if nested else one.default
        fields[one.name] = (inner, default)
    rules = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model: Any = create_model(
        kind.__name__, __config__=rules, __module__=kind.__module__, __doc__=kind.__doc__, **fields
    )
    return model


def as_value(model: type[BaseModel], value: Any) -> BaseModel:
    """Return a dataclass's or a model's value as one of the model that stands for it."""
    return model.model_validate(dict(value) if isinstance(value, BaseModel) else dataclasses.asdict(value))


def _from_factory(make: Callable[[], Any], model: type[BaseModel] | None) -> Any:
    return make() if model is None else as_value(model, make())

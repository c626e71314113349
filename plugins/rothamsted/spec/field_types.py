"""Check whether a value fits the type of a study's parameter, without the study.

It is stricter than Python and pydantic: text is not a number, 1 is not true, 3.0 is not a whole number.
"""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from rothamsted.space.values import shortened
from rothamsted.wording import rule_words


def takes_whole_numbers(annotation: Any) -> bool | None:
    """Return whether a parameter of this type takes only whole numbers; None if the type does not say."""
    members = set(_members(annotation))
    if float in members:
        return False
    return True if int in members else None


def misfit(annotation: Any, value: Any, *, exactly: bool = True) -> str | None:
    """Say why a value does not fit a type, such as "must be a valid number, not 'fast'"; None if it fits.

    A type that pydantic does not know is checked by the study.

    Args:
        annotation: the type.
        value: what is to be given.
        exactly: refuse a whole number that a float would round; a foreign program gets it as it is written.
    """
    try:
        adapter = _adapter(annotation)
    except TypeError:  # the annotation is no key
        adapter = _adapter.__wrapped__(annotation)
    if adapter is None:
        return None
    try:
        read = adapter.validate_python(value)
    except ValidationError as error:
        return f"{rule_words(error.errors()[0]['msg'])}, not {shortened(value)}"
    if exactly and type(value) is int and isinstance(read, float) and read != value:
        return f"must be a number that a float holds, such as {read:.0f}, not {shortened(value)}"
    kinds = _kind(value), _kind(read)
    if kinds[0] == kinds[1] or kinds == ("whole number", "number") or "" in kinds:
        return None
    return f"must be a {kinds[1]}, not the {kinds[0]} {value!r}"


@lru_cache(maxsize=1_000)  # asked for each value of a choice
def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return None


def _kind(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int, "whole number"), (float, "number"), (str, "text")):
        if isinstance(value, kind):
            return name
    return ""


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for argument in get_args(annotation) for member in _members(argument)]
    return [annotation]

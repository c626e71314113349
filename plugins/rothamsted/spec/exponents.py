"""Handle numbers such as `1e-3`, which YAML 1.1 reads as text, until their type is known.

A reader of files makes an `Exponent` of each. When the type is known it becomes a number, a whole number (`1e3`), or
the text again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
_OF_NUMBERS = ("int_", "float_", "greater_", "less_", "finite_", "multiple_", "bool_")  # pydantic's kinds of errors


class Exponent(float):
    """Holds a number, and its text in a file.

    Attributes:
        text: as it is written.
    """

    text: str

    def __new__(cls, text: str) -> Exponent:
        """The number that a text such as 1e-3 or .5e+2 stands for."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __reduce__(self) -> tuple[type[Exponent], tuple[str]]:
        """As pickle and copy take it."""
        return Exponent, (self.text,)


def has_exponent(value: Any) -> bool:
    """Return whether a plain value holds an `Exponent`."""
    return isinstance(value, Exponent) or any(map(has_exponent, _members(value)))


def as_number(value: Any) -> Any:
    """Return the value with each `Exponent` as a number."""
    return _each(value, float)


def as_whole(value: Any) -> Any:
    """Return the value with each `Exponent` as a whole number, if it is whole."""
    return _each(value, lambda one: int(one) if one.is_integer() else float(one))


def as_text(value: Any) -> Any:
    """Return the value with each `Exponent` as its text."""
    return _each(value, lambda one: one.text)


def settled(value: Any, fits: Callable[[Any], bool]) -> Any:
    """Return the value with numbers, whole numbers or text, whichever fits first; with numbers if nothing fits."""
    if not has_exponent(value):
        return value
    return next((made for make in (as_number, as_whole, as_text) if fits(made := make(value))), as_number(value))


def validated(model: type[M], data: Mapping[str, Any]) -> M:
    """Validate data against a model, which decides the type of each `Exponent`.

    Raises:
        ValidationError: as the model.
    """
    while True:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            mended = _mended(data, error)
            if mended is None:
                raise
            data = mended


def _mended(data: Mapping[str, Any], error: ValidationError) -> Mapping[str, Any] | None:
    """The data with those numbers whole, or text, that the schema takes in no other way; None: there are none."""
    better: dict[int, Any] = {}  # id of a number in the data -> what it is
    for detail in error.errors():
        found = detail["input"]
        if not isinstance(found, Exponent):
            continue
        if detail["type"] == "int_type" and found.is_integer():
            better[id(found)] = int(found)
        elif not detail["type"].startswith(_OF_NUMBERS):
            better[id(found)] = found.text
    return _each(data, lambda one: better.get(id(one), one)) if better else None


def _each(value: Any, make: Callable[[Exponent], Any]) -> Any:
    if isinstance(value, Exponent):
        return make(value)
    if isinstance(value, Mapping):
        return {key: _each(member, make) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_each(member, make) for member in value)
    return value


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []

"""Turn a config into a flat table of dotted names, and back. Errors name field, rule, value and known fields.

Sweep files, command lines, MLflow params and checkpoints use dotted names (`optimizer.lr`); a study's config is a tree
of pydantic models.
"""

from __future__ import annotations

import difflib
import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rothamsted.errors import StudyError
from rothamsted.printable import printable
from rothamsted.space.values import shortened, unwritable
from rothamsted.wording import rule_words

C = TypeVar("C", bound=BaseModel)


def field_names(config_type: type[BaseModel]) -> list[str]:
    """Return the dotted names of all leaves of a config, in the order of their definition."""
    return list(_names(config_type))


@cache
def _names(config_type: type[BaseModel]) -> dict[str, None]:
    return dict.fromkeys(_leaf_names(config_type, ""))


def field_types(config_type: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Return the dotted names of all leaves of a config with their type annotations, bounds included."""
    types: dict[str, Any] = {}
    for name, info in config_type.model_fields.items():
        for model in _models_in(info.annotation):
            types |= field_types(model, f"{prefix}{name}.")
        if not any(True for _ in _models_in(info.annotation)):
            types[prefix + name] = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return types


def flatten(config: BaseModel) -> dict[str, Any]:
    """Return a config as dotted name -> JSON-like value (tuples are lists, paths and enums their text)."""
    return dict(_leaves(config, config.model_dump(mode="json"), ""))


def set_fields(config_type: type[C], flat: Mapping[str, Any], *, place: str = "") -> C:
    """Build a config from dotted names; fields that are not named keep their defaults.

    Args:
        config_type: the study's config class.
        flat: dotted name -> value; a value may also be a mapping of the fields below that name.
        place: where the values come from, put in front of an error ("sweeps/a.yaml").

    Raises:
        StudyError: a field that is unknown, given twice, breaks a rule of the config, or holds text that no database
            keeps.
    """
    place = f"{place}: " if place else ""
    tree: dict[str, Any] = {}
    for name, value in spread(flat, frozenset(field_names(config_type))):
        if not isinstance(value, float) and (reason := unwritable(value)):  # numbers are bounded by the config itself
            raise StudyError(f"{place}{name}: {shortened(value)} {reason}, which no database keeps; remove it")
        _put(tree, name, value, place)
    tree = in_own_names(config_type, tree, place=place.removesuffix(": ")) or tree
    try:
        return config_type.model_validate(_with_defaults(config_type, tree))
    except ValidationError as error:
        raise StudyError(place + describe(config_type, error)) from error


def aliases_of(config_type: type[BaseModel]) -> Mapping[str, str]:
    """Return other names of a config's fields: dotted name -> dotted name of the field.

    Its class has them in `ALIASES`.
    """
    return getattr(config_type, "ALIASES", {})


def renamed(config_type: type[BaseModel], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted names and values, each by the name of its field.

    Raises:
        StudyError: a field is given by two of its names.
    """
    aliases, names = aliases_of(config_type), {}
    for name in flat:
        field = aliases.get(name, name)
        if field in names:
            raise StudyError(f"{names[field]} and {name} are the same field; give one of the two")
        names[field] = name
    return {field: flat[name] for field, name in names.items()}


def in_own_names(config_type: type[BaseModel], data: Mapping[str, Any], *, place: str) -> dict[str, Any] | None:
    """Return a file's fields by their own names if it spells some in another way that the config takes.

    Args:
        config_type: the study's config class; a validator of it may take another spelling.
        data: what the file holds, nested.
        place: the file, put in front of an error.

    What the config warns of on the way, such as a key that has no effect here, is a note on standard error.

    Returns:
        The fields that the file sets, nested; None where all are named already, or none is known in another spelling.

    Raises:
        StudyError: one is not known in any spelling, or a value breaks a rule.
    """
    known = frozenset(field_names(config_type))
    flat = dict(spread(data, known))
    place = f"{place}: " if place else ""
    has_aliases = bool(flat.keys() & aliases_of(config_type).keys())
    if has_aliases:
        data = _nested(renamed(config_type, flat), place)
    other = {name for name, _ in spread(data, known) if name not in known}
    if not other:
        return dict(data) if has_aliases else None
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            config = config_type.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        strange = {".".join(map(str, detail["loc"])) for detail in details if detail["type"] == "extra_forbidden"}
        if other <= strange or any(detail["type"] == "missing" for detail in details):
            return None  # what is missing may be given elsewhere
        raise StudyError(f"{place}{describe(config_type, error)}") from error
    for one in said:
        print(printable(f"note: {place}{one.message}"), file=sys.stderr)
    return config.model_dump(mode="json", exclude_unset=True)


def describe(config_type: type[BaseModel], error: ValidationError) -> str:
    """Write a pydantic error as one line: every field with its rule, its value and, if unknown, the known ones."""
    known = field_names(config_type)
    return "; ".join(_describe_one(config_type, known, detail) for detail in error.errors())


def closest(name: str, known: Sequence[str]) -> str:
    """Return the hint that goes with an unknown name: the likely one if there is one, then all known."""
    likely = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {likely[0]}? " if likely else ""
    return f"{hint}known: {', '.join(known)}"


def _describe_one(config_type: type[BaseModel], known: Sequence[str], detail: Any) -> str:
    name = _dotted(detail["loc"], known)
    message = rule_words(detail["msg"])
    message = message[:1].lower() + message[1:]
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a field of {config_type.__name__}; {closest(name, known)}"
    if detail["type"] == "missing":
        return f"{name} of {config_type.__name__} has no default and must be given"
    if not name:
        return f"{config_type.__name__}: {message}"
    return f"{name} of {config_type.__name__}: {message}, not {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _dotted(location: Sequence[str | int], known: Sequence[str]) -> str:
    """Pydantic's location as a dotted name; drops the parts by which pydantic names a member of a union."""
    name = ""
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(part, int):
            name += f"[{part}]"
            continue
        longer = f"{name}.{part}" if name else part
        is_known = any(other == longer or other.startswith(f"{longer}.") for other in known)
        if is_known or (is_last and name not in known):
            name = longer
    return name


@cache
def _models_of(config_type: type[BaseModel]) -> Mapping[str, tuple[type[BaseModel], ...]]:
    """Field -> the models that its value may be; asked for each condition of a sweep."""
    return {name: tuple(_models_in(info.annotation)) for name, info in config_type.model_fields.items()}


def _leaf_names(config_type: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, models in _models_of(config_type).items():
        if not models:
            yield prefix + name
        for model in models:
            yield from _leaf_names(model, f"{prefix}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's value may itself be: M, M | None, M1 | M2, Annotated[M, ...]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for argument in get_args(annotation):
            yield from _models_in(argument)


def _leaves(config: BaseModel, dumped: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, dumped[name], f"{prefix}{name}.")
        else:
            yield prefix + name, dumped[name]


def _with_defaults(config_type: type[BaseModel], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with what a nested default says and its class does not: a field's `= Optimizer(lr=0.3)`."""
    filled = dict(tree)
    for name, models in _models_of(config_type).items():
        if len(models) == 1 and isinstance(filled.get(name), Mapping):
            default = config_type.model_fields[name].get_default(call_default_factory=True, validated_data=filled)
            own = dict(default) if isinstance(default, models[0]) else {}
            filled[name] = own | _with_defaults(models[0], filled[name])
    return filled


def spread(flat: Mapping[str, Any], leaves: frozenset[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; a mapping that is itself the value of a field is left whole."""
    for name, value in flat.items():
        if isinstance(value, Mapping) and value and f"{prefix}{name}" not in leaves:
            yield from spread(value, leaves, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(flat: Mapping[str, Any], place: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        _put(tree, name, value, place)
    return tree


def _put(tree: dict[str, Any], name: str, value: Any, place: str) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise StudyError(f"{place}{name} and {parent} are both given; give one of them, not {json.dumps(tree)}")
    if leaf in tree:
        raise StudyError(f"{place}{name} is given twice; give it once")
    tree[leaf] = value

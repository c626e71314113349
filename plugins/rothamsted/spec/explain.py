"""Explain a key of a sweep file: its type, default, meaning and an example, from the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rothamsted.caps import MOST_WORKERS
from rothamsted.errors import SpecError
from rothamsted.registries import NameOf
from rothamsted.spec import field_values
from rothamsted.spec.examples import EXAMPLES
from rothamsted.spec.load import KEYS
from rothamsted.spec.overrides import ALONE, SHORT_FORMS
from rothamsted.spec.parameters_file import PARAMETERS_FILE
from rothamsted.spec.schema import Sweep
from rothamsted.spec.short_forms import OWN_SHORT_FORMS
from rothamsted.suggest import known_names

_READERS: Mapping[Any, str] = {  # what a value is read by -> what it takes
    field_values.seconds: "seconds, or a duration such as 90s, 10m or 2h",
    field_values.n_bytes: "bytes, or a size such as 2GB or 512MiB",
    field_values.read_reduction: "last, best or {mean_of_last: K}",
    field_values.read_over: "mean, median, iqm or {quantile: Q}",
    field_values.read_vary: "a list of fields, or fields with how many numbers each has",
    field_values.read_wandb_name: "text",
    field_values.read_workers: f"a whole number from 1 to {MOST_WORKERS:,}, or auto",
    field_values.read_resume: "auto, true or false",
    field_values.read_sweep_name: "text: letters, digits, '.', '_' and '-'",
    field_values.read_storage: "a database URL",
    field_values.read_log: "a path that ends in .md",
    field_values.read_expression: "text: arithmetic on metrics",
    field_values.read_constraint: "text: one comparison of metrics",
}
_NONE = re.compile(r"\bNone\b")  # as the docstrings have it, which are for programmers
_PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Any: "any value"}
_FILE_OF_PARAMETERS = "A JSON or YAML file of parameters. What the sweep file and the command line say wins over it."
_OWN_SHORT_FORMS = (
    "Short names for the command line: each stands for a key, or for the width of a range in decades, lr_range=2."
)


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Explains a key of a sweep file.

    Attributes:
        key: dotted.
        type: what it takes, in words.
        default: its default, in words.
        meaning: its meaning, in a sentence or two.
        example: an example, as a file writes it.
        below: the keys below it.
    """

    key: str
    type: str
    default: str
    meaning: str
    example: str
    below: tuple[str, ...] = ()


def explain(key: str) -> Explained:
    """Explain one key.

    Raises:
        SpecError: there is no such key; the message names the nearest.
    """
    keys = explained_keys()
    if key not in keys:
        raise SpecError(f"{key}: is not a key of a sweep file; {known_names(key, keys)}")
    return keys[key]


@cache
def explained_keys() -> Mapping[str, Explained]:
    """Explain all keys of a sweep file, each before those below it."""
    found = dict(_of_model(Sweep, ""))
    found[PARAMETERS_FILE] = Explained(
        key=PARAMETERS_FILE,
        type="a path",
        default="none",
        meaning=_FILE_OF_PARAMETERS,
        example=EXAMPLES[PARAMETERS_FILE],
    )
    found[OWN_SHORT_FORMS] = Explained(
        key=OWN_SHORT_FORMS,
        type="a mapping of names to a key or {decades: space.NAME}",
        default="none",
        meaning=_OWN_SHORT_FORMS,
        example=EXAMPLES[OWN_SHORT_FORMS],
    )
    for key, section in ALONE.items():
        long = found[f"{section}.{key}"]
        meaning = f"Short for {section}.{key}. {long.meaning}"
        found[key] = replace(long, key=key, meaning=meaning, example=EXAMPLES[key])
    order = {key: n for n, key in enumerate(KEYS)}
    return dict(sorted(found.items(), key=lambda item: order[item[0].partition(".")[0]]))


def _of_model(model: type[BaseModel], prefix: str) -> Mapping[str, Explained]:
    meanings, hints = _meanings(model), get_type_hints(model, include_extras=True)
    found: dict[str, Explained] = {}
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = _model_in(hints[name])
        below = _of_model(inner, f"{key}.") if inner is not None else {}
        own = tuple(one for one in below if "." not in one.removeprefix(f"{key}."))
        found[key] = Explained(
            key=key,
            type=_section(key, hints[name], own) if own else type_words(hints[name]),
            default=_default(field),
            meaning=meanings.get(name, ""),
            example=EXAMPLES.get(key, "") or EXAMPLES.get(key.removeprefix("stages."), ""),
            below=own,
        )
        found |= below
    return found


def _section(key: str, annotation: Any, below: tuple[str, ...]) -> str:
    names = ", ".join(one.rpartition(".")[2] for one in below)
    what = f"a list of mappings with {names}" if _is_list(annotation) else f"a mapping with {names}"
    if key == "objective":
        what = f"a mapping with {names}, or a list of them"
    return f"{what}; {key}: VALUE is short for {{{SHORT_FORMS[key]}: VALUE}}" if key in SHORT_FORMS else what


def type_words(annotation: Any) -> str:
    """Describe a type in words."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(members[0], members[1:])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_words(one) for one in members if one is not NoneType))
    if origin is Literal:
        names = ", ".join(map(str, members))
        return f"one of {names}" if len(members) > 1 else names
    if origin is tuple:
        return f"a list, each {' or '.join(type_words(one) for one in members[:1])}"
    return "a mapping"


def _annotated(of: Any, extras: tuple[Any, ...]) -> str:
    for extra in extras:
        if isinstance(extra, NameOf):
            return f"a name of {extra.kind}: {', '.join(extra.names())}"
        if isinstance(extra, BeforeValidator) and extra.func in _READERS:
            return _READERS[extra.func]
    limits = [limit for extra in extras for limit in _limits(extra)]
    return " ".join([type_words(of), *([", ".join(limits)] if limits and of in (int, float) else [])])


def _limits(extra: Any) -> list[str]:
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [extra, *(extra.metadata if isinstance(extra, FieldInfo) else [])]
    return [f"{word} {getattr(one, sign):,}" for one in found for sign, word in signs.items() if hasattr(one, sign)]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if value is None or (isinstance(value, (tuple, dict, list)) and not value):
        return "none"
    if isinstance(value, BaseModel):
        return "that of each key"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Attribute -> what the class's docstring says of it."""
    _, _, listed = (model.__doc__ or "").partition("Attributes:")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in listed.splitlines():
        if begun := re.match(r"\s{4,8}([a-z_]+(?:, [a-z_]+)*): (.*)", line):
            names = begun[1].split(", ")
            found |= dict.fromkeys(names, begun[2].strip())
        elif names and line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: _NONE.sub("none", text) for name, text in found.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for one in get_args(annotation) if (found := _model_in(one)) is not None), None)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(_is_list(one) for one in get_args(annotation))

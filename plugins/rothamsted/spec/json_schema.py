"""Make the JSON Schema of a sweep file from its schema, so that editors complete and check sweep files.

`python -m rothamsted.spec.json_schema > sweep.schema.json` writes it; a test compares docs/sweep.schema.json with it.
It judges each value alone, as an editor can. `check` has the rules over several keys or with the study.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from rothamsted.catalog import PRUNERS
from rothamsted.registries import NameOf
from rothamsted.rows import Option
from rothamsted.space import Choice, Range
from rothamsted.spec import field_values
from rothamsted.spec.explain import explained_keys
from rothamsted.spec.load import KEYS
from rothamsted.spec.overrides import ALONE, SHORT_FORMS
from rothamsted.spec.parameters_file import PARAMETERS_FILE
from rothamsted.spec.run_sections import Execution
from rothamsted.spec.schema import Objective, Sweep
from rothamsted.spec.short_forms import DECADES, OWN_SHORT_FORMS
from rothamsted.spec.task_section import Task

Schema = dict[str, Any]

_WHOLE, _NUMBER, _TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
_SINGLE = {"type": ["number", "string", "boolean"]}
_POSITIVE = {"type": "integer", "minimum": 1}
_PLAIN: Mapping[Any, Schema] = {str: _TEXT, int: _WHOLE, float: _NUMBER, bool: {"type": "boolean"}, Any: {}}
_READERS: Mapping[Any, Schema] = {  # what a value is read by -> what it takes
    field_values.seconds: {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": r"^(\d+(\.\d+)?[dhms])+$"},
        ]
    },
    field_values.n_bytes: {
        "anyOf": [_POSITIVE, {"type": "string", "pattern": r"^\d+(\.\d+)? ?([KMGTkmgt]i?)?[Bb]$"}],
    },
    field_values.read_reduction: {
        "anyOf": [
            {"enum": ["last", "best"]},
            {"type": "string", "pattern": r"^mean:\d+$"},
            {
                "type": "object",
                "properties": {"mean_of_last": _POSITIVE},
                "required": ["mean_of_last"],
                "additionalProperties": False,
            },
        ]
    },
    field_values.read_over: {
        "anyOf": [
            {"enum": ["mean", "median", "iqm"]},
            {"type": "string", "pattern": r"^quantile:[0-9.eE-]+$"},
            {
                "type": "object",
                "properties": {"quantile": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}},
                "required": ["quantile"],
                "additionalProperties": False,
            },
        ]
    },
    field_values.read_vary: {
        "anyOf": [
            {"type": "array", "items": _TEXT, "minItems": 1},
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 2}, "minProperties": 2},
        ]
    },
    field_values.read_workers: {"anyOf": [_POSITIVE, {"const": "auto"}]},
    field_values.read_population: {"anyOf": [_POSITIVE, {"const": "auto"}]},
    field_values.read_devices: {
        "anyOf": [{"enum": ["auto", "none"]}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]
    },
    field_values.read_resources: {"type": "object", "additionalProperties": {"type": ["number", "string"]}},
    field_values.read_resume: {"anyOf": [{"type": "boolean"}, {"const": "auto"}]},
    field_values.read_sweep_name: {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
    field_values.read_storage: {"type": "string", "pattern": r"^[a-z][a-z0-9]*(\+[a-z0-9]+)?://.+"},
    field_values.read_expression: _TEXT,
    field_values.read_constraint: _TEXT,
}
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_WHEN = {"type": "object", "additionalProperties": {"anyOf": [_SINGLE, {"type": "array"}]}}
_DOMAIN: Schema = {
    "anyOf": [
        _SINGLE,
        {"type": "array", "minItems": 1},
        {
            "type": "object",
            "properties": {
                "low": {**_NUMBER, "description": "The least value."},
                "high": {**_NUMBER, "description": "The greatest value."},
                "log": {"type": "boolean", "description": "Whether it is uniform in the logarithm."},
                "points": {"type": "integer", "minimum": 2, "description": "Into how many values a grid cuts it."},
                "step": {"type": "number", "exclusiveMinimum": 0, "description": "Discrete for every sampler."},
                "when": _WHEN,
            },
            "required": ["low", "high"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"values": {"type": "array", "minItems": 1}, "when": _WHEN},
            "required": ["values"],
            "additionalProperties": False,
        },
    ]
}


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a sweep file.

    Example:
        >>> json_schema()["properties"]["trials"]["minimum"]
        1
    """
    keys = explained_keys()
    properties = _properties(Sweep, "")
    parameters = {"description": keys[PARAMETERS_FILE].meaning, **_TEXT}
    ends = {"type": "object", "properties": {DECADES: _TEXT}, "required": [DECADES], "additionalProperties": False}
    forms = {"type": "object", "additionalProperties": {"anyOf": [_TEXT, ends]}}
    own = {PARAMETERS_FILE: parameters, OWN_SHORT_FORMS: {"description": keys[OWN_SHORT_FORMS].meaning, **forms}}
    sections = {"objective": _properties(Objective, "objective."), "execution": _properties(Execution, "execution.")}
    short = {key: sections[section][key] for key, section in ALONE.items()}
    found = {**properties, **own, **short}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A sweep file of rothamsted",
        "type": "object",
        "properties": {key: found[key] for key in KEYS},
        "additionalProperties": False,
    }


def _properties(model: type[BaseModel], prefix: str) -> dict[str, Schema]:
    """Each field of a model, with its meaning."""
    hints, keys, found = get_type_hints(model, include_extras=True), explained_keys(), {}
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        schema = _pruner() if key == "pruner" else _of(hints[name], key)
        if key in SHORT_FORMS or key == "stages.replicates":
            whole = key.rpartition(".")[2]
            schema = {"anyOf": [_property_of(hints[name], SHORT_FORMS[whole], key), schema]}
        elif key == "objective":
            schema = {"anyOf": [schema["items"], schema]}
        meaning = keys[key].meaning if key in keys else ""
        found[field.alias or name] = {"description": meaning, **schema} if meaning else schema
    return found


def _property_of(annotation: Any, name: str, key: str) -> Schema:
    """What the one field takes that a short form gives."""
    if key == "pruner":
        return {"type": "string", "enum": PRUNERS.names()}
    [model] = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and one is not NoneType]
    return _properties(model, f"{key}.")[name]


def _of(annotation: Any, key: str) -> Schema:
    """What a value of a type may be."""
    origin, members = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return dict(_PLAIN[annotation])
    if origin is Annotated:
        return _annotated(members[0], members[1:], key)
    if origin in (Union, UnionType):
        kinds = [_of(one, key) for one in members if one is not NoneType]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if origin is Literal:
        return {"enum": list(members)}
    if origin is tuple:
        return {"type": "array", "items": _of(members[0], key)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(members[1], key)}
    if annotation in (Range, Choice):
        return _DOMAIN
    return _of_model(annotation, key)


def _of_model(model: type[BaseModel], key: str) -> Schema:
    properties = _properties(model, f"{key}.")
    required = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if model is Objective:  # an expression names itself, and a study may declare the direction
        required = []
    if required:
        schema["required"] = required
    return {"anyOf": [_TEXT, schema]} if model is Task else schema


def _annotated(of: Any, extras: tuple[Any, ...], key: str) -> Schema:
    for extra in extras:
        if isinstance(extra, NameOf):
            return {"enum": extra.names()}
        if isinstance(extra, BeforeValidator) and extra.func in _READERS:
            return dict(_READERS[extra.func])
    if of in (Range, Choice):
        return _DOMAIN
    schema = _of(of, key)
    for extra in extras:
        for one in (extra, *(extra.metadata if isinstance(extra, FieldInfo) else ())):
            schema |= {word: getattr(one, sign) for sign, word in _LIMITS.items() if hasattr(one, sign)}
            if hasattr(one, "min_length"):
                schema["minLength" if schema.get("type") == "string" else "minItems"] = one.min_length
    return schema


def _pruner() -> Schema:
    """A name, or a mapping with a name and the options of that pruner."""
    return {"anyOf": [{"enum": PRUNERS.names()}, *(_pruner_named(name) for name in PRUNERS.names())]}


def _pruner_named(name: str) -> Schema:
    options = {key: _option(option) for key, option in PRUNERS[name].options.items()}
    required = [key for key, option in PRUNERS[name].options.items() if option.is_required]
    return {
        "type": "object",
        "properties": {"name": {"const": name}, **options},
        "required": ["name", *required],
        "additionalProperties": False,
    }


def _option(option: Option) -> Schema:
    if option.kind == "pruner":
        return {"anyOf": [{"enum": PRUNERS.names()}, {"type": "object", "required": ["name"]}]}
    kind = dict(_WHOLE if option.kind == "int" else _NUMBER)
    kind |= {word: end for word, end in (("minimum", option.low), ("maximum", option.high)) if end is not None}
    epochs = {"type": "string", "pattern": r"^\d+ epochs?$"}
    return {"anyOf": [kind, epochs]} if option.in_epochs else kind


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))

"""Read the pruner of a sweep file, with its options checked against the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.caps import MOST_STEPS
from rothamsted.catalog import PRUNERS
from rothamsted.registries import UnknownNameError
from rothamsted.rows import Option, epochs_in
from rothamsted.space.values import shortened
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Pruner
from rothamsted.suggest import known_names

_KINDS = {"int": "whole number", "float": "number", "pruner": "mapping with a name"}


def read_pruner(document: Document) -> Pruner | None:
    """Return the pruner with the defaults of its options; None if there is none.

    Raises:
        SpecError: there is no such pruner or option, a value has another type or is out of bounds, or an option is
            missing.
    """
    raw = document.data.get("pruner")
    if raw is None:
        return None
    plain = _read(document, ("pruner",), raw)
    return Pruner(name=plain.pop("name"), options=plain)


def _read(document: Document, path: KeyPath, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise document.error(path, f"must be a name or a mapping such as {{name: median}}, not {shortened(raw)}")
    name = raw.get("name")
    if name is None:
        raise document.error((*path, "name"), f"is missing; {known_names('', PRUNERS)}")
    try:
        facts = PRUNERS[str(name)]
    except UnknownNameError as error:
        raise document.error((*path, "name"), str(error)) from None
    plain: dict[str, Any] = {"name": name}
    for key in raw:
        if key != "name" and key not in facts.options:
            raise document.error((*path, key), f"is not an option of pruner {name}; {known_names(key, facts.options)}")
    counts_epochs = _counts_epochs(document, path, facts.options, raw)
    for key, option in facts.options.items():
        value = raw.get(key)
        if value is None and option.is_required:
            raise document.error((*path, key), f"is missing: pruner {name} needs it; give a {_KINDS[option.kind]}")
        value = option.default if value is None else _value(document, (*path, key), option, value)
        if value is not None:
            plain[key] = _in_epochs(value) if counts_epochs and option.in_epochs else value
    if facts.needs_one_of and not any(key in plain for key in facts.needs_one_of):
        raise document.error(path, f"pruner {name} needs {' or '.join(facts.needs_one_of)}; give one")
    _check_order(document, path, plain)
    return plain


def _counts_epochs(document: Document, path: KeyPath, options: Mapping[str, Option], raw: Mapping[Any, Any]) -> bool:
    """Whether numbers of steps are of epochs: all that are given, or none."""
    given = {key: epochs_in(raw[key]) is not None for key in raw if key in options and options[key].in_epochs}
    if any(given.values()) and not all(given.values()):
        steps, epochs = (next(key for key in given if given[key] is kind) for kind in (False, True))
        reason = f"is in steps, and {epochs} in epochs: {raw[epochs]!r}; give both in one unit"
        raise document.error((*path, steps), reason)
    return any(given.values())


def _in_epochs(value: Any) -> str:
    n = value if isinstance(value, int) else epochs_in(value)
    return "1 epoch" if n == 1 else f"{n} epochs"


def _value(document: Document, path: KeyPath, option: Option, value: Any) -> Any:
    if option.kind == "pruner":
        return _wrapped(document, path, {"name": value} if isinstance(value, str) else value)
    if option.in_epochs and (n_epochs := epochs_in(value)) is not None:
        return _in_epochs(_value(document, path, option, n_epochs))
    kinds = (int,) if option.kind == "int" else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        unit = ' of steps, or of epochs as in "3 epochs"' if option.in_epochs else ""
        raise document.error(path, f"must be a {_KINDS[option.kind]}{unit}, not {shortened(value)}")
    if option.low is not None and value < option.low:
        raise document.error(path, f"must be {option.low:g} or more, not {shortened(value)}")
    high = MOST_STEPS if option.high is None and option.kind == "int" else option.high
    if high is not None and value > high:
        raise document.error(path, f"must be at most {high:g}, not {shortened(value)}")
    return value if option.kind == "int" else float(value)


def _wrapped(document: Document, path: KeyPath, raw: Any) -> dict[str, Any]:
    plain = _read(document, path, raw)
    if PRUNERS[plain["name"]].over == "replicates":
        reason = f"{plain['name']} looks at replicates, and what wraps it at steps; name another pruner"
        raise document.error((*path, "name"), reason)
    return plain


def _check_order(document: Document, path: KeyPath, plain: Mapping[str, Any]) -> None:
    for low, high in (("lower", "upper"), ("min_resource", "max_resource")):
        if low in plain and high in plain and _count(plain[low]) > _count(plain[high]):
            reason = f"{plain[low]!r} is above {high} {plain[high]!r}; swap them"
            raise document.error((*path, low), reason)


def _count(value: Any) -> float:
    n_epochs = epochs_in(value)
    return value if n_epochs is None else n_epochs

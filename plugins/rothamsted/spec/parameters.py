"""Check the parameters of a sweep file, each alone: their names, their types, and the domains of those that vary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rothamsted.space import Choice, Domain, DomainError, domain_from_plain, own_values
from rothamsted.space.values import shortened
from rothamsted.spec.document import Document, KeyPath, dotted
from rothamsted.spec.exponents import as_number, as_whole, settled
from rothamsted.spec.field_types import misfit, takes_whole_numbers
from rothamsted.spec.target import Target

_OPEN_NAME = re.compile(r"\w[\w./:+-]*")  # of a parameter that a foreign project need not declare


def flatten_parameters(document: Document, target: Target) -> Document:
    """Make nested parameters flat, everywhere: `{optimizer: {lr: 0.1}}` is `{optimizer.lr: 0.1}`."""
    raw = _mapping(document, "parameters")
    places = dict(document.places)
    data = {**document.data, "parameters": _flat(document, ("parameters",), raw, target, places)}
    for key, below in (("stages", "parameters"), ("enqueue", None)):
        if isinstance(data.get(key), list):
            data[key] = [
                _flat_member(document, (key, n), member, below, target, places) for n, member in enumerate(data[key])
            ]
    return Document(source=document.source, data=data, places=places)


def settle_exponents(document: Document, target: Target) -> Document:
    """Decide the type of each `1e-3` in parameters, space, stages, enqueued conditions and pruner, by its parameter."""

    def settle(name: str, value: Any) -> Any:
        return settled(value, lambda made: _misfit(target, name, made) is None)

    def of_mapping(raw: Any) -> Any:
        return {name: settle(name, value) for name, value in raw.items()} if isinstance(raw, Mapping) else raw

    def of_domain(name: str, raw: Any) -> Any:
        if isinstance(raw, list):
            return [settle(name, value) for value in raw]
        if not isinstance(raw, Mapping):
            return settle(name, raw)
        is_whole = not target.is_open and takes_whole_numbers(target.parameters.get(name)) is True
        ends = as_whole if is_whole else as_number
        known: dict[str, Any] = {"values": of_domain, "points": lambda _, value: as_whole(value)}
        parts = {key: known.get(key, lambda _, value: ends(value))(name, value) for key, value in raw.items()}
        if isinstance(raw.get("when"), Mapping):
            parts["when"] = {parent: of_domain(parent, allowed) for parent, allowed in raw["when"].items()}
        return parts

    data = {**document.data, "parameters": of_mapping(document.data["parameters"])}
    if isinstance(data.get("space"), Mapping):
        data["space"] = {name: of_domain(name, raw) for name, raw in data["space"].items()}
    if isinstance(data.get("enqueue"), list):
        data["enqueue"] = [of_mapping(one) for one in data["enqueue"]]
    if isinstance(data.get("stages"), list):
        data["stages"] = [
            {**one, "parameters": of_mapping(one["parameters"])} if _has_parameters(one) else one
            for one in data["stages"]
        ]
    data["pruner"] = as_whole(data.get("pruner"))
    return Document(source=document.source, data=data, places=document.places)


def _has_parameters(stage: Any) -> bool:
    return isinstance(stage, Mapping) and "parameters" in stage


def check_parameters(document: Document, target: Target) -> None:
    """Check the fixed parameters, also of the stages, against the target's names and types.

    Raises:
        SpecError: a parameter is unknown, also in the space, of another type, or the seed.
    """
    space = _mapping(document, "space")
    for path, value in _fixed(document):
        name = str(path[-1])
        _check_name(document, path, target)
        if name in space:
            raise document.error(path, "is fixed here and varies in space; remove one of the two")
        if reason := _misfit(target, name, value):
            raise document.error(path, f"{reason}; give a value that {target.label} takes")


def read_domains(document: Document, target: Target) -> dict[str, Domain]:
    """Read the domains of the space, checked against the target's names and types.

    Raises:
        SpecError: a parameter is unknown, a domain is wrong, or a value has another type.
    """
    domains = {}
    for name, raw in _mapping(document, "space").items():
        path = ("space", name)
        _check_name(document, path, target)
        # A foreign "float" may well be a whole number, MLflow knows no other type: the file's numbers decide.
        is_integer = None if target.is_open else takes_whole_numbers(target.parameters[name])
        domains[name] = read_domain(document, path, raw, is_integer=is_integer)
        for part, value in _named_values(domains[name], raw):
            if reason := _misfit(target, name, value):
                raise document.error((*path, *part), f"{reason}; give values that {target.label} takes")
    return domains


def read_domain(document: Document, path: KeyPath, raw: Any, *, is_integer: bool | None = None) -> Domain:
    """Read one domain; a mistake is a SpecError at its place."""
    try:
        return domain_from_plain(raw, is_integer=is_integer)
    except DomainError as error:
        part = error.part.split(".", 1) if error.part else ()
        raise document.error((*path, *part), error.reason) from None


def enqueued_values(conditions: Any, domains: Mapping[str, Domain]) -> Any:
    """Return conditions named by hand with values as their domains have them: 1 in a range of numbers is 1.0."""
    if not isinstance(conditions, (list, tuple)):
        return conditions
    return [own_values(one, domains) if isinstance(one, Mapping) else one for one in conditions]


def _fixed(document: Document) -> Iterator[tuple[KeyPath, Any]]:
    for name, value in document.data["parameters"].items():
        yield ("parameters", name), value
    stages = document.data.get("stages")
    for n, stage in enumerate(stages if isinstance(stages, list) else []):
        own = stage.get("parameters") if isinstance(stage, Mapping) else None
        for name, value in own.items() if isinstance(own, Mapping) else ():
            yield ("stages", n, "parameters", name), value


def _flat_member(
    document: Document, path: KeyPath, member: Any, below: str | None, target: Target, places: dict[KeyPath, str]
) -> Any:
    """A stage with its parameters flat, or a condition that is flat itself; another thing is left to the schema."""
    if not isinstance(member, Mapping):
        return member
    if below is None:
        return _flat(document, path, member, target, places)
    if not isinstance(member.get(below), Mapping):
        return member
    return {**member, below: _flat(document, (*path, below), member[below], target, places)}


def _flat(
    document: Document, path: KeyPath, raw: Mapping[str, Any], target: Target, places: dict[KeyPath, str]
) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    given: dict[str, str] = {}  # own name -> as it is written
    for at, value in _leaves(path, raw, (*target.parameters, *target.aliases), len(path)):
        written = dotted(at[len(path) :])
        name = target.aliases.get(written, written)
        if name in given and given[name] != written:
            raise document.error(at, f"is the same parameter as {given[name]}; give one of the two")
        if name in flat:
            raise document.error(at, f"{name} is given twice, once dotted and once nested; remove one")
        flat[name], given[name] = value, written
        known = next((document.places[at[:n]] for n in range(len(at), 0, -1) if at[:n] in document.places), None)
        places[(*path, name)] = known or document.source
    return flat


def _mapping(document: Document, key: str) -> dict[str, Any]:
    raw = document.data.get(key)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise document.error((key,), f"must be a mapping of parameters, not {shortened(raw)}; see sweeps/ for examples")
    return raw


def _leaves(path: KeyPath, raw: Mapping[str, Any], names: Iterable[str], start: int) -> list[tuple[KeyPath, Any]]:
    leaves = []
    for key, value in raw.items():
        name = dotted((*path[start:], key))
        is_group = isinstance(value, Mapping) and any(known.startswith(f"{name}.") for known in names)
        leaves += _leaves((*path, key), value, names, start) if is_group else [((*path, key), value)]
    return leaves


def _check_name(document: Document, path: KeyPath, target: Target) -> None:
    name = str(path[-1])
    if name == target.seed_parameter:
        reason = "the seed comes from the replicates; give replicates.seeds or replicates.first_seed"
        raise document.error(path, reason)
    if target.is_open and not _OPEN_NAME.fullmatch(name):
        reason = f"{name!r} is not a name of a parameter; it goes to the command as --NAME, without blanks"
        raise document.error(path, reason)
    if not target.takes(name):
        raise document.error(path, target.refusal(name))


def _misfit(target: Target, name: str, value: Any) -> str | None:
    if target.is_open and not isinstance(value, (int, float, str)):
        return f"must be a number, text, true or false, not {shortened(value)}"
    annotation = target.parameters.get(name)
    return None if annotation is None else misfit(annotation, value, exactly=not target.is_open)


def _named_values(domain: Domain, raw: Any) -> list[tuple[KeyPath, Any]]:
    if isinstance(domain, Choice):
        before: KeyPath = ("values",) if isinstance(raw, Mapping) else ()
        is_list = isinstance(raw, (Mapping, list))
        return [((*before, n) if is_list else (), value) for n, value in enumerate(domain.values)]
    return [(("low",), domain.low), (("high",), domain.high)]

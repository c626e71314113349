"""The study's parameters in a sweep file: their names, their types, and the domains of those that vary.

Apart from `rules`, which looks at the sweep as a whole: here each parameter is judged by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.space import Choice, Domain, DomainError, domain_from_plain
from rothamsted.spec.document import Document, KeyPath, dotted
from rothamsted.spec.field_types import misfit, takes_whole_numbers
from rothamsted.spec.suggest import known_names

Names = Mapping[str, Any]  # dotted parameter -> its type


def flatten_parameters(document: Document, names: Names) -> Document:
    """Write nested parameters out: `{optimizer: {lr: 0.1}}` is `{optimizer.lr: 0.1}`."""
    raw = _mapping(document, "parameters")
    flat: dict[str, Any] = {}
    places = dict(document.places)
    for path, value in _leaves(("parameters",), raw, names):
        name = dotted(path[1:])
        if name in flat:
            raise document.error(path, f"{name} is given twice, once dotted and once nested; remove one")
        flat[name] = value
        places[("parameters", name)] = document.places.get(path, document.source)
    return Document(source=document.source, data={**document.data, "parameters": flat}, places=places)


def check_parameters(document: Document, study: str, names: Names) -> None:
    """Check the fixed parameters against the study's names and types.

    Raises:
        SpecError: unknown, in the space as well, of another type, or the seed.
    """
    space = _mapping(document, "space")
    for name, value in document.data["parameters"].items():
        path = ("parameters", name)
        _check_name(document, path, study, names)
        if name in space:
            raise document.error(path, "is fixed here and varies in space; remove one of the two")
        if reason := misfit(names[name], value):
            raise document.error(path, f"{reason}; give a value that study '{study}' takes")


def read_domains(document: Document, study: str, names: Names) -> dict[str, Domain]:
    """The domains of the space, checked against the study's names and types.

    Raises:
        SpecError: a parameter that is unknown, a domain that does not hold together, a value of another type.
    """
    domains = {}
    for name, raw in _mapping(document, "space").items():
        path = ("space", name)
        _check_name(document, path, study, names)
        domains[name] = read_domain(document, path, raw, is_integer=takes_whole_numbers(names[name]))
        for part, value in _named_values(domains[name], raw):
            if reason := misfit(names[name], value):
                raise document.error((*path, *part), f"{reason}; give values that study '{study}' takes")
    return domains


def read_domain(document: Document, path: KeyPath, raw: Any, *, is_integer: bool | None = None) -> Domain:
    """One domain, or a SpecError at its place."""
    try:
        return domain_from_plain(raw, is_integer=is_integer)
    except DomainError as error:
        part = error.part.split(".", 1) if error.part else ()
        raise document.error((*path, *part), error.reason) from None


def _mapping(document: Document, key: str) -> dict[str, Any]:
    raw = document.data.get(key)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise document.error((key,), f"must be a mapping of parameters, not {raw!r}; see sweeps/ for examples")
    return raw


def _leaves(path: KeyPath, raw: Mapping[str, Any], names: Names) -> list[tuple[KeyPath, Any]]:
    leaves = []
    for key, value in raw.items():
        name = dotted((*path[1:], key))
        is_group = isinstance(value, Mapping) and any(known.startswith(f"{name}.") for known in names)
        leaves += _leaves((*path, key), value, names) if is_group else [((*path, key), value)]
    return leaves


def _check_name(document: Document, path: KeyPath, study: str, names: Names) -> None:
    name = str(path[-1])
    if name == "seed":
        reason = "the seed comes from the replicates; give replicates.seeds or replicates.first_seed"
        raise document.error(path, reason)
    if name not in names:
        known = known_names(name, (other for other in names if other != "seed"))
        raise document.error(path, f"is not a parameter of study '{study}'; {known}")


def _named_values(domain: Domain, raw: Any) -> list[tuple[KeyPath, Any]]:
    if isinstance(domain, Choice):
        before: KeyPath = ("values",) if isinstance(raw, Mapping) else ()
        is_list = isinstance(raw, (Mapping, list))
        return [((*before, n) if is_list else (), value) for n, value in enumerate(domain.values)]
    return [(("low",), domain.low), (("high",), domain.high)]

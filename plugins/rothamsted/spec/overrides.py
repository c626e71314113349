"""Apply the command line to a sweep file, before anything is checked.

Any key of a sweep file can be given, dotted (`execution.workers=1`, `space.optimizer.lr.points=5`), and `space=` in
Hydra's sweep grammar; `set=` fixes parameters in Hydra's grammar. Any other key is a parameter of the study: it is
fixed at that value, and no longer varies if it was in the space. Null removes a key.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rothamsted.space import SpaceError, domain_to_plain
from rothamsted.spec.document import Document, KeyPath, parse_override
from rothamsted.spec.own_names import own_key

COMMAND_LINE = "command line"
SET = "set"  # parameters in Hydra's grammar, of the command line only
# `sampler: tpe` is `sampler: {name: tpe}`
SHORT_FORMS = {
    "sampler": "name",
    "replicates": "count",
    "confirm": "replicates",
    "pruner": "name",
    "early_stopping": "patience",
    "warm_start": "sweep",
    "parameters_from": "sweep",
}
_AT = Document(source=COMMAND_LINE, data={}, places={})
OBJECTIVE_KEYS = ("metric", "direction", "reduce")  # `metric: loss` is `objective: {metric: loss}`
ALONE = {**dict.fromkeys(OBJECTIVE_KEYS, "objective"), "executor": "execution"}  # key -> the section that it is of
REPLACED = frozenset({"pruner"})  # given by name, as a whole: the options of another pruner are not its own


@dataclass(frozen=True, kw_only=True)
class GivenParameters:
    """Holds the overrides that are not keys of a sweep file: they must be parameters of what is trained.

    Attributes:
        values: values by name.
        below: names that were given as `parameters.NAME` or in `set`.
    """

    values: Mapping[str, Any]
    below: frozenset[str]


def expand_short_forms(document: Document) -> Document:
    """Expand short forms: `sampler: tpe`, `replicates: 5`, `metric: loss`, `executor: ray`.

    Raises:
        SpecError: A key that stands alone is given beside a section that has it too.
    """
    data = {key: _expanded(key, value) for key, value in document.data.items() if key not in ALONE}
    places = dict(document.places)
    for key in (key for key in ALONE if document.data.get(key) is not None):
        section = ALONE[key]
        there = data.get(section) or {}
        if not isinstance(there, Mapping):
            what = "a list of objectives" if section == "objective" else f"{section}, which has no keys"
            raise document.error((key,), f"cannot be given with {what}; give it in the {section} that it belongs to")
        if key in there:
            raise document.error((key,), f"cannot be given with {section}, which has {key}, too; give one of the two")
        places[(section, key)] = places.get((key,), document.source)
        places.setdefault((section,), places[(section, key)])
        data[section] = {**there, key: document.data[key]}
    return Document(source=document.source, data=data, places=places)


def _expanded(key: str, value: Any) -> Any:
    if key in SHORT_FORMS and isinstance(value, (str, int, float)):
        return {SHORT_FORMS[key]: value}
    if key == "stages" and isinstance(value, list):
        return [
            {name: _expanded(name, part) if name == "replicates" else part for name, part in stage.items()}
            if isinstance(stage, Mapping)
            else stage
            for stage in value
        ]
    return value


def override_sweep_keys(
    document: Document,
    overrides: Mapping[str, str],
    sweep_keys: Collection[str],
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Document, GivenParameters]:
    """Set the keys of the sweep file that the command line gives.

    Args:
        document: a document with expanded short forms.
        overrides: key -> text.
        sweep_keys: all keys of a sweep file.
        aliases: other names of parameters -> their own, by which the document has them.

    Returns:
        The changed document, and the overrides that are not sweep keys.
    """
    _refuse_twice(overrides)
    editor = _Editor(copy.deepcopy(document.data), dict(document.places))
    parameters: dict[str, Any] = {}
    below: set[str] = set()
    for key in sorted(overrides, key=_order):
        first, _, rest = key.partition(".")
        if key == SET:
            fixed = _fixed_in_hydra(overrides[key])
            parameters |= fixed
            below |= set(fixed)
        elif first == "parameters" and rest:
            parameters[rest] = parse_override(key, overrides[key])
            below.add(rest)
        elif first not in sweep_keys:
            parameters[key] = parse_override(key, overrides[key])
        elif key == "space":
            _override_space(editor, overrides[key], aliases)
        elif first == "space":
            _set_in_space(editor, own_key(rest, aliases), parse_override(key, overrides[key]))
        elif key == "command":
            editor.put((key,), overrides[key])  # as it is: it has blanks and braces that YAML would read
        else:
            _set_key(editor, tuple(key.split(".")), parse_override(key, overrides[key]))
    return editor.document(document.source), GivenParameters(values=parameters, below=frozenset(below))


def set_values(
    document: Document,
    keys: Mapping[str, Any],
    *,
    space: Mapping[str, Any],
    parameters: Mapping[str, Any],
    place: str,
) -> Document:
    """Return the document with values of a caller, by the same rules as for the command line's texts.

    Args:
        document: a document with expanded short forms.
        keys: key of a sweep file, dotted -> value; None removes it.
        space: parameter -> domain as a file writes it; the parameter is fixed no longer.
        parameters: parameter -> value; a parameter of the document's space varies no longer.
        place: the beginning of errors.

    Raises:
        SpecError: A key lies below one that has no keys, or a parameter is fixed and varied.
    """
    editor = _Editor(copy.deepcopy(document.data), dict(document.places), place=place)
    for key in sorted(keys, key=_order):
        _set_key(editor, tuple(key.split(".")), keys[key])
    for name, plain in space.items():
        if name in parameters:
            raise Document(source=place, data={}, places={}).error(
                ("space", name), f"is fixed at {parameters[name]!r} by parameters, too; give one of the two"
            )
        editor.remove(("parameters", name))
        editor.put(("space", name), plain)
    for name, value in parameters.items():
        editor.remove(("space", name))
        editor.put(("parameters", name), value)
    return editor.document(document.source)


def fix_parameters(document: Document, parameters: Mapping[str, Any]) -> Document:
    """Fix parameters of the study at values from the command line, and take them out of the space."""
    editor = _Editor(copy.deepcopy(document.data), dict(document.places))
    for name, value in parameters.items():
        if any(path[:2] == ("space", name) and place == COMMAND_LINE for path, place in editor.places.items()):
            reason = "is fixed and given a domain, both on the command line; give one of the two"
            raise document.error(("space", name), reason)
        editor.remove(("space", name))
        editor.put(("parameters", name), value)
    return editor.document(document.source)


class _Editor:
    """A document being changed: each change leaves as its place the one of the changes."""

    def __init__(self, data: dict[str, Any], places: dict[KeyPath, str], *, place: str = COMMAND_LINE) -> None:
        self.data = data
        self.places = places
        self.place = place

    def document(self, source: str) -> Document:
        return Document(source=source, data=self.data, places=self.places)

    def get(self, path: KeyPath) -> Any:
        found: Any = self.data
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def put(self, path: KeyPath, value: Any) -> None:
        parent = self._parent(path)
        self._forget(path)
        parent[path[-1]] = value
        self.places[path] = self.place

    def remove(self, path: KeyPath) -> None:
        parent = self.get(path[:-1])
        if isinstance(parent, dict) and path[-1] in parent:
            del parent[path[-1]]
            self._forget(path)

    def _parent(self, path: KeyPath) -> dict[Any, Any]:
        found: Any = self.data
        for depth, part in enumerate(path[:-1]):
            if found.get(part) is None:
                found[part] = {}
                self.places[path[: depth + 1]] = self.place
            found = found[part]
            if not isinstance(found, dict):
                at = Document(source=self.place, data={}, places={})
                owner = ".".join(str(name) for name in path[: depth + 1])
                raise at.error(path, f"{owner} is {found!r} and has no keys below it; give {owner} as a whole")
        return found

    def _forget(self, path: KeyPath) -> None:
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]


def _set_key(editor: _Editor, path: KeyPath, value: Any) -> None:
    key = str(path[0])
    if path == ("metric",) and value not in (None, editor.get(("objective", "metric"))):
        path, value = ("objective",), {"metric": value}  # the direction was that of another metric
    elif len(path) == 1 and key in ALONE:
        path = (ALONE[key], key)
    elif len(path) == 1 and key not in REPLACED and key in SHORT_FORMS and isinstance(value, (str, int, float)):
        path = (key, SHORT_FORMS[key])
    elif len(path) == 1:
        value = _expanded(key, value)
    if value is None:
        editor.remove(path)
    else:
        editor.put(path, value)


def _order(key: str) -> tuple[int, bool]:
    """Space before space.lr.points, and metric, which is a new objective, before its direction."""
    return key.count("."), key != "metric"


def _set_in_space(editor: _Editor, rest: str, value: Any) -> None:
    """Set a domain, or a part of one: the longest known parameter that the key starts with is meant."""
    domains = editor.get(("space",)) or {}
    starts = [name for name in domains if rest == name or rest.startswith(f"{name}.")]
    name = max(starts, key=len, default=rest)
    parts = rest[len(name) + 1 :].split(".", 1) if rest != name else []
    path = ("space", name, *parts)
    if value is None:
        editor.remove(path)
        return
    editor.remove(("parameters", name))
    editor.put(path, value)


def _fixed_in_hydra(text: str) -> dict[str, Any]:
    """The parameters that `set=` fixes."""
    from rothamsted.space.hydra import values_from_hydra

    try:
        return values_from_hydra(text)
    except SpaceError as error:
        raise _AT.error((SET, *error.key), error.reason) from None


def _refuse_twice(overrides: Mapping[str, str]) -> None:
    """A parameter that is fixed by its own key and in `set`, too: nobody can say which was meant."""
    for name in _fixed_in_hydra(overrides[SET]) if SET in overrides else ():
        for other in (name, f"parameters.{name}"):
            if other in overrides:
                raise _AT.error((SET, name), f"is given by {other}={overrides[other]}, too; give one of the two")


def _override_space(editor: _Editor, text: str, aliases: Mapping[str, str]) -> None:
    """Replace the domains that Hydra's grammar names; the others stay, and so do `when` and `points`."""
    from rothamsted.space.hydra import domains_from_hydra

    try:
        domains = domains_from_hydra(text)
    except SpaceError as error:
        raise _AT.error(("space", *error.key), error.reason) from None
    for written, domain in domains.items():
        name = aliases.get(written, written)
        if name != written and name in domains:
            raise _AT.error(("space", written), f"is the same parameter as {name}; give one of the two")
        before = editor.get(("space", name))
        plain = domain_to_plain(domain)
        kept = {key: before[key] for key in ("points", "when") if isinstance(before, Mapping) and key in before}
        if isinstance(plain, list):
            plain = {"values": plain, "when": kept["when"]} if "when" in kept else plain
        else:
            plain = {**plain, **kept}
            if "step" in plain:
                plain.pop("points", None)
        editor.remove(("parameters", name))
        editor.put(("space", name), plain)

"""Replace other names of a study's parameters, anywhere in a sweep file, by the study's own names.

Everything later, such as the resolved file and the report, has own names only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.parameters import flatten_parameters
from rothamsted.spec.target import Target


def with_own_names(document: Document, target: Target) -> Document:
    """Return the document with the target's own names in parameters, stages, enqueued conditions, space and `when`.

    They are replaced in `task`, `replicates.vary` and `statistics.reference` too. Short forms are expanded, and nested
    parameters become flat.

    Raises:
        SpecError: a parameter is given by two of its names.

    Example:
        With `training.optimizer.params.lr` as another name, `space: {training.optimizer.params.lr: [0.1, 0.2]}` is
        `space: {optimizer.lr: [0.1, 0.2]}`.
    """
    if not target.aliases:
        return document
    document = flatten_parameters(document, target)
    renamer = _Renamer(document, target.aliases)
    data = dict(document.data)
    space = renamer.keys(("space",), data.get("space"))
    if isinstance(space, Mapping):
        data["space"] = {name: renamer.domain(name, raw) for name, raw in space.items()}
    for section, key in (("replicates", "vary"), ("statistics", "reference"), ("task", "factor")):
        below = data.get(section)
        if isinstance(below, Mapping) and key in below:
            data[section] = {**below, key: renamer.named((section, key), below[key])}
        elif section == "task" and isinstance(below, str):  # the factor alone
            data[section] = renamer.named((section,), below)
    return Document(source=document.source, data=data, places=renamer.places)


def own_key(key: str, aliases: Mapping[str, str]) -> str:
    """Return a dotted key with the own name in place of the longest other name that it starts with.

    Example:
        >>> own_key("training.lr.points", {"training.lr": "optimizer.lr"})
        'optimizer.lr.points'
    """
    starts = [name for name in aliases if key == name or key.startswith(f"{name}.")]
    longest = max(starts, key=len, default="")
    return aliases[longest] + key[len(longest) :] if longest else key


class _Renamer:
    """One walk over a document: the places of keys follow their new names."""

    def __init__(self, document: Document, aliases: Mapping[str, str]) -> None:
        self.document = document
        self.aliases = aliases
        self.places = dict(document.places)

    def keys(self, path: KeyPath, raw: Any) -> Any:
        """A mapping with its keys renamed; another thing as it is."""
        if not isinstance(raw, Mapping):
            return raw
        found: dict[Any, Any] = {}
        given: dict[Any, Any] = {}
        for name, value in raw.items():
            own = self.aliases.get(name, name)
            if own in given:
                raise self.document.error((*path, name), f"is the same parameter as {given[own]}; give one of the two")
            given[own], found[own] = name, value
            self._move((*path, name), (*path, own))
        return found

    def domain(self, name: str, raw: Any) -> Any:
        """A domain with the parameters of its `when` renamed."""
        if not isinstance(raw, Mapping) or "when" not in raw:
            return raw
        return {**raw, "when": self.keys(("space", name, "when"), raw["when"])}

    def named(self, path: KeyPath, raw: Any) -> Any:
        """One name, a list of names, or a mapping by name."""
        if isinstance(raw, (list, tuple)):
            return [self.aliases.get(one, one) if isinstance(one, str) else one for one in raw]
        return self.aliases.get(raw, raw) if isinstance(raw, str) else self.keys(path, raw)

    def _move(self, old: KeyPath, new: KeyPath) -> None:
        if old != new:
            for path in [path for path in self.places if path[: len(old)] == old]:
                self.places[(*new, *path[len(old) :])] = self.places.pop(path)

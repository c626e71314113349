"""Read YAML with the line of every key, so that each error can name its place.

`1e-3`, which YAML reads as text, becomes a number. What YAML reads differently than meant (`yes`, `1:30`, a key given
twice) is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rothamsted.caps import MOST_CHARACTERS, MOST_OF_KEY, MOST_OVERRIDES
from rothamsted.errors import SpecError
from rothamsted.space import shortened, unwritable
from rothamsted.spec.exponents import Exponent
from rothamsted.yaml_text import CapError, compose, read_text

KeyPath = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][\d_]*)")
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|infinity|nan)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Document:
    """Holds the contents of a sweep file, and the place of each key.

    Attributes:
        source: the file, as the user named it.
        data: plain values: dict, list, str, int, float, bool, None.
        places: key path -> "file:line", or "command line" for overridden keys.
    """

    source: str
    data: dict[str, Any]
    places: Mapping[KeyPath, str]

    def error(self, path: KeyPath, reason: str) -> SpecError:
        """Return a SpecError in one line: place, key, reason. An unknown path has the place of its parent."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.places), None)
        place = self.places[known] if known is not None else self.source
        one_line = " ".join(reason.split())
        return SpecError(f"{place}: {dotted(path)}: {one_line}" if path else f"{place}: {one_line}")


def dotted(path: KeyPath) -> str:
    """Write a key path as text: ("space", "lr", "values", 1) is space.lr.values[1]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_document(path: str | Path, *, source: str | None = None) -> Document:
    """Read a sweep file, or another YAML file with a mapping.

    Args:
        path: the file.
        source: name of the file in errors; default: its path.

    Raises:
        SpecError: the file is missing or unreadable, is not YAML, or has values that YAML misreads.
    """
    source = source or str(path)
    return parse_document(read_text(path, source, way_out="give the path of a sweep file"), source)


def parse_document(text: str, source: str) -> Document:
    """Read the text of a sweep file; `source` names it in errors."""
    node = _compose(text, source)
    if not isinstance(node, yaml.MappingNode):
        raise SpecError(f"{source}: must be a mapping of keys to values; see sweeps/ for examples")
    reader = _Reader(source=source, places={}, is_shell=False)
    return Document(source=source, data=reader.read(node, ()), places=reader.places)


def check_length(overrides: Mapping[str, str]) -> None:
    """Refuse a command line that is too long, before it is read.

    Raises:
        SpecError: there are too many keys, a key is too long, or there is too much text.
    """
    at = Document(source="command line", data={}, places={})
    if len(overrides) > MOST_OVERRIDES:
        raise at.error((), f"{len(overrides)} keys, and at most {MOST_OVERRIDES} are allowed; write a sweep file")
    if (longest := max(map(len, overrides), default=0)) > MOST_OF_KEY:
        raise at.error((), f"a key of {longest} characters, and at most {MOST_OF_KEY} are allowed; shorten it")
    if (n := sum(map(len, overrides.values()))) > MOST_CHARACTERS:
        raise at.error((), f"values of {n} characters, and at most {MOST_CHARACTERS} are allowed; write a sweep file")


def parse_override(key: str, text: str) -> Any:
    """Read a value given on the command line, which is YAML.

    Raises:
        SpecError: the text is not a YAML value.
    """
    node = _compose(text, f"command line: {key}")
    if node is None:
        return None
    return _Reader(source="", places={}, is_shell=True).read(node, (key,))


def check_plain(document: Document) -> None:
    """Refuse keys and values that databases cannot keep: infinite numbers and NaN, NUL, broken characters.

    Raises:
        SpecError: names the place of the value.
    """
    for path, value in _leaves((), document.data):
        if reason := unwritable(value):
            is_number = isinstance(value, float)
            rule = "must be a finite number" if is_number else f"{reason}, which no text may; remove it"
            raise document.error(path, f"{rule}, not {shortened(value)}" if is_number else f"{shortened(value)} {rule}")


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Each single value and each key below a value, with its place."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if isinstance(key, str) and unwritable(key):
                yield path, key
            yield from _leaves((*path, key), below)
    elif isinstance(value, (list, tuple)):
        for place, below in enumerate(value):
            yield from _leaves((*path, place), below)
    else:
        yield path, value


def _compose(text: str, place: str) -> yaml.Node | None:
    try:
        return compose(text)
    except CapError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark and not place.startswith("command line") else ""
        raise SpecError(f"{place}{line}: {error.problem}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None and not place.startswith("command line") else ""
        reason = " ".join(f"{error.context or ''} {error.problem or ''}".split())
        raise SpecError(f"{place}{line}: is not YAML: {reason}; correct it there") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{place}: is not YAML: {' '.join(str(error).split())}") from None


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """One walk over the nodes of a document; `places` fills up on the way."""

    source: str
    places: dict[KeyPath, str]
    is_shell: bool

    def read(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...] = ()) -> Any:
        if node in above:
            raise self._error(node, path, "contains itself through an alias; write the values out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._entry(member, (*path, n), (*above, node)) for n, member in enumerate(node.value)]
        return self._scalar(node, path)

    def _entry(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        self.places[path] = self._place(node)
        return self.read(node, path, above)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                raise self._error(key_node, path, f"a key must be text, not {shown}; quote it, or rename it")
            key = key_node.value
            if key in values:
                first = self.places[(*path, key)].removeprefix(f"{self.source}:")
                raise self._error(key_node, (*path, key), f"is given twice, first in line {first}; remove one")
            self.places[(*path, key)] = self._place(key_node)
            values[key] = self.read(value_node, (*path, key), above)
        return values

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        is_plain = getattr(node, "style", None) is None
        if kind == "str":
            return self._text(node, path, text) if is_plain else text
        if kind == "null":
            return None
        if kind == "bool":
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise self._error(node, path, f"YAML reads {text} as a boolean; write true or false, or quote it")
        if kind in ("int", "float"):
            return self._number(node, path, text)
        if kind == "timestamp":
            raise self._error(node, path, f"YAML reads {text} as a date; quote it")
        raise self._error(node, path, f"YAML tag {node.tag} is not allowed; write a plain value")

    def _text(self, node: yaml.Node, path: KeyPath, text: str) -> Any:
        if _NOT_FINITE.fullmatch(text):
            raise self._error(node, path, f"must be a finite number, not {text}")
        if not _NUMBER.fullmatch(text):
            return text
        self._check_held(node, path, text)
        return Exponent(text)

    def _number(self, node: yaml.Node, path: KeyPath, text: str) -> int | float:
        if _NOT_FINITE.fullmatch(text):
            raise self._error(node, path, f"must be a finite number, not {text}")
        if node.tag == f"{_TAG}int" and _DECIMAL.fullmatch(text):
            return int(text)
        if node.tag == f"{_TAG}float" and _NUMBER.fullmatch(text):
            self._check_held(node, path, text)
            return float(text)
        raise self._error(
            node, path, f"{text} is not a decimal number; YAML reads it in base 2, 8, 16 or 60: write it out"
        )

    def _check_held(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        if not math.isfinite(float(text)):
            raise self._error(node, path, f"{text} is too large for a float; give a smaller number, or quote a text")

    def _place(self, node: yaml.Node) -> str:
        return "command line" if self.is_shell else f"{self.source}:{node.start_mark.line + 1}"

    def _error(self, node: yaml.Node, path: KeyPath, reason: str) -> SpecError:
        places = {path: self._place(node)}
        return Document(source=self._place(node), data={}, places=places).error(path, reason)

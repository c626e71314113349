"""Read YAML and JSON that people write: every cap is checked before an alias, a number or a list grows."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from rothamsted.caps import MOST_CHARACTERS, MOST_DEPTH, MOST_DIGITS, MOST_NODES
from rothamsted.errors import SpecError
from rothamsted.given_files import open_given, reading

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, OverflowError)  # of PyYAML's own constructors


class CapError(yaml.MarkedYAMLError):
    """Says that a text is too much; `problem` is the rule, the value and the way out."""


def read_text(path: str | Path, source: str, *, way_out: str) -> str:
    """Read the text of a file that a person wrote; of a longer one than is taken only the beginning is read.

    Args:
        path: the file.
        source: what errors call it.
        way_out: what to give instead of a file that is not there.

    Raises:
        SpecError: it is missing, unreadable, no UTF-8 or too long.
    """
    with (
        open_given(path, source=source, way_out=way_out, error=SpecError) as file,
        reading(source, way_out=way_out, error=SpecError),
    ):
        text = io.TextIOWrapper(file, encoding="utf-8-sig").read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise SpecError(f"{source}: has more than {MOST_CHARACTERS} characters, which are not read; shorten it")
    return text


def compose(text: str) -> yaml.Node | None:
    """Parse a YAML text into nodes; None: it holds nothing.

    Raises:
        yaml.YAMLError: it is not YAML, or too much.
    """
    if len(text) > MOST_CHARACTERS:
        raise CapError(problem=f"has {len(text)} characters, and at most {MOST_CHARACTERS} are allowed; shorten it")
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def load(text: str) -> Any:
    """Read the plain values of a YAML text.

    Raises:
        yaml.YAMLError: it is not YAML, too much, or holds what Python has no value for.
    """
    node = compose(text)
    if node is None:
        return None
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    except _UNREADABLE as error:
        raise ConstructorError(None, None, f"holds no plain value: {error}", node.start_mark) from None
    finally:
        loader.dispose()


def load_json(text: str) -> Any:
    """Read the values of a JSON text.

    Raises:
        ValueError: it is not JSON, or nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists and objects are nested too deep; make it flat") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which counts what it makes, an alias as all that it stands for."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._n_nodes = 0
        self._sizes: dict[int, int] = {}  # of the node with this id, which lives as long as its anchor

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node, with what is in it."""
        mark = self.peek_event().start_mark
        is_alias, before = self.check_event(yaml.AliasEvent), self._n_nodes
        self._depth += 1
        if self._depth > MOST_DEPTH + 1:
            raise CapError(problem=f"is nested deeper than {MOST_DEPTH} levels; make it flat", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and _PAIR.search(node.value):  # as JSON escapes a sign beyond U+FFFF
            node.value = node.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        self._n_nodes += self._sizes.get(id(node), 1) if is_alias else 1
        if self._n_nodes > MOST_NODES:
            what = "with its aliases written out it has" if self._sizes and is_alias else "has"
            problem = f"{what} more than {MOST_NODES} keys and values; shorten it"
            raise CapError(problem=problem, problem_mark=mark)
        if not is_alias:
            self._sizes[id(node)] = self._n_nodes - before
            self._check_number(node)
        return node

    def _check_number(self, node: yaml.Node | None) -> None:
        if isinstance(node, yaml.ScalarNode) and len(node.value) > MOST_DIGITS and node.tag in _NUMBERS:
            problem = f"a number of {len(node.value)} digits, and at most {MOST_DIGITS} are allowed; round it"
            raise CapError(problem=problem, problem_mark=node.start_mark)

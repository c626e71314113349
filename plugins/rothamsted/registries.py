"""Look up samplers, pruners and others by name: our own, and those of other installed packages.

A package adds one by an entry point of the group `rothamsted.KIND`, which names a function, or a row: the function
with facts about it. Rows of ours are made the same way. An entry point is imported when its name is asked for.
Entry points are looked at (4 ms) only for a name that is not our own, or to list all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic_core import PydanticCustomError, core_schema

from rothamsted.errors import SpecError
from rothamsted.suggest import known_names

T = TypeVar("T")
UNKNOWN_NAME = "unknown_name"  # the kind of an error of the schema whose text is complete
_LOG = logging.getLogger(__name__)


class UnknownNameError(SpecError, ValueError):
    """Says that a registry does not hold a name, or that its package cannot be used."""


class Registry(Generic[T]):
    """Holds all rows of one kind, by name.

    Attributes:
        kind: what an error calls it: sampler, pruner, ...
        group: of the entry points by which other packages add to it.
    """

    def __init__(
        self,
        kind: str,
        own: Mapping[str, str | T],
        *,
        row: type | str | None = None,
        from_function: Callable[[str, Any], T] | str | None = None,
    ) -> None:
        """Make the registry of one kind.

        Args:
            kind: of what.
            own: our own rows by name: a row, or "module:name" of one, which is imported when asked for.
            row: the class of a row, or "module:name" of it; None: a row is whatever can be called.
            from_function: makes a row of a name and a bare function, or "module:name" of that; None: the row has
                the function as its `make`, or, without a class of rows, is the function.
        """
        self.kind, self.group = kind, f"rothamsted.{kind}"
        self._own, self._row_class, self._from_function = own, row, from_function
        self._of_others: dict[str, T] = {}
        self._clashes: set[str] = set()  # names that two have, said once

    def __getitem__(self, name: str) -> T:
        """A row.

        Raises:
            UnknownNameError: There is none of this name, or its package cannot be used.
        """
        if name in self._own:
            row = self._own[name]
            return self._checked(name, load(row), "rothamsted") if isinstance(row, str) else row
        if name not in self._of_others:
            self._of_others[name] = self._loaded(name)
        return self._of_others[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._entry_points()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def names(self) -> list[str]:
        """Return our own names, then those of other packages, in alphabetical order."""
        return [*self._own, *sorted(self._entry_points())]

    def items(self) -> list[tuple[str, T]]:
        """Names and rows; a row of a package that cannot be used is left out with a warning."""
        found = []
        for name in self.names():
            try:
                found.append((name, self[name]))
            except UnknownNameError as error:
                _LOG.warning("%s; it is left out", error)
        return found

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function of a row that has facts: its `make`, imported."""
        return load(getattr(self[name], "make"))  # noqa: B009 -- a row of any class

    def check(self, name: str) -> None:
        """Raise UnknownNameError unless there is such a row; one of another package is imported, ours is not."""
        if name not in self._own:
            self[name]

    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=self.group):
            if point.name not in self._own:
                found.setdefault(point.name, []).append(point)
            elif point.name not in self._clashes:
                self._clashes.add(point.name)
                _LOG.error(
                    "%s adds a %s '%s', but rothamsted has one of this name and uses its own; that package must give "
                    "another name",
                    _package(point),
                    self.kind,
                    point.name,
                )
        return found

    def _loaded(self, name: str) -> T:
        points = self._entry_points().get(name, [])
        if not points:
            raise UnknownNameError(f"there is no {self.kind} {name!r}; {known_names(name, self.names())}")
        if len({point.value for point in points}) > 1:
            packages = " and ".join(sorted(_package(point) for point in points))
            raise UnknownNameError(f"{self.kind} '{name}' is added by {packages}; uninstall one of them")
        package = _package(points[0])
        try:
            loaded = points[0].load()
        except Exception as error:  # whatever the code of others does when it is imported
            reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            raise UnknownNameError(
                f"{self.kind} '{name}' of {package} cannot be imported from {points[0].value} ({reason}); repair or "
                "uninstall that package"
            ) from error
        return self._checked(name, loaded, package)

    def _checked(self, name: str, loaded: Any, package: str) -> T:
        expected = load(self._row_class)
        if expected is not None and isinstance(loaded, expected):
            return loaded
        if not callable(loaded):
            what = "a function" if expected is None else f"a function or a {expected.__name__}"
            raise UnknownNameError(f"{self.kind} '{name}' of {package} must be {what}, not {loaded!r}")
        if self._from_function is not None:
            return load(self._from_function)(name, loaded)
        row: Any = loaded if expected is None else expected(make=loaded)
        return row


class NameOf:
    """Checks for pydantic that a text names a row.

    Use `Annotated[str, NameOf(EXECUTORS)]`; the JSON Schema lists the names.
    """

    def __init__(
        self,
        registry: Registry[Any],
        *,
        also: tuple[str, ...] = (),
        only: Callable[[Any], bool] | None = None,
        lack: str = "cannot be used here",
    ) -> None:
        """Say which names a key takes.

        Args:
            registry: that is looked up.
            also: words that are taken beside the names.
            only: takes a row whose use is allowed; None: all rows.
            lack: what is said of a row that `only` does not take.
        """
        self._registry, self._also, self._only, self._lack = registry, also, only, lack

    @property
    def kind(self) -> str:
        """Name the kind of the rows."""
        return self._registry.kind

    def names(self) -> list[str]:
        """Return the names that are taken, in the order in which they are listed."""
        only = self._only
        listed = self._registry.names() if only is None else [n for n, row in self._registry.items() if only(row)]
        return [*self._also, *listed]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {**handler(schema), "enum": self.names()}

    def _check(self, value: Any) -> Any:
        reason = self.refusal(value)
        if reason:
            raise PydanticCustomError(UNKNOWN_NAME, "{reason}", {"reason": reason})
        return value

    def refusal(self, value: Any) -> str:
        """Say why a value is no name that is taken; empty if it is one."""
        registry = self._registry
        if value in self._also:
            return ""
        if not isinstance(value, str) or value not in registry:
            return f"there is no {registry.kind} {value!r}; {known_names(str(value), self.names())}"
        try:
            registry.check(value)
            is_allowed = self._only is None or self._only(registry[value])
        except UnknownNameError as error:
            return str(error)
        return "" if is_allowed else f"{registry.kind} {value!r} {self._lack}; known: {', '.join(self.names())}"


@lru_cache(maxsize=512)
def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def load(place: Any) -> Any:
    """Import once what "module:name" stands for; anything that is no text stands for itself."""
    return _imported(place) if isinstance(place, str) else place


def _package(point: EntryPoint) -> str:
    return f"package {point.dist.name}" if point.dist is not None else f"module {point.module}"

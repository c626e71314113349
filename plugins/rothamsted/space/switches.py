"""Count conditions of spaces with `when`, by the values that switch something, not by all values of all parents.

Only the values of a parent that a `when` names matter. Values that switch on the same parameters count as one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rothamsted.caps import MOST_SWITCHED
from rothamsted.space.dependencies import ancestors
from rothamsted.space.domains import Domain
from rothamsted.space.values import identity

OTHER = object()  # a value that no `when` names

IsActive = Callable[[str, Mapping[str, Any]], bool]


class TooManyError(ValueError):
    """Says that there are too many ways to switch parameters on and off."""


@dataclass(kw_only=True)
class Switches:
    """Finds which values of parameters switch others on.

    Attributes:
        domains: of the space.
        order: of its parameters, parents first.
        is_active: function that says whether a parameter is used, given the parameters that its `when` names.
        n_asked: how often `is_active` was called.
    """

    domains: Mapping[str, Domain]
    order: Sequence[str]
    is_active: IsActive
    n_asked: int = 0

    def activating(self, name: str) -> dict[str, Any] | None:
        """Return values of a parameter's ancestors with which it is active; None: there are none.

        Raises:
            TooManyError: too many would have to be tried.
        """
        whens = {other: tuple(domain.when) for other, domain in self.domains.items()}
        above = set(ancestors(name, whens))
        asked = [*(other for other in self.order if other in above), name]
        return next(self._assignments(asked, {}, 0), None)

    def _assignments(self, names: Sequence[str], found: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        """Every assignment of all names but the last under which all are active."""
        name = names[depth]
        if not self._asks(name, found):
            return
        if depth == len(names) - 1:
            yield found
            return
        for value, _ in self.classes(name, names):
            yield from self._assignments(names, {**found, name: value}, depth + 1)

    def count(self, sizes: Mapping[str, int], is_there: Callable[[str, Any], bool]) -> int:
        """Count the conditions.

        Args:
            sizes: parameter -> how many values it has.
            is_there: (parameter, value) -> whether the parameter has this value, which a `when` names.

        Raises:
            TooManyError: there are too many ways to switch parameters on and off.
        """
        product = 1
        for names in self._joined():
            product *= self._count(names, {}, 0, sizes, is_there)
        return product

    def _count(
        self,
        names: Sequence[str],
        condition: Mapping[str, Any],
        start: int,
        sizes: Mapping[str, int],
        is_there: Callable[[str, Any], bool],
    ) -> int:
        factor = 1
        for depth in range(start, len(names)):
            name = names[depth]
            if not self._asks(name, condition):
                continue
            named = [
                (value, [v for v in alike if is_there(name, v)]) for value, alike in self.classes(name, set(names))
            ]
            if not named:
                factor *= sizes[name]
                continue
            parts = [(value, len(alike)) for value, alike in named if alike]
            parts.append((OTHER, sizes[name] - sum(n for _, n in parts)))
            return factor * sum(
                n * self._count(names, {**condition, name: value}, depth + 1, sizes, is_there)
                for value, n in parts
                if n
            )
        return factor

    def classes(self, parent: str, children: Collection[str]) -> list[tuple[Any, list[Any]]]:
        """Group the named values of a parent by the children that they switch: first value, all values."""
        classes: dict[frozenset[str], list[Any]] = {}
        for value, switched in self._named.get(parent, {}).values():
            if those := switched.intersection(children):
                classes.setdefault(those, []).append(value)
        return [(alike[0], alike) for alike in classes.values()]

    @cached_property
    def _named(self) -> Mapping[str, Mapping[Hashable, tuple[Any, frozenset[str]]]]:
        """Parent -> key of a value that a `when` names -> that value, and the parameters that it switches on."""
        named: dict[str, dict[Hashable, tuple[Any, frozenset[str]]]] = {}
        for child, domain in self.domains.items():
            for parent in (parent for parent in domain.when if parent in self.domains):
                of_parent, own = named.setdefault(parent, {}), self.domains[parent].own
                for value in map(own, domain.when[parent]):
                    _, known = of_parent.get(identity(value), (value, frozenset()))
                    of_parent[identity(value)] = (value, known | {child})
        return named

    def _joined(self) -> list[list[str]]:
        """The parameters in groups that no `when` joins, each in order."""
        group = {name: {name} for name in self.order}
        for name in self.order:
            for parent in self.domains[name].when:
                if parent in group and group[parent] is not group[name]:
                    group[parent] |= group[name]
                    for member in group[name]:
                        group[member] = group[parent]
        distinct = {id(members): members for members in group.values()}
        return [[name for name in self.order if name in members] for members in distinct.values()]

    def _asks(self, name: str, condition: Mapping[str, Any]) -> bool:
        self.n_asked += 1
        if self.n_asked > MOST_SWITCHED:
            raise TooManyError
        return self.is_active(name, condition)

"""Define a search space: named domains, some active only with certain values of others.

It has what joins domains: the order of decisions, which are active, the grid, and the map from the unit cube to a
condition.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rothamsted.caps import MOST_PARAMETERS
from rothamsted.errors import SpecError
from rothamsted.space.dependencies import ancestors, topological_order
from rothamsted.space.domains import Domain, DomainError
from rothamsted.space.equal import own_values
from rothamsted.space.switches import Switches, TooManyError
from rothamsted.space.values import among, identity

if TYPE_CHECKING:
    import numpy as np

Condition = dict[str, Any]  # one assignment of the active parameters, without seed

_TOO_MANY = "its `when` can switch parameters on and off in too many ways; join parents, or split the sweep"


class SpaceError(SpecError):
    """Says that a search space, or a condition of it, is wrong.

    Attributes:
        key: place in the space: (parameter,) or (parameter, part of its domain, …).
        reason: the rule, the value and the way out.
    """

    def __init__(self, key: tuple[str, ...], reason: str) -> None:
        super().__init__(f"{'.'.join(('space', *key))}: {reason}")
        self.key = key
        self.reason = reason


@dataclass(frozen=True)
class Space:
    """Holds named domains, in the order of the sweep file.

    Attributes:
        domains: a domain for each parameter.
        given: parameters fixed outside the space, to which a `when` may refer; not part of a condition.
    """

    domains: Mapping[str, Domain]
    given: Mapping[str, Any] = field(default_factory=dict)
    _order: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.domains) > MOST_PARAMETERS:
            reason = f"{len(self.domains)} parameters, and at most {MOST_PARAMETERS} are allowed; fix some of them"
            raise SpaceError((), reason)
        self._check_parents()
        try:
            order = topological_order({name: tuple(domain.when) for name, domain in self.domains.items()})
        except ValueError as error:
            cycle = error.args[0]
            raise SpaceError((cycle[0], "when"), f"goes in a circle: {' -> '.join(cycle)}; break it") from None
        object.__setattr__(self, "_order", order)
        for name, domain in self.domains.items():
            if self._activating[name] is None and not self._depends_on_given(name):
                raise SpaceError((name, "when"), f"{dict(domain.when)} can never come true; correct it")

    def __len__(self) -> int:
        """The number of parameters, which is also the number of coordinates that `from_unit` takes."""
        return len(self.domains)

    @property
    def order(self) -> tuple[str, ...]:
        """Return the parameters in the order in which to decide them: as given, but parents before children."""
        return self._order

    def is_active(self, name: str, condition: Mapping[str, Any]) -> bool:
        """Return whether a parameter is used, given the parameters that its `when` names."""
        return all(self._holds(condition, name, parent) for parent in self.domains[name].when)

    def check(self, condition: Mapping[str, Any]) -> None:
        """Raise a SpaceError unless this is a condition of this space, all active parameters in it."""
        for name in condition:
            if name not in self.domains:
                raise SpaceError((name,), f"is not a parameter of this space; known: {', '.join(self.domains)}")
        for name in self._order:
            is_active = self.is_active(name, condition)
            if is_active and name not in condition:
                raise SpaceError((name,), "is missing from the condition; give it a value")
            if not is_active and name in condition:
                raise SpaceError(
                    (name,),
                    f"is not active under {dict(self.domains[name].when)}; leave it out of the condition",
                )
            if is_active:
                self._check_value(name, condition[name])

    def iterate_grid(self) -> Iterator[Condition]:
        """Yield the grid's conditions, without inactive parameters.

        The first parameter varies slowest, but a parent always varies slower than what depends on it.
        """
        return (self._in_given_order(condition) for condition in self._extend({}, 0, self._cuts()))

    def grid(self) -> list[Condition]:
        """Return all conditions of the grid, each once, always in the same order."""
        return list(self.iterate_grid())

    def size_of_grid(self) -> int:
        """Return the number of conditions in the grid, counted without making them."""
        sizes = {name: self._of_grid(name, domain.n_grid_points) for name, domain in self.domains.items()}
        return self.count(sizes, lambda name, value: self.domains[name].is_on_grid(value))

    def count(self, sizes: Mapping[str, int], is_there: Callable[[str, Any], bool]) -> int:
        """Return the number of conditions if parameters have these numbers of values."""
        try:
            return self._switches.count(sizes, is_there)
        except TooManyError:
            raise SpaceError((), _TOO_MANY) from None

    def from_unit(self, unit: np.ndarray) -> Condition:
        """Return the condition at a point of the unit cube.

        Args:
            unit: (parameter,) numbers in [0, 1], one for each parameter in the order given. The coordinates of inactive
                parameters are ignored, so that a sequence of points keeps its structure.
        """
        import numpy as np

        if np.shape(unit) != (len(self),):
            raise ValueError(f"from_unit takes {len(self)} coordinates, not an array of shape {np.shape(unit)}")
        if not np.all((unit >= 0) & (unit <= 1)):
            raise ValueError(f"from_unit takes coordinates in [0, 1], not {unit}")
        by_name = dict(zip(self.domains, unit.tolist(), strict=True))
        condition: Condition = {}
        for name in self._order:
            if self.is_active(name, condition):
                condition[name] = self.domains[name].at(by_name[name])
        return self._in_given_order(condition)

    def sample(self, rng: np.random.Generator) -> Condition:
        """Return a random condition: uniform, log-uniform if `log`, each choice equally likely.

        It draws one number for each parameter, active or not, so that equal generators stay equal.
        """
        return self.from_unit(rng.random(len(self)))

    def probes(self) -> Iterator[tuple[str, Condition]]:
        """Yield for each parameter conditions that give it every choice or both ends: (parameter, condition).

        They are tried on a study before anything runs. The other parameters have their first value. A parameter that
        the `given` ones switch off has no probe.
        """
        for name, domain in self.domains.items():
            forced = self._activating[name]
            for value in domain.probes() if forced is not None else ():
                yield name, self._first_with({**(forced or {}), name: value})

    def _check_parents(self) -> None:
        for name, domain in self.domains.items():
            for parent, allowed in domain.when.items():
                if parent == name:
                    raise SpaceError((name, "when"), "refers to the parameter itself; name another one")
                if parent in self.domains:
                    self._check_allowed(name, parent, allowed)
                elif parent not in self.given:
                    known = ", ".join(other for other in (*self.domains, *self.given) if other != name)
                    raise SpaceError(
                        (name, "when", parent), f"is neither in the space nor fixed; known: {known or 'none'}"
                    )

    def _check_allowed(self, name: str, parent: str, allowed: tuple[Any, ...]) -> None:
        for value in allowed:
            try:
                self.domains[parent].check(value)
            except DomainError as error:
                raise SpaceError((name, "when", parent), f"can never be {value!r}: {error.reason}") from None

    def _check_value(self, name: str, value: Any) -> None:
        try:
            self.domains[name].check(value)
        except DomainError as error:
            raise SpaceError((name,), error.reason) from None

    def _holds(self, condition: Mapping[str, Any], name: str, parent: str) -> bool:
        if parent in self.domains:
            if parent not in condition:
                return False  # an inactive parent has no value
            return identity(self.domains[parent].own(condition[parent])) in self._allowed[name][parent]
        allowed = self.domains[name].when[parent]
        value = condition.get(parent, self.given.get(parent))
        return identity(among(allowed, value)) in map(identity, allowed)

    @cached_property
    def _allowed(self) -> dict[str, dict[str, set[Hashable]]]:
        """Parameter -> parent in the space -> keys of the values of that parent under which it is active."""
        return {
            name: {
                parent: {identity(self.domains[parent].own(value)) for value in allowed}
                for parent, allowed in domain.when.items()
                if parent in self.domains
            }
            for name, domain in self.domains.items()
        }

    def _depends_on_given(self, name: str) -> bool:
        whens = {other: tuple(domain.when) for other, domain in self.domains.items()}
        return any(other in self.given and other not in self.domains for other in ancestors(name, whens))

    @property
    def _switches(self) -> Switches:
        return Switches(domains=self.domains, order=self._order, is_active=self.is_active)

    @cached_property
    def _activating(self) -> dict[str, Condition | None]:
        """For each parameter, values of its ancestors under which it is active, or None where there are none."""
        switches = self._switches
        try:
            return {name: switches.activating(name) for name in self.domains}
        except TooManyError:
            raise SpaceError((), _TOO_MANY) from None

    def _first_with(self, forced: Mapping[str, Any]) -> Condition:
        condition: Condition = {}
        for name in self._order:
            if self.is_active(name, condition):
                condition[name] = forced.get(name, self.domains[name].probes()[0])
        return own_values(self._in_given_order(condition), self.domains)

    def _cuts(self) -> dict[str, tuple[Any, ...]]:
        return {name: self._of_grid(name, domain.grid_points) for name, domain in self.domains.items()}

    def _of_grid(self, name: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except DomainError as error:
            raise SpaceError((name, error.part), error.reason) from None

    def _extend(self, condition: Condition, depth: int, cuts: Mapping[str, tuple[Any, ...]]) -> Iterator[Condition]:
        if depth == len(self._order):
            yield condition
            return
        name = self._order[depth]
        if not self.is_active(name, condition):
            yield from self._extend(condition, depth + 1, cuts)
            return
        for value in cuts[name]:
            yield from self._extend({**condition, name: value}, depth + 1, cuts)

    def _in_given_order(self, condition: Condition) -> Condition:
        return {name: condition[name] for name in self.domains if name in condition}

"""One identity of values: what comes back, or is given, is the value of its domain that it stands for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.search.distributions import distributions_of, from_stored, to_stored
from rothamsted.space import Choice, Domain, DomainError, Range, Space, condition_key, identity
from tests.space.strategies import choices, ranges

TENTHS = Range(low=-0.3, high=0.3, step=0.1)
OFF = 0.1 + 0.2  # 0.30000000000000004
TWO = Choice(values=([1], "[1]"))


@pytest.mark.parametrize("tenths", [TENTHS, Range(low=-0.3, high=0.3, points=7)])
def test_a_grid_around_zero_holds_zero(tenths: Range) -> None:
    # By hand; in binary -0.3 + 3 * 0.1 is 5.55e-17.
    assert tenths.grid_points() == (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("domain", "given", "own"),
    [
        (TENTHS, OFF, 0.3),
        (TENTHS, -5.55e-17, 0.0),
        (Range(low=0.1, high=1.0, step=0.1), OFF, 0.3),
        (Range(low=0.0, high=1.0, points=11), OFF, 0.3),
        (Range(low=0.0, high=0.3), OFF, 0.3),  # an end
        (Range(low=1e-3, high=1e3, log=True, points=13), 10**0.5, 3.16227766017),
        (Range(low=1e-4, high=1e2, log=True), math.exp(math.log(1e-4)), 1e-4),
        (Range(low=0.0, high=1.0), OFF, OFF),  # no step, no points: every number is one of its own
        (Range(low=0.0, high=1.0), 1, 1.0),
        (Range(low=1, high=9, is_integer=True), 3, 3),
        (Range(low=0.0, high=1.0, step=1 / 3), 1.0, 1.0),
        (Choice(values=(0.1, 0.3)), OFF, 0.3),
        (Choice(values=(0.3, OFF)), OFF, OFF),  # both are there: the equal one is meant
        (Choice(values=(1, "1")), 1.0, 1),
        (Choice(values=(1, "1")), "1", "1"),
        (TWO, "[1]", "[1]"),
        (TWO, [1.0], [1]),
    ],
)
def test_a_number_off_by_rounding_is_the_value_that_it_stands_for(domain: Domain, given: Any, own: Any) -> None:
    found = domain.own(given)
    assert (found, type(found)) == (own, type(own))
    domain.check(given)


@pytest.mark.parametrize(
    ("domain", "value"),
    [(TENTHS, 0.25), (TENTHS, 0.4), (Range(low=0.0, high=0.3), 0.3001), (Choice(values=(0.1, 0.3)), 0.2999)],
)
def test_a_number_off_by_more_than_rounding_is_refused(domain: Domain, value: float) -> None:
    with pytest.raises(DomainError):
        domain.check(value)


@given(domain=st.one_of(ranges(), ranges(is_cut=True), choices()), unit=st.floats(0, 1), ulps=st.integers(-4, 4))
def test_values_are_their_own_and_absorb_rounding(domain: Domain, unit: float, ulps: int) -> None:
    value = domain.at(unit)
    assert identity(domain.own(value)) == identity(value)
    if isinstance(domain, Range) and domain.step is not None and not domain.is_integer:
        off = value
        for _ in range(abs(ulps)):
            off = math.nextafter(off, math.copysign(math.inf, ulps))
        assert domain.own(off) == value
        assert condition_key({"x": off}, {"x": domain}) == condition_key({"x": value}, {"x": domain})


@given(domain=st.one_of(ranges(), choices()), unit=st.floats(0, 1))
def test_a_value_comes_back_from_the_search_as_it_went_in(domain: Domain, unit: float) -> None:
    space = Space({"x": domain})
    value = domain.at(unit)
    stored = to_stored(value, domain, distributions_of(space)["x"])
    again = from_stored({"x": stored}, space)["x"]
    assert (again, type(again)) == (value, type(value))


@given(domain=ranges(is_cut=True))
def test_a_grid_point_that_optuna_computes_is_the_grid_point(domain: Range) -> None:
    # Optuna's rule: low + k * step, in floats (optuna.distributions, `_transform`).
    if domain.step is not None and not domain.is_integer:
        points = domain.grid_points()
        assert tuple(domain.own(domain.low + k * domain.step) for k in range(len(points))) == points

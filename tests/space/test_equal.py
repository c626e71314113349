"""When two conditions are one, and when a space has no more of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rothamsted.space import Choice, Range, Space, condition_key, identity, n_conditions_of, untried

STEPS = {"x": Range(low=0.1, high=1.0, step=0.1)}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (0.1, 0.10, True),
        (1e-05, 0.00001, True),
        (1, 1.0, True),
        (True, 1, False),
        ("1", 1, False),
        (0.1, 0.1 + 2**-56, False),  # the next double: exact
        ([1, 2], [1.0, 2.0], True),
        ([True], [1], False),
        (None, "None", False),
        (float("nan"), float("nan"), True),
    ],
)
def test_values_are_compared_by_type_and_exactly(one: Any, other: Any, is_same: bool) -> None:
    assert (condition_key({"x": one}, {}) == condition_key({"x": other}, {})) is is_same
    assert (identity(one) == identity(other)) is is_same


def test_in_a_range_with_a_step_a_value_is_the_step_it_stands_for() -> None:
    assert 0.1 + 2 * 0.1 != 0.3  # as Optuna computes it, and as it is written
    assert condition_key({"x": 0.1 + 2 * 0.1}, STEPS) == condition_key({"x": 0.3}, STEPS)
    assert condition_key({"x": 0.3}, STEPS) != condition_key({"x": 0.4}, STEPS)


@pytest.mark.parametrize(
    ("domains", "n"),
    [
        ({"x": Choice(values=(0.1, 0.2)), "mode": Choice(values=("a", "b"))}, 4),
        ({"n": Range(low=1, high=5, is_integer=True), "x": Range(low=0.0, high=1.0, step=0.25)}, 25),
        ({"n": Range(low=1, high=64, log=True, points=3, is_integer=True)}, 64),  # `points` are a grid's alone
        ({"m": Choice(values=("a", "b")), "k": Choice(values=(1, 2, 3), when={"m": ("b",)})}, 4),  # a; b with 3
        ({"x": Range(low=0.0, high=1.0, points=3)}, None),
        ({"n": Range(low=0, high=10**9, is_integer=True)}, None),
    ],
)
def test_how_many_conditions_a_space_has(domains: Any, n: int | None) -> None:
    assert n_conditions_of(Space(domains)) == n


def test_the_last_condition_is_found_also_where_it_is_rare() -> None:
    space = Space({"x": Choice(values=tuple(range(20_000)))})
    tried = {condition_key({"x": x}, space.domains) for x in range(20_000) if x != 17}
    assert untried(space, tried, np.random.default_rng(0)) == {"x": 17}
    assert untried(space, tried | {condition_key({"x": 17}, {})}, np.random.default_rng(0)) is None

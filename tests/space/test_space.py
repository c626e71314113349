"""Joint search spaces: the grid, conditional parameters, sampling, and what is refused."""

from __future__ import annotations

import pickle
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.space import Choice, Range, Space, SpaceError, domain_from_plain, domain_to_plain, identity
from tests.space.strategies import spaces

OPTIMIZERS = Space(
    {
        "momentum": Range(low=0.0, high=0.9, points=3, when={"optimizer": ("sgd",)}),
        "optimizer": Choice(values=("sgd", "adam")),
        "lr": Range(low=0.1, high=10.0, log=True, points=3),
    }
)


def test_a_grid_leaves_inactive_parameters_out_and_repeats_no_condition() -> None:
    # By hand: adam has no momentum, so 3 x 3 conditions of sgd and 3 of adam, and not 3 x 2 x 3.
    assert [(c["optimizer"], c.get("momentum"), c["lr"]) for c in OPTIMIZERS.grid()] == [
        *(("sgd", momentum, lr) for momentum in (0.0, 0.45, 0.9) for lr in (0.1, 1.0, 10.0)),
        *(("adam", None, lr) for lr in (0.1, 1.0, 10.0)),
    ]


def test_a_condition_names_its_parameters_in_the_order_of_the_space() -> None:
    assert [list(condition) for condition in (OPTIMIZERS.grid()[0], OPTIMIZERS.grid()[-1])] == [
        ["momentum", "optimizer", "lr"],
        ["optimizer", "lr"],
    ]


def test_parents_are_decided_before_their_children() -> None:
    assert OPTIMIZERS.order == ("optimizer", "momentum", "lr")


def test_a_space_without_parameters_has_one_empty_condition() -> None:
    # The empty product: one condition that assigns nothing.
    assert (Space({}).grid(), Space({}).size_of_grid()) == ([{}], 1)


def test_a_parameter_fixed_outside_the_space_switches_one_inside_on() -> None:
    momentum = Choice(values=(0.0, 0.9), when={"optimizer": ("sgd", "nesterov")})
    n_conditions = {
        name: Space({"momentum": momentum}, given={"optimizer": name}).size_of_grid() for name in ("nesterov", "adam")
    }
    # By hand: two values of momentum, or the one condition without it.
    assert n_conditions == {"nesterov": 2, "adam": 1}


def test_a_child_of_an_inactive_parameter_is_inactive() -> None:
    space = Space(
        {
            "a": Choice(values=(1, 2)),
            "b": Choice(values=("x", "y"), when={"a": (1,)}),
            "c": Choice(values=(True, False), when={"b": ("x",)}),
        }
    )
    # By hand: a=1: b=x with two c, b=y; a=2 alone.
    assert space.grid() == [
        {"a": 1, "b": "x", "c": True},
        {"a": 1, "b": "x", "c": False},
        {"a": 1, "b": "y"},
        {"a": 2},
    ]


@settings(max_examples=60, deadline=None)
@given(space=spaces(is_cut=True))
def test_no_two_conditions_of_a_grid_are_equal(space: Space) -> None:
    keys = [identity(condition) for condition in islice(space.iterate_grid(), 3000)]
    assert len(keys) == len(set(keys))


@settings(max_examples=60, deadline=None)
@given(space=spaces(is_cut=True))
def test_the_size_of_a_grid_is_the_number_of_its_conditions(space: Space) -> None:
    # Counted one by one, up to 3,000.
    assert min(space.size_of_grid(), 3000) == sum(1 for _ in islice(space.iterate_grid(), 3000))


@settings(max_examples=60, deadline=None)
@given(space=spaces(is_cut=True))
def test_every_condition_of_a_grid_belongs_to_the_space(space: Space) -> None:
    for condition in islice(space.iterate_grid(), 500):
        space.check(condition)


@settings(max_examples=100, deadline=None)
@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_every_sample_belongs_to_the_space(space: Space, seed: int) -> None:
    space.check(space.sample(np.random.default_rng(seed)))


@settings(max_examples=100, deadline=None)
@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_exactly_the_active_parameters_are_in_a_sample(space: Space, seed: int) -> None:
    condition = space.sample(np.random.default_rng(seed))
    assert set(condition) == {name for name in space.domains if space.is_active(name, condition)}


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_equal_seeds_give_equal_samples(space: Space, seed: int) -> None:
    first, second = (space.sample(np.random.default_rng(seed)) for _ in range(2))
    assert first == second


@settings(max_examples=60, deadline=None)
@given(space=spaces())
def test_domains_survive_being_written_as_a_sweep_file_writes_them(space: Space) -> None:
    written = {name: domain_to_plain(domain) for name, domain in space.domains.items()}
    assert {name: domain_from_plain(raw) for name, raw in written.items()} == dict(space.domains)


@settings(max_examples=60, deadline=None)
@given(space=spaces())
def test_every_choice_and_both_ends_are_among_the_probes(space: Space) -> None:
    probed: dict[str, set[Any]] = {}
    for name, condition in space.probes():
        space.check(condition)
        probed.setdefault(name, set()).add(identity(condition[name]))
    wanted = {name: {identity(value) for value in domain.probes()} for name, domain in space.domains.items()}
    assert probed == wanted


def test_samples_of_a_log_range_are_log_uniform() -> None:
    # Kolmogorov-Smirnov against the uniform law of the logarithm; at a fixed seed, p > 0.001.
    space = Space({"lr": Range(low=1e-4, high=1.0, log=True)})
    rng = np.random.default_rng(0)
    logs = [np.log10(space.sample(rng)["lr"]) for _ in range(2000)]
    assert stats.kstest(logs, stats.uniform(loc=-4, scale=4).cdf).pvalue > 0.001


def test_a_point_of_the_unit_cube_is_mapped_coordinate_by_coordinate() -> None:
    # By hand: 0.5 of [0, 0.9]; 0.2 of two choices is the first; a quarter of the way in logs from -1 to 1.
    condition = OPTIMIZERS.from_unit(np.array([0.5, 0.2, 0.25]))
    assert condition == {"momentum": 0.45, "optimizer": "sgd", "lr": pytest.approx(10**-0.5)}


@pytest.mark.parametrize("unit", [[0.5], [0.5, 0.5, 1.5], [0.5, 0.5, -0.1], [0.5, 0.5, np.nan]])
def test_a_point_outside_the_unit_cube_is_refused(unit: list[float]) -> None:
    with pytest.raises(ValueError, match="from_unit takes"):
        OPTIMIZERS.from_unit(np.array(unit))


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"optimizer": "adam", "lr": 1.0, "depth": 3}, "space.depth: is not a parameter of this space"),
        ({"optimizer": "adam"}, "space.lr: is missing"),
        ({"optimizer": "adam", "lr": 1.0, "momentum": 0.9}, "space.momentum: is not active under"),
        ({"optimizer": "adam", "lr": 100.0}, r"space.lr: 100.0 lies outside \[0.1, 10.0\]"),
    ],
)
def test_a_condition_of_another_space_is_refused(condition: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpaceError, match=reason):
        OPTIMIZERS.check(condition)


def _choice(**when: Any) -> Choice:
    return Choice(values=(1, 2), when=when)


@pytest.mark.parametrize(
    ("domains", "reason"),
    [
        ({"a": _choice(z=(1,))}, "space.a.when.z: is neither in the space nor fixed; known: none"),
        ({"a": _choice(a=(1,))}, "space.a.when: refers to the parameter itself"),
        ({"a": _choice(b=(1,)), "b": _choice(a=(1,))}, "when: goes in a circle: "),
        ({"a": _choice(), "b": _choice(a=(3,))}, "space.b.when.a: can never be 3: 3 is not one of 1, 2"),
        (
            {"a": _choice(), "b": _choice(a=(1,)), "c": _choice(a=(2,), b=(1,))},
            "space.c.when: .* can never come true",
        ),
    ],
)
def test_conditions_that_lead_nowhere_are_refused(domains: dict[str, Choice], reason: str) -> None:
    with pytest.raises(SpaceError, match=reason):
        Space(domains)


def test_the_size_of_a_huge_grid_is_counted_without_making_it() -> None:
    # 100^8 conditions: making them would take years.
    axes = {f"p{n}": Range(low=0.0, high=1.0, points=100) for n in range(8)}
    assert Space(axes).size_of_grid() == 100**8


def test_a_space_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(OPTIMIZERS)) == OPTIMIZERS

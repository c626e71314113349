"""A function's signature becomes a config, and what no sweep could call is refused in one line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from rothamsted import UserError
from rothamsted.studies import field_names, set_fields
from rothamsted.studies.function import as_study, study


class Kind(Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclass
class Optimizer:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


class Net(BaseModel):
    depth: int = Field(default=2, ge=1)
    name: str = "mlp"


@dataclass
class Whole:
    seed: int = 0
    lr: float = 0.1
    opt: Optimizer = field(default_factory=Optimizer)


def called_with(target: Any, **values: Any) -> Any:
    """What a function is called with for dotted values: it returns its own arguments through `seen`."""
    one = as_study(target)
    config = set_fields(one.config, values)
    return list(one.train([config])), config


SEEN: dict[str, Any] = {}


@study
def everything(
    seed: int,
    lr: float,
    depth=3,
    name="mlp",
    path: Path = Path("a"),
    widths: list[int] = [8, 8],  # noqa: B006 # as users write it
    kind: Kind = Kind.FAST,
    mode: Literal["a", "b"] = "a",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    limit: int | None = None,
    opt: Optimizer = Optimizer(lr=0.5),  # noqa: B008
    net: Net = Net(),  # noqa: B008
    table: dict[str, float] = {},  # noqa: B006
):
    """Use everything."""
    SEEN.clear()
    SEEN.update(locals())
    return 1.0


def test_each_parameter_is_a_field_by_its_name_and_its_type() -> None:
    names = field_names(everything.config)
    assert names == [
        *("seed", "lr", "depth", "name", "path", "widths", "kind", "mode", "dropout", "limit"),
        *("opt.lr", "opt.betas", "net.depth", "net.name", "table"),
    ]
    list(everything.train([set_fields(everything.config, {"lr": "0.25", "depth": 4, "opt.lr": 0.3, "kind": "slow"})]))
    assert SEEN["lr"] == 0.25  # a float, though text was given
    assert (SEEN["depth"], SEEN["path"], SEEN["kind"]) == (4, Path("a"), Kind.SLOW)
    assert SEEN["opt"] == Optimizer(lr=0.3)
    assert type(SEEN["net"]) is Net


def test_a_default_that_a_dataclass_was_given_is_kept_beside_what_a_sweep_sets() -> None:
    list(everything.train([set_fields(everything.config, {"lr": 1.0, "opt.betas": [0.5, 0.6]})]))
    assert SEEN["opt"] == Optimizer(lr=0.5, betas=(0.5, 0.6))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "lr of everything has no default and must be given"),
        ({"lr": 0.1, "opt.lrr": 0.1}, "opt.lrr"),
        ({"lr": 0.1, "net.wide": 1}, "net.wide"),
        ({"lr": 0.1, "dropout": 1.5}, "dropout of everything: must be less than 1"),
        ({"lr": 0.1, "mode": "c"}, "mode of everything: must be 'a' or 'b'"),
        ({"lr": 0.1, "seed": -1}, "seed of everything: must be greater than or equal to 0"),
    ],
)
def test_a_value_that_the_signature_does_not_take_is_refused_by_its_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as refused:
        set_fields(everything.config, values)
    assert said in str(refused.value)


def test_a_dataclass_or_a_model_with_a_seed_is_the_whole_config() -> None:
    seen: list[Any] = []

    def f(config: Whole) -> float:
        seen.append(config)
        return config.lr

    whole = study(f)
    assert field_names(whole.config) == ["seed", "lr", "opt.lr", "opt.betas"]
    list(whole.train([set_fields(whole.config, {"seed": 3, "opt.lr": 0.7})]))
    assert seen == [Whole(seed=3, lr=0.1, opt=Optimizer(lr=0.7))]


def test_a_frozen_model_with_a_seed_is_given_as_itself() -> None:
    class Config(BaseModel):
        model_config = ConfigDict(frozen=True)
        seed: int = 0
        lr: float = 0.1

    seen: list[Any] = []

    def f(config) -> float:
        seen.append(config)
        return config.lr

    f.__annotations__["config"] = Config
    list(study(f).train([set_fields(study(f).config, {"lr": 0.2})]))
    assert type(seen[0]) is Config
    assert seen[0].lr == 0.2


def test_the_parameter_of_the_seed_may_have_another_name() -> None:
    @study(seed_parameter="random_state")
    def f(random_state, c=1.0):
        return random_state + c

    assert field_names(f.config) == ["seed", "c"]
    [measured] = f.train([set_fields(f.config, {"seed": 2})])
    assert measured.metrics["value"][0] == 3.0


def test_a_study_is_called_as_its_function_and_has_its_signature_and_its_text() -> None:
    @study(name="other")
    def f(seed: int, x: float = 2.0) -> float:
        """Square a number."""
        return x**2

    assert f(seed=0) == 4.0
    assert f(0, 3.0) == 9.0
    assert (f.name, f.__doc__, list(inspect.signature(f).parameters)) == ("other", "Square a number.", ["seed", "x"])


def _star(seed, *args): ...
def _stars(seed, **kwargs): ...
def _positional(seed, /): ...
async def _async(seed): ...
def _no_seed(lr=0.1): ...
def _array(seed, x=np.zeros(3)): ...  # noqa: B008
def _object(seed, x: np.ndarray): ...
def _inner(seed, x: list[np.ndarray]): ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_star, "study 'star': takes *args; name each parameter"),
        (_stars, "study 'stars': takes **kwargs; name each parameter"),
        (_positional, "study 'positional': takes seed by position only; remove the /"),
        (_async, "study 'async': is async"),
        (_no_seed, "study 'no_seed': has no parameter 'seed' (it has: lr); add seed: int"),
        (_array, "study 'array': parameter 'x' is of type ndarray; a sweep gives plain values: load it inside"),
        (_object, "study 'object': parameter 'x' is of type ndarray; a sweep gives plain values: load it inside"),
        (_inner, "study 'inner': parameter 'x' is of type ndarray"),
        (dict, "must be a function, not <class 'dict'>"),
    ],
)
def test_what_no_sweep_can_call_is_refused_in_one_line_with_the_way_out(function: Any, said: str) -> None:
    with pytest.raises(UserError) as refused:
        study(function)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_study_is_not_made_twice_and_a_study_of_the_full_contract_stays_itself() -> None:
    assert as_study(everything) is everything
    with pytest.raises(UserError, match="is a study already"):
        study(everything)

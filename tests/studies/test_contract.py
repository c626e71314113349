"""A study that breaks the contract is refused when it is made, and a population when it is put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from rothamsted.errors import StudyError
from rothamsted.studies import Study, check_population, population_key
from tests.toy import STUDY, Config, Optimizer, train


class Mutable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seed: int = 0


class Lenient(BaseModel):
    model_config = ConfigDict(frozen=True)
    seed: int = 0


class Seedless(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    lr: float = 0.1


class Aliased(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(default=0, alias="random_state")


def not_a_generator(configs: Any, state: Any = None) -> list[Any]:
    return []


def without_state(configs: Any) -> Any:
    yield None


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "batch size"}, "a name is a letter"),
    "config type": ({"config": dict}, "pydantic.BaseModel"),
    "config mutable": ({"config": Mutable, "varies": frozenset()}, "frozen=True"),
    "config lenient": ({"config": Lenient, "varies": frozenset()}, "extra='forbid'"),
    "config without seed": ({"config": Seedless, "varies": frozenset()}, "no field 'seed'"),
    "config with alias": ({"config": Aliased, "varies": frozenset()}, "drop alias"),
    "train not a generator": ({"train": not_a_generator}, "generator function"),
    "train without state": ({"train": without_state}, "train(configs, state=None)"),
    "varies unknown": ({"varies": frozenset({"optimiser.lr"})}, "optimiser.lr"),
    "varies a branch": ({"varies": frozenset({"optimizer"})}, "known: seed, lr, x, optimizer.name"),
    "rtol": ({"rtol": -1.0}, "rtol"),
}


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_study_that_breaks_the_contract_is_refused_with_its_rule(rule: str) -> None:
    changes, message = BROKEN[rule]
    parts: dict[str, Any] = {"name": "toy", "config": Config, "train": train, "rtol": 0.0, **changes}
    with pytest.raises(StudyError) as refused:
        Study(**parts)
    assert message in str(refused.value)


def test_configs_that_differ_in_varying_fields_only_have_one_population_key() -> None:
    configs = [Config(seed=1, lr=0.2), Config(seed=2, optimizer=Optimizer(momentum=0.5))]
    assert population_key(STUDY, configs[0]) == population_key(STUDY, configs[1])


def test_a_study_may_choose_its_own_population_key() -> None:
    key: Callable[[Config], int] = lambda config: config.steps % 2  # noqa: E731
    study = Study(name="toy", config=Config, train=train, rtol=0.0, static_key=key)
    assert population_key(study, Config(steps=3)) == population_key(study, Config(steps=5)) == 1


def test_a_population_that_differs_in_a_fixed_field_is_refused_by_that_field() -> None:
    with pytest.raises(StudyError, match=r"member 1 differs from member 0 in optimizer\.name, steps,"):
        check_population(STUDY, [Config(), Config(steps=7, lr=0.2, optimizer=Optimizer(name="heavy_ball"))])


def test_an_empty_population_is_refused() -> None:
    with pytest.raises(StudyError, match="at least one config"):
        check_population(STUDY, [])


def test_a_config_of_another_study_is_refused() -> None:
    with pytest.raises(StudyError, match="trains Config objects, not Seedless"):
        check_population(STUDY, [Seedless()])

"""Dotted names and configs: there and back, and one line for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rothamsted.errors import StudyError
from rothamsted.studies import field_names, field_types, flatten, set_fields
from tests.toy import Config, Optimizer

FROZEN = ConfigDict(frozen=True, extra="forbid")


class Sgd(BaseModel):
    model_config = FROZEN
    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.0, ge=0, lt=1)


class Adam(BaseModel):
    model_config = FROZEN
    kind: Literal["adam"] = "adam"
    beta: float = 0.9


class Wide(BaseModel):
    model_config = FROZEN
    seed: int
    widths: tuple[int, ...] = (4, 4)
    rule: Annotated[Sgd | Adam, Field(discriminator="kind")] = Sgd()
    data: Path | None = None
    inner: Sgd | None = None

    @model_validator(mode="after")
    def check(self) -> Wide:
        if self.seed == 13:
            raise ValueError("seed 13 is unlucky; take another")
        return self


def test_names_are_dotted_and_in_the_order_of_definition() -> None:
    assert field_names(Config)[:5] == ["seed", "lr", "x", "optimizer.name", "optimizer.momentum"]


def test_names_of_a_union_are_those_of_all_its_members() -> None:
    assert field_names(Wide)[2:5] == ["rule.kind", "rule.momentum", "rule.beta"]


def test_names_and_types_name_the_same_fields() -> None:
    assert list(field_types(Wide)) == field_names(Wide)


def test_flat_values_are_plain_as_in_json() -> None:
    flat = flatten(Wide(seed=1, widths=(2, 3), data=Path("a/b")))
    assert (flat["widths"], flat["data"], flat["rule.momentum"]) == ([2, 3], "a/b", 0.0)


numbers = st.floats(min_value=1e-300, allow_infinity=False)


@given(seed=st.integers(0, 2**62), lr=numbers, x=st.floats(allow_nan=False), momentum=st.floats(0, 0.99))
def test_a_config_survives_the_way_through_dotted_names(seed: int, lr: float, x: float, momentum: float) -> None:
    config = Config(seed=seed, lr=lr, x=x, optimizer=Optimizer(momentum=momentum))
    assert set_fields(Config, flatten(config)) == config


def test_nested_mappings_and_dotted_names_may_be_mixed() -> None:
    config = set_fields(Config, {"optimizer": {"momentum": 0.5}, "optimizer.name": "heavy_ball"})
    assert config.optimizer == Optimizer(name="heavy_ball", momentum=0.5)


class Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = 0
    optimizer: Optimizer = Optimizer(name="heavy_ball", momentum=0.9)
    weights: dict[str, float] = {}


def test_what_a_nested_default_says_is_kept_where_only_its_neighbour_is_given() -> None:
    # The field's default says heavy_ball, the class Optimizer itself says sgd.
    assert set_fields(Plan, {"optimizer.momentum": 0.5}).optimizer == Optimizer(name="heavy_ball", momentum=0.5)


@given(
    weights=st.dictionaries(
        st.text(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        ),
        st.floats(allow_nan=False, allow_infinity=False),
        max_size=3,
    )
)
def test_a_field_that_is_itself_a_mapping_may_have_any_keys(weights: dict[str, float]) -> None:
    config = Plan(weights=weights)
    assert set_fields(Plan, flatten(config)) == config


WRONG = {
    "unknown": (Config, {"optimizer.momentun": 0.5}, "optimizer.momentun is not a field of Config; did you mean"),
    "rule": (Config, {"lr": -1}, "lr of Config: must be greater than 0, not -1"),
    "type": (Config, {"steps": 1.5}, "steps of Config: must be a valid integer"),
    "missing": (Wide, {}, "seed of Wide has no default and must be given"),
    "twice": (Config, {"optimizer": {"name": "sgd"}, "optimizer.name": "sgd"}, "optimizer.name is given twice"),
    "leaf and branch": (
        Config,
        {"optimizer": 3, "optimizer.name": "sgd"},
        "optimizer.name and optimizer are both given",
    ),
    "whole config": (Wide, {"seed": 13}, "Wide: seed 13 is unlucky; take another"),
    "in a union": (
        Wide,
        {"seed": 1, "rule": {"kind": "sgd", "momentum": 2}},
        "rule.momentum of Wide: must be less than 1",
    ),
    "in a list": (Wide, {"seed": 1, "widths": [1, "x"]}, "widths[1] of Wide: must be a valid integer"),
}


@pytest.mark.parametrize("mistake", sorted(WRONG))
def test_a_mistake_is_one_line_that_names_place_field_and_value(mistake: str) -> None:
    config_type, flat, message = WRONG[mistake]
    with pytest.raises(StudyError) as refused:
        set_fields(config_type, flat, place="sweeps/a.yaml")
    assert str(refused.value).startswith(f"sweeps/a.yaml: {message.split(' ')[0]}")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("value", "reason"), [("\0", "a NUL character"), ("\ud800", "a broken character")])
def test_text_that_no_database_keeps_is_refused_wherever_it_comes_from(value: str, reason: str) -> None:
    class Described(BaseModel):
        description: str = ""
        notes: list[str] = []

    for flat in ({"description": value}, {"notes": ["a", value]}):
        with pytest.raises(StudyError, match=f"holds {reason}, which no database keeps; remove it"):
            set_fields(Described, flat)

"""A registry with packages of others that are well, broken, or in each other's way; and `NameOf` in a schema."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from rothamsted.catalog import CORRECTIONS
from rothamsted.registries import NameOf, Registry, UnknownNameError
from rothamsted.rows import CorrectionRow

Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Puts an installed package on the path: its entry points in the files that pip writes, and one module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def adding(package: str, points: str, module: str = "") -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[rothamsted.fruit]\n{points}\n")
        (tmp_path / f"{package}.py").write_text(module)

    return adding


@pytest.fixture
def fruit() -> Registry[CorrectionRow]:
    return Registry(
        "fruit",
        {"apple": CorrectionRow(make="builtins:abs", label="an apple"), "pear": "rothamsted.statistics.corrections:bh"},
        row=CorrectionRow,
        from_function=lambda name, make: CorrectionRow(make=make, label=name),
    )


class Basket(BaseModel):
    model_config = ConfigDict(strict=True)

    correction: Annotated[str, NameOf(CORRECTIONS)] = "holm"
    p_values: Annotated[str, NameOf(CORRECTIONS, only=lambda row: not row.is_joint, also=("any",))] = "any"


def test_our_own_rows_need_no_entry_points(fruit: Registry[CorrectionRow], monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(**_: str) -> None:
        raise AssertionError("entry points were looked at")

    monkeypatch.setattr("rothamsted.registries.entry_points", looked)
    assert (fruit["apple"].label, fruit["pear"].label, "apple" in fruit) == ("an apple", "pear", True)


def test_names_are_ours_and_then_those_of_others(fruit: Registry[CorrectionRow], add: Add) -> None:
    row = "KIWI = CorrectionRow(make=fig, label='Kiwi')"
    module = f"from rothamsted.rows import CorrectionRow\n\ndef fig(p): return p\n\n{row}\n"
    add("orchard_a", "kiwi = orchard_a:KIWI\nfig = orchard_a:fig", module)
    assert fruit.names() == ["apple", "pear", "fig", "kiwi"]
    assert (fruit["kiwi"].label, fruit["fig"].label, fruit.function("fig")(3)) == ("Kiwi", "fig", 3)


def test_an_unknown_name_is_refused_with_near_names_of_others(fruit: Registry[CorrectionRow], add: Add) -> None:
    add("orchard_b", "cherry = orchard_b:cherry", "def cherry(p): return p")
    with pytest.raises(UnknownNameError, match=r"^there is no fruit 'chery'; did you mean cherry\? known: apple, pear"):
        fruit["chery"]


def test_a_package_that_cannot_be_imported_is_named_in_one_line_and_breaks_no_other(
    fruit: Registry[CorrectionRow], add: Add, caplog: pytest.LogCaptureFixture
) -> None:
    add("orchard_c", "plum = orchard_c:plum", "import nothing_of_this_name\n")
    add("orchard_d", "fig = orchard_d:fig", "def fig(p): return p")
    with pytest.raises(UnknownNameError) as error:
        fruit["plum"]
    assert "\n" not in str(error.value)
    assert "fruit 'plum' of package orchard_c cannot be imported from orchard_c:plum (ModuleNotFoundError: " in str(
        error.value
    )
    assert [name for name, _ in fruit.items()] == ["apple", "pear", "fig"]
    assert "orchard_c" in caplog.text


@pytest.mark.parametrize("points", ["plum = orchard_e:nothing", "plum = orchard_e:NUMBER"])
def test_an_entry_point_that_names_no_row_is_refused(fruit: Registry[CorrectionRow], add: Add, points: str) -> None:
    add("orchard_e", points, "NUMBER = 3")
    with pytest.raises(UnknownNameError, match="fruit 'plum' of package orchard_e"):
        fruit["plum"]


def test_of_a_name_that_two_have_ours_wins_and_an_error_names_the_clash(
    fruit: Registry[CorrectionRow], add: Add, caplog: pytest.LogCaptureFixture
) -> None:
    add("orchard_f", "apple = orchard_f:apple", "def apple(p): return 0")
    assert fruit.names() == fruit.names() == ["apple", "pear"]
    assert fruit["apple"].label == "an apple"
    [said] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "package orchard_f adds a fruit 'apple', but rothamsted has one of this name" in said.getMessage()


def test_a_name_that_two_packages_add_is_refused_with_both(fruit: Registry[CorrectionRow], add: Add) -> None:
    for name in ("orchard_g", "orchard_h"):
        add(name, f"fig = {name}:fig", "def fig(p): return p")
    with pytest.raises(UnknownNameError, match="'fig' is added by package orchard_g and package orchard_h; uninstall"):
        fruit["fig"]


def test_name_of_checks_by_look_up_and_lists_the_names_in_the_json_schema() -> None:
    assert Basket(correction="tukey", p_values="bh").correction == "tukey"
    properties = Basket.model_json_schema()["properties"]
    assert properties["correction"]["enum"] == CORRECTIONS.names()
    assert properties["p_values"]["enum"] == ["any", "holm", "bonferroni", "bh", "none"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"correction": "holn"}, "there is no correction 'holn'; did you mean holm? known: holm, bonferroni"),
        ({"correction": 3}, "there is no correction 3; known: holm"),
        ({"p_values": "tukey"}, "correction 'tukey' cannot be used here; known: any, holm"),
    ],
)
def test_name_of_refuses_another_value_with_the_names(given: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        Basket.model_validate(given)
    assert says in str(error.value)

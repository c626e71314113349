"""Two promotions at the same time, in real processes: one champion, and both verdicts on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.promotion.running import run_trials


@pytest.fixture
def met(tried: Mapping[str, Any]) -> Any:
    """Two sweeps promoted to a model without champion; both decide before either of them writes."""
    return tried["rivals"]


def test_both_end_well(met: Any) -> None:
    assert met["exit_codes"] == [0, 0]


def test_there_is_one_champion_and_it_is_the_better_model(met: Any) -> None:
    # Rates 0.5 and 0.3, noise of a difference 0.003: whoever writes last is compared with the other one.
    champion = met["state"]["versions"][int(met["state"]["aliases"]["champion"]) - 1]
    assert champion == "second"


def test_both_verdicts_are_on_record_and_only_one_of_them_compared_nothing(met: Any) -> None:
    verdicts = [one for of_version in met["state"]["verdicts"].values() for one in of_version]
    assert sorted(against for _, against in verdicts) == ["", "1"]


def test_the_later_one_was_decided_against_the_champion_of_the_earlier_one(met: Any) -> None:
    versions, verdicts = met["state"]["versions"], met["state"]["verdicts"]
    # By hand: the better one is promoted whether it is judged first (nothing compared) or second (against 0.5).
    expected = {"first": "promoted" if versions[0] == "first" else "kept", "second": "promoted"}
    assert {name: of_version[0][0] for name, of_version in verdicts.items()} == expected


def test_nobody_is_locked_out_afterwards(met: Any) -> None:
    assert not met["state"]["is_locked"]


def test_one_sweep_promoted_twice_at_once_is_one_version(tried: Mapping[str, Any]) -> None:
    met = tried["twins"]
    assert met["exit_codes"] == [0, 0]
    assert (met["state"]["versions"], met["state"]["changes"]) == (["first"], [[None, "1"]])


@pytest.mark.slow
def test_on_postgresql_too(postgres_store: str, tmp_path: Path) -> None:
    try:
        met = run_trials({"rivals": postgres_store}, tmp_path)["rivals"]
        state = met["state"]
        assert met["exit_codes"] == [0, 0]
        assert state["versions"][int(state["aliases"]["champion"]) - 1] == "second"
        assert sorted(state["verdicts"]) == ["first", "second"]
    finally:
        MlflowClient(postgres_store).delete_registered_model("toy")

"""The history of a registered model, told from the registry alone."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from rothamsted.errors import StoreError
from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.changes import ChampionChange, change_tag
from rothamsted.promotion.ledger.rollback import rollback
from rothamsted.promotion.ledger.timeline import ModelHistory, changes_table, history, versions_table
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.conftest import Prepare, Promote
from tests.promotion.store import log_sweep, policy


def told(registry: ModelRegistry) -> ModelHistory:
    return history("toy", registry=registry, aliases=Aliases())


@pytest.fixture
def eventful(uri: str, promoting: Promote, registry: ModelRegistry, prepared: Prepare) -> ModelRegistry:
    """Version 1 is champion, 2 takes over, 3 is kept out, 2 is rolled back."""

    def make() -> None:
        for name, rate in (("first", 0.5), ("second", 0.3), ("third", 0.8)):
            log_sweep(uri, name, [rate])
            promoting(name, policy())
        rollback("toy", registry=registry, aliases=Aliases(), reason="it is slow")

    prepared("eventful", make)
    return registry


def test_each_version_has_its_verdict_and_sweep(eventful: ModelRegistry) -> None:
    rows = told(eventful).rows
    assert [(row.version, row.verdicts[0].decision, row.sweep) for row in rows] == [
        ("1", "promoted", "first"),
        ("2", "promoted", "second"),
        ("3", "kept", "third"),
    ]


def test_who_stood_when_has_no_gap_and_no_overlap(eventful: ModelRegistry) -> None:
    first, second, third = (row.terms for row in told(eventful).rows)
    assert (len(first), len(second), len(third)) == (2, 1, 0)
    assert first[0].to_ms == second[0].from_ms
    assert second[0].to_ms == first[1].from_ms
    assert first[1].is_present


def test_a_version_is_registered_before_it_stands(eventful: ModelRegistry) -> None:
    row = told(eventful).rows[0]
    assert row.registered_ms <= row.terms[0].from_ms <= time.time() * 1000


def test_an_alias_that_was_moved_by_hand_is_said(eventful: ModelRegistry) -> None:
    eventful.set_alias("toy", "champion", "3")
    assert told(eventful).marks == ("the alias champion is at version 3, put there by hand: no verdict did it",)


def test_a_change_by_hand_between_two_on_record_is_said(uri: str, eventful: ModelRegistry, promoting: Promote) -> None:
    eventful.set_alias("toy", "champion", "3")
    log_sweep(uri, "fourth", [0.2])
    promoting("fourth", policy())
    (mark,) = told(eventful).marks
    assert "the alias champion went from version 1 to version 3 by hand" in mark


def test_a_change_that_a_server_has_not_completed_is_said_and_counts_for_nothing(eventful: ModelRegistry) -> None:
    begun = ChampionChange(
        number=9,
        kind="promotion",
        at_ms=1,
        alias="champion",
        old="1",
        new="3",
        reason="died before the alias moved",
        is_certain=False,
    )
    for key, value in change_tag(begun).items():
        eventful.set_model_tag("toy", key, value)
    assert "a promotion from version 1 to version 3 was begun" in told(eventful).marks[0]
    assert told(eventful).rows[2].terms == ()


def test_a_promotion_that_died_before_the_alias_moved_is_said(
    uri: str, eventful: ModelRegistry, promoting: Promote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rothamsted.promotion.promote.apply", die)
    log_sweep(uri, "fourth", [0.2])
    with pytest.raises(KeyboardInterrupt):
        promoting("fourth", policy())
    (mark,) = told(eventful).marks
    assert "version 4 was to be promoted" in mark
    assert "promote sweep fourth again" in mark


def test_a_version_that_promotion_did_not_make_is_listed(registry: ModelRegistry) -> None:
    registry.create_model("toy")
    registry.create_version("toy", model_uri="/models/by/hand", run_id="", tags={})
    assert [(row.version, row.verdicts) for row in told(registry).rows] == [("1", ())]


def test_an_unknown_model_is_one_line(registry: ModelRegistry) -> None:
    with pytest.raises(StoreError, match="no registered model is called 'toy'"):
        told(registry)


@pytest.mark.parametrize("shown", ["kept against version 2", "nothing compared", "rollback", "it is slow", "now"])
def test_the_tables_show_it_all(eventful: ModelRegistry, shown: str) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)
    console.print(versions_table(told(eventful)))
    console.print(changes_table(told(eventful)))
    assert shown in out.getvalue()

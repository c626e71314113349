"""Going back to the champion before, with the reason on record."""

from __future__ import annotations

import json

import pytest

from rothamsted.errors import PromotionError, StoreError
from rothamsted.promotion.evidence.of_champion import ROLLED_BACK
from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.changes import read_changes
from rothamsted.promotion.ledger.rollback import RESTORED, rollback
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.conftest import Prepare, Promote
from tests.promotion.store import log_sweep, policy

ALIASES = Aliases()


@pytest.fixture
def three_champions(uri: str, promoting: Promote, registry: ModelRegistry, prepared: Prepare) -> ModelRegistry:
    """Versions 1, 2 and 3, each of which took over from the one before."""

    def make() -> None:
        for name, rate in (("first", 0.7), ("second", 0.5), ("third", 0.3)):
            log_sweep(uri, name, [rate])
            promoting(name, policy())

    prepared("three champions", make)
    return registry


def test_the_previous_champion_is_champion_again(three_champions: ModelRegistry) -> None:
    rollback("toy", registry=three_champions, aliases=ALIASES)
    assert three_champions.model("toy").aliases == {"champion": "2", "previous_champion": "1"}


def test_rolling_back_twice_goes_two_champions_back(three_champions: ModelRegistry) -> None:
    for _ in range(2):
        done = rollback("toy", registry=three_champions, aliases=ALIASES)
    assert (done.new, done.next_before) == ("1", None)
    assert three_champions.model("toy").aliases == {"champion": "1"}


def test_the_reason_is_on_both_versions(three_champions: ModelRegistry) -> None:
    rollback("toy", registry=three_champions, aliases=ALIASES, reason="it is slow")
    by_number = {version.version: version.tags for version in three_champions.versions("toy")}
    said = json.loads(by_number["3"][ROLLED_BACK]), json.loads(by_number["2"][RESTORED])
    assert [one["reason"] for one in said] == ["it is slow", "it is slow"]
    assert (said[0]["to_version"], said[1]["after_version"]) == ("2", "3")


def test_the_book_says_who_stood_when_and_why(three_champions: ModelRegistry) -> None:
    rollback("toy", registry=three_champions, aliases=ALIASES, reason="it is slow")
    entries = read_changes(three_champions.model("toy").tags)
    assert [(e.kind, e.old, e.new) for e in entries] == [
        ("promotion", None, "1"),
        ("promotion", "1", "2"),
        ("promotion", "2", "3"),
        ("rollback", "3", "2"),
    ]
    assert entries[-1].reason == "it is slow"


def test_a_reason_that_is_too_long_for_the_registry_is_cut(three_champions: ModelRegistry) -> None:
    rollback("toy", registry=three_champions, aliases=ALIASES, reason="ü" * 9000)
    assert read_changes(three_champions.model("toy").tags)[-1].reason.startswith("ü" * 500)


def test_what_a_later_promotion_replaces_is_what_the_next_rollback_restores(
    uri: str, three_champions: ModelRegistry, promoting: Promote
) -> None:
    rollback("toy", registry=three_champions, aliases=ALIASES)
    log_sweep(uri, "fourth", [0.2])
    promoting("fourth", policy())
    assert rollback("toy", registry=three_champions, aliases=ALIASES).new == "2"


@pytest.mark.usefixtures("first_stands")
def test_without_a_previous_champion_it_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(PromotionError, match="no version has the alias previous_champion, so that there is nothing"):
        rollback("toy", registry=registry, aliases=ALIASES)
    assert registry.model("toy").aliases == {"champion": "1"}


def test_without_a_champion_it_is_refused(registry: ModelRegistry) -> None:
    registry.create_model("toy")
    with pytest.raises(PromotionError, match="no version has the alias champion; aliases: none"):
        rollback("toy", registry=registry, aliases=ALIASES)


def test_an_unknown_model_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(StoreError, match="no registered model is called 'toy'"):
        rollback("toy", registry=registry, aliases=ALIASES)


def test_an_interrupted_change_is_not_rolled_back(three_champions: ModelRegistry) -> None:
    three_champions.set_alias("toy", "previous_champion", "3")  # where a server is left half-way through a change
    with pytest.raises(PromotionError, match="version 3 is both champion and previous_champion"):
        rollback("toy", registry=three_champions, aliases=ALIASES)

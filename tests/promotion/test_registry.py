"""The doorway to MLflow's registry: one contract for SQLite, PostgreSQL, and the way of a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rothamsted.errors import StoreError
from rothamsted.tracking.registry import change as registry_change
from rothamsted.tracking.registry import model_lock as registry_lock
from rothamsted.tracking.registry.change import AliasMovedError, Change, apply
from rothamsted.tracking.registry.model_lock import LOCK_TAG, Lock, LockLostError, locked
from rothamsted.tracking.registry.registered import ModelRegistry, open_registry

ALIVE, DEAD = (lambda holder: True), (lambda holder: False)


@pytest.fixture(params=["sqlite", "postgresql", "client"])
def any_registry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRegistry]:
    """An empty registry of each kind; `client` goes call by call, as through a server."""
    uri = request.getfixturevalue("postgres_store" if request.param == "postgresql" else "uri")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    if request.param == "client":
        monkeypatch.setattr(registry_lock, "is_sql", lambda registry: False)
        monkeypatch.setattr(registry_change, "is_sql", lambda registry: False)
        monkeypatch.setattr(registry_lock, "SETTLE_SECONDS", 0.05)
    registry = open_registry(uri)
    yield registry
    if registry.find_model("toy") is not None:
        MlflowClient(uri).delete_registered_model("toy")


@pytest.fixture
def two_versions(any_registry: ModelRegistry) -> ModelRegistry:
    """A registry with model `toy` and two versions, of which the first is the champion."""
    any_registry.create_model("toy")
    for number in ("1", "2"):
        any_registry.create_version("toy", model_uri="/models/toy", run_id="r" * 32, tags={"number": number})
    any_registry.set_alias("toy", "champion", "1")
    return any_registry


def held(registry: ModelRegistry, holder: str = "me") -> Any:
    return locked(registry, "toy", holder, is_alive=ALIVE, wait_seconds=0)


PROMOTE_2 = Change(
    model="toy",
    expect={"champion": "1"},
    aliases={"previous_champion": "1", "champion": "2"},
    model_tags={"book": "1 to 2"},
    version_tags={"2": {"since": "now"}},
)


def test_making_a_model_twice_makes_one(any_registry: ModelRegistry) -> None:
    assert any_registry.create_model("toy") == any_registry.create_model("toy")


def test_a_version_carries_its_tags_from_the_start(two_versions: ModelRegistry) -> None:
    assert [version.tags for version in two_versions.versions("toy")] == [{"number": "1"}, {"number": "2"}]


def test_a_change_moves_aliases_and_writes_its_tags(two_versions: ModelRegistry) -> None:
    with held(two_versions) as lock:
        apply(two_versions, PROMOTE_2, lock)
    model = two_versions.model("toy")
    assert model.aliases == {"champion": "2", "previous_champion": "1"}
    assert model.tags == {"book": "1 to 2"}
    assert two_versions.versions("toy")[1].tags == {"number": "2", "since": "now"}


def test_what_is_written_by_sql_reads_as_what_mlflow_s_client_would_have_written(two_versions: ModelRegistry) -> None:
    with held(two_versions) as lock:
        apply(two_versions, PROMOTE_2, lock)
    client = MlflowClient(two_versions.uri)
    assert client.get_model_version_by_alias("toy", "champion").version in (2, "2")
    client.delete_registered_model_alias("toy", "previous_champion")
    client.delete_registered_model_tag("toy", "book")
    assert two_versions.model("toy").aliases == {"champion": "2"}


def test_a_change_can_remove_an_alias(two_versions: ModelRegistry) -> None:
    with held(two_versions) as lock:
        apply(two_versions, Change(model="toy", expect={"champion": "1"}, aliases={"champion": None}), lock)
    assert two_versions.model("toy").aliases == {}


def test_a_change_that_expects_another_champion_changes_nothing(two_versions: ModelRegistry) -> None:
    with held(two_versions) as lock, pytest.raises(AliasMovedError, match="is now version 1, was nowhere"):
        apply(two_versions, dataclasses.replace(PROMOTE_2, expect={"champion": None}), lock)
    assert (two_versions.model("toy").aliases, two_versions.model("toy").tags) == ({"champion": "1"}, {})


def test_a_change_under_a_lock_that_was_taken_over_changes_nothing(two_versions: ModelRegistry) -> None:
    lost = Lock(model="toy", holder="slow", text='{"holder": "slow", "until_ms": 0}')
    with held(two_versions), pytest.raises(LockLostError, match="taken over; no alias was moved"):
        apply(two_versions, PROMOTE_2, lost)
    assert two_versions.model("toy").aliases == {"champion": "1"}


def test_a_change_to_a_version_that_is_not_there_leaves_the_champion(two_versions: ModelRegistry) -> None:
    change = dataclasses.replace(PROMOTE_2, aliases={"champion": "7"}, version_tags={})
    with held(two_versions) as lock, pytest.raises(StoreError, match="7"):
        apply(two_versions, change, lock)
    assert two_versions.model("toy").aliases == {"champion": "1"}


def test_a_lock_keeps_others_out(two_versions: ModelRegistry) -> None:
    with (
        held(two_versions, "one"),
        pytest.raises(StoreError, match="is being changed by one for more than 0 s"),
        held(two_versions, "other"),
    ):
        pass


def test_a_server_that_refuses_the_second_of_two_that_lock_at_once_has_it_wait(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_lock, "is_sql", lambda registry: False)
    registry.create_model("toy")
    write = registry._client.set_registered_model_tag

    def overtaken(name: str, key: str, text: str) -> None:
        # What MLflow 3.17 answers on SQLite, seen in the slow test with a real server.
        write(name, key, '{"holder": "quicker", "until_ms": 9e15}')
        raise MlflowException("BAD_REQUEST: (sqlite3.IntegrityError) UNIQUE constraint failed")

    monkeypatch.setattr(registry._client, "set_registered_model_tag", overtaken)
    with pytest.raises(StoreError, match="is being changed by quicker"), held(registry):
        pass


def test_a_lock_that_was_given_back_is_free(two_versions: ModelRegistry) -> None:
    with held(two_versions, "one"):
        pass
    with held(two_versions, "other"):
        assert "other" in two_versions.model("toy").tags[LOCK_TAG]
    assert LOCK_TAG not in two_versions.model("toy").tags


def test_the_lock_of_a_process_that_is_gone_is_free(two_versions: ModelRegistry) -> None:
    with held(two_versions, "gone"), locked(two_versions, "toy", "next", is_alive=DEAD, wait_seconds=0):
        assert "next" in two_versions.model("toy").tags[LOCK_TAG]


def test_a_lock_whose_time_is_over_is_free(two_versions: ModelRegistry) -> None:
    with (
        locked(two_versions, "toy", "slow", is_alive=ALIVE, lease_seconds=-1),
        locked(two_versions, "toy", "next", is_alive=ALIVE, wait_seconds=0),
    ):
        assert "next" in two_versions.model("toy").tags[LOCK_TAG]


def test_giving_back_a_lock_that_was_taken_over_leaves_the_other_s(two_versions: ModelRegistry) -> None:
    with locked(two_versions, "toy", "next", is_alive=ALIVE):
        registry_lock.release(two_versions, Lock(model="toy", holder="slow", text="its own"))
        assert "next" in two_versions.model("toy").tags[LOCK_TAG]


def test_an_unknown_model_is_one_line_with_those_that_exist(two_versions: ModelRegistry) -> None:
    with pytest.raises(StoreError, match=r"no registered model is called 'unknown'; there are: toy$"):
        two_versions.model("unknown")


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", ""])
def test_an_alias_that_mlflow_keeps_to_itself_is_refused_in_one_line(registry: ModelRegistry, alias: str) -> None:
    registry.create_model("toy")
    with pytest.raises(StoreError, match=f"^alias '{alias}': MLflow refuses the name") as raised:
        registry.set_alias("toy", alias, "1")
    assert "\n" not in str(raised.value)


def test_a_tag_that_the_registry_cannot_hold_is_refused_before_anything_is_written(registry: ModelRegistry) -> None:
    registry.create_model("toy")
    with pytest.raises(StoreError, match="has 5001 characters"):
        registry.set_model_tag("toy", "book", "x" * 5001)


def test_a_description_that_is_too_long_is_cut_and_says_so(registry: ModelRegistry) -> None:
    registry.create_model("toy")
    registry.create_version("toy", model_uri="/models/toy", run_id="", tags={})
    registry.describe_version("toy", "1", "x" * 6000)
    text = registry.versions("toy")[0].description
    assert (len(text), text[-6:]) == (5000, "(cut)\n")


def test_a_server_that_does_not_answer_is_one_line_within_seconds() -> None:
    with pytest.raises(StoreError, match=r"^model registry: tracking URI http://127\.0\.0\.1:1: no answer"):
        open_registry("http://127.0.0.1:1").check_reachable()


def test_a_registry_of_its_own_is_where_mlflow_s_setting_says(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path / 'registry.db'}")
    assert open_registry(uri).uri == f"sqlite:///{tmp_path / 'registry.db'}"


def test_models_of_another_store_than_the_process_s_are_refused(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.create_model("toy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    with pytest.raises(StoreError, match="set MLFLOW_TRACKING_URI"):
        registry.create_version("toy", model_uri="models:/m-1", run_id="", tags={})


def test_a_database_that_is_locked_for_a_moment_is_tried_again(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def busy_once(*args: object, **kwargs: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise MlflowException("(sqlite3.OperationalError) database is locked")

    registry.create_model("toy")
    monkeypatch.setattr(registry._client, "set_registered_model_tag", busy_once)
    registry.set_model_tag("toy", "a", "b")
    assert len(calls) == 2

"""Promotion through a real MLflow server: no transactions, so the lock is a lease that is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.rollback import rollback
from rothamsted.promotion.ledger.timeline import history
from rothamsted.tracking.registry.registered import open_registry
from tests.promotion.running import run_trials
from tests.tracking.conftest import server_uri, sqlite_template

__all__ = ["server_uri", "sqlite_template"]
pytestmark = pytest.mark.slow


def test_two_promotions_at_once_and_a_rollback_end_as_on_a_database(server_uri: str, tmp_path: Path) -> None:
    met = run_trials({"rivals": server_uri}, tmp_path)["rivals"]
    state = met["state"]
    assert met["exit_codes"] == [0, 0]
    assert state["versions"][int(state["aliases"]["champion"]) - 1] == "second"
    assert sorted(against for of_one in state["verdicts"].values() for _, against in of_one) == ["", "1"]
    if "previous_champion" in state["aliases"]:  # the better one was second: then there is somebody to go back to
        registry = open_registry(server_uri)
        rollback("toy", registry=registry, aliases=Aliases(), reason="it is slow")
        assert registry.model("toy").aliases == {"champion": "1"}
        assert history("toy", registry=registry, aliases=Aliases()).marks == ()
    MlflowClient(server_uri).delete_registered_model("toy")

"""Metrics that a policy's constraints are about: altered or deleted after the fact, they are refused."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from rothamsted.analysis.analyze import Settings
from rothamsted.analysis.read_confirmed_metrics import CONFIRMED_METRICS, read_confirmed_metrics
from rothamsted.promotion.evidence.of_champion import EVIDENCE, SEAL, _seal
from rothamsted.publish.finished import publish_finished
from rothamsted.tracking import read_text
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.conftest import Promote
from tests.promotion.store import log_sweep, policy
from tests.promotion.test_promote_refusals import alter, refuses, replicate

CONSTRAINED = {"constraints": ["val_accuracy > 0.8"]}  # each replicate of the toy has 0.9


def delete(uri: str, run_id: str, metric: str) -> None:
    """Delete a metric, as somebody with access to the database can."""
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection, connection:
        for table in ("metrics", "latest_metrics"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ? AND key = ?", (run_id, metric))


@pytest.fixture
def recorded(uri: str) -> str:
    """The run of a sweep that has ended with its report, and with the record of its confirmed metrics."""
    run_id = log_sweep(uri, "second", [0.7])
    publish_finished(run_id, Settings(), uri=uri)
    return run_id


@pytest.fixture
def registered(uri: str, promoting: Promote, first_stands: None) -> None:
    """Version 2, of a sweep without such a record, kept under a policy with a constraint."""
    log_sweep(uri, "second", [0.7])
    promoting("second", policy(**CONSTRAINED))


@pytest.mark.usefixtures("recorded")
def test_one_that_was_altered_since_the_sweep_ended(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    alter(uri, replicate(uri, "second", 102), "val_accuracy")
    says = r"its metric val_accuracy is 0.001 now, and was 0.9 when the sweep ended \(statistics/confirmed_metrics.csv"
    refuses(promoting, registry, "second", says, **CONSTRAINED)


@pytest.mark.usefixtures("recorded")
def test_one_that_was_deleted_since_the_sweep_ended(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    delete(uri, replicate(uri, "second", 102), "val_accuracy")
    refuses(promoting, registry, "second", "its metric val_accuracy was deleted, and was 0.9 when the", **CONSTRAINED)


@pytest.mark.usefixtures("recorded")
def test_one_that_was_added_since_the_sweep_ended(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    alter(uri, replicate(uri, "second", 102), "predict_ms")
    says = "its metric predict_ms is 0.001 now, and was not there when the sweep ended"
    refuses(promoting, registry, "second", says, constraints=["predict_ms < 5"])


@pytest.mark.usefixtures("recorded")
def test_metrics_that_no_constraint_is_about_are_free_to_change(uri: str, promoting: Promote) -> None:
    alter(uri, replicate(uri, "second", 102), "val_accuracy")
    assert promoting("second", policy()).decided[0].decision == "promoted"


def test_what_stood_first_stays_when_the_sweep_is_written_down_again(uri: str, recorded: str) -> None:
    before = read_text(recorded, CONFIRMED_METRICS, uri=uri)
    alter(uri, replicate(uri, "second", 102), "val_accuracy")
    publish_finished(recorded, Settings(), uri=uri)
    assert read_text(recorded, CONFIRMED_METRICS, uri=uri) == before
    assert {one["val_accuracy"] for one in read_confirmed_metrics(recorded, uri=uri).values()} == {0.9}


@pytest.mark.usefixtures("registered")
def test_one_that_was_altered_since_the_version_was_registered(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    alter(uri, replicate(uri, "second", 102), "val_accuracy")
    says = "version 2 of model 'toy': its evidence was altered: the values of val_accuracy of its runs"
    refuses(promoting, registry, "second", says, **CONSTRAINED)


@pytest.mark.usefixtures("registered")
def test_one_that_was_deleted_since_the_version_was_registered(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    delete(uri, replicate(uri, "second", 102), "val_accuracy")
    says = "version 2 of model 'toy': its evidence was altered: the values of val_accuracy of its runs"
    refuses(promoting, registry, "second", says, **CONSTRAINED)


@pytest.mark.usefixtures("registered")
def test_a_champion_s_are_checked_too(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    registry.set_alias("toy", "champion", "2")
    alter(uri, replicate(uri, "second", 102), "val_accuracy")
    log_sweep(uri, "third", [0.05])
    refuses(promoting, registry, "third", "version 2 of model 'toy': its evidence was altered: the values of val_acc")


@pytest.mark.usefixtures("registered")
def test_evidence_of_the_first_form_which_seals_no_metrics_is_read(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    record = json.loads(registry.versions("toy")[1].tags[EVIDENCE])
    del record["metrics"]
    text = json.dumps(record, sort_keys=True)
    registry.tag_version("toy", "2", {EVIDENCE: text, SEAL: _seal(text)})
    assert promoting("second", policy(**CONSTRAINED)).decided[0].decision == "kept"

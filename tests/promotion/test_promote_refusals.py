"""What promotion refuses: one line with the way out, and nothing on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from rothamsted import tags
from rothamsted.errors import PromotionError, StoreError, UserError
from rothamsted.promotion.evidence.of_champion import EVIDENCE
from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.rollback import rollback
from rothamsted.tracking import find_runs
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.conftest import Promote
from tests.promotion.store import START_MS, ByHand, log_sweep, policy


def refuses(promoting: Promote, registry: ModelRegistry, name: str, says: str, **changes: Any) -> None:
    """Promotion of a sweep ends in one line that says this, and the registry is as it was."""
    before = registry.find_model("toy"), [] if registry.find_model("toy") is None else registry.versions("toy")
    with pytest.raises(UserError, match=says) as raised:
        promoting(name, policy(**changes))
    assert "\n" not in str(raised.value)
    after = registry.find_model("toy")
    assert (after, [] if after is None else registry.versions("toy")) == before


def replicate(uri: str, sweep: str, seed: int) -> str:
    """The run of a confirmed replicate."""
    wanted = {tags.SWEEP: sweep, tags.SEED: str(seed), tags.PHASE: "confirm"}
    return find_runs(None, wanted, uri=uri)[0].run_id


def alter(uri: str, run_id: str, metric: str) -> None:
    """Log another number over the one that is there, as anybody with access can."""
    MlflowClient(uri).log_batch(run_id, metrics=[Metric(metric, 0.001, START_MS + 5, 20)])


def test_an_unknown_sweep(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first")
    refuses(promoting, registry, "other", "there is no sweep called 'other'.*known: first")


@pytest.mark.parametrize(
    ("sweep", "changes", "says"),
    [
        ({"metric": "val_accuracy"}, {}, "objective is minimize val_loss, but sweep first has minimize val_accuracy"),
        ({}, {"objective": {"metric": "val_loss", "direction": "maximize"}}, "objective is maximize val_loss"),
        ({"study": "other"}, {}, "study is toy, but sweep first is of study other"),
        ({}, {"sweep": "second"}, "sweep is second, not first"),
        ({}, {"replicates": 6}, "5 confirmed replicates a condition, but the policy of model 'toy' asks for 6"),
        ({"left_out": [103]}, {}, "its confirmation is not complete, 4 of 5 replicates"),
        ({"has_models": False}, {}, "has no model; sweep with models: confirmed"),
    ],
)
def test_a_sweep_that_the_policy_cannot_judge(
    uri: str,
    promoting: Promote,
    registry: ModelRegistry,
    sweep: Mapping[str, Any],
    changes: Mapping[str, Any],
    says: str,
) -> None:
    log_sweep(uri, "first", has_results=False, **sweep)
    refuses(promoting, registry, "first", says, **changes)


def test_fewer_fresh_seeds_than_the_policy_asks_for(uri: str, promoting: Promote) -> None:
    log_sweep(uri, "first")
    with pytest.raises(PromotionError, match="replicates=4: the policy of model 'toy' asks for at least 5"):
        promoting("first", policy(), n_replicates=4)


def test_a_replicate_whose_objective_was_altered(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first", has_results=False)
    alter(uri, replicate(uri, "first", 102), "objective")
    refuses(promoting, registry, "first", "was altered: its objective is 0.001, its curve of val_loss gives 0.1")


def test_a_replicate_that_was_altered_with_its_curve(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first")
    for metric in ("objective", "val_loss"):
        alter(uri, replicate(uri, "first", 102), metric)
    refuses(promoting, registry, "first", "was altered: finished with 0.001 now.*confirmed_replicates.csv")


def test_a_replicate_that_was_deleted(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first")
    MlflowClient(uri).delete_run(replicate(uri, "first", 102))
    refuses(promoting, registry, "first", "not complete, 4 of 5 replicates have ended or are still there")


def test_a_model_that_was_deleted(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first")
    client = MlflowClient(uri)
    for run in find_runs(None, {tags.PHASE: "confirm", tags.ROLE: "replicate"}, uri=uri):
        client.delete_logged_model(run.tags[tags.MODEL].removeprefix("models:/"))
    refuses(promoting, registry, "first", r"its model models:/m-\w+ was deleted; run the sweep again")


@pytest.mark.usefixtures("first_stands")
def test_a_champion_whose_run_was_deleted(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    run_id = replicate(uri, "first", 102)
    MlflowClient(uri).delete_run(run_id)
    log_sweep(uri, "second", [0.05])
    refuses(promoting, registry, "second", f"version 1 of model 'toy': run {run_id} of its evidence was deleted")


@pytest.mark.usefixtures("first_stands")
def test_a_champion_whose_numbers_were_altered(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    alter(uri, replicate(uri, "first", 102), "objective")
    log_sweep(uri, "second", [0.05])
    refuses(promoting, registry, "second", "version 1 of model 'toy': its evidence was altered")


@pytest.mark.usefixtures("first_stands")
def test_a_champion_whose_recorded_configuration_was_altered(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    text = registry.versions("toy")[0].tags[EVIDENCE].replace('"lr": 0.5', '"lr": 9.9')
    registry.tag_version("toy", "1", {EVIDENCE: text})
    log_sweep(uri, "second", [0.05])
    refuses(promoting, registry, "second", f"its tag {re.escape(EVIDENCE)} was altered")


@pytest.mark.usefixtures("first_stands")
def test_a_challenger_that_was_registered_with_other_numbers(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "second", [0.7], has_results=False)
    promoting("second", policy())
    for metric in ("objective", "val_loss"):
        alter(uri, replicate(uri, "second", 102), metric)
    refuses(promoting, registry, "second", "version 2 of model 'toy': its evidence was altered")


def test_a_champion_without_evidence(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    registry.create_model("toy")
    registry.create_version("toy", model_uri="/models/by/hand", run_id="", tags={})
    registry.set_alias("toy", "champion", "1")
    log_sweep(uri, "first")
    refuses(promoting, registry, "first", "version 1 of model 'toy': carries no evidence")


@pytest.mark.usefixtures("second_stands")
def test_a_version_that_was_rolled_back(promoting: Promote, registry: ModelRegistry) -> None:
    rollback("toy", registry=registry, aliases=Aliases(), reason="wrong labels in production")
    refuses(
        promoting,
        registry,
        "second",
        "version 2 of model 'toy', made from sweep second, was rolled back .*: wrong labels",
    )


def test_recorded_numbers_that_were_reduced_in_another_way(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "first", code="01d" * 20, reduce="best")
    promoting("first", policy())
    log_sweep(uri, "second", [0.05])
    refuses(
        promoting,
        registry,
        "second",
        (r"objective.reduce is last, but the champion's recorded replicates .* have best"),
    )


@pytest.mark.usefixtures("first_stands")
def test_a_contest_that_has_not_ended(uri: str, promoting: Promote, registry: ModelRegistry, contest: ByHand) -> None:
    log_sweep(uri, "second", [0.05])

    def stopped(**asked: Any) -> list[list[str]]:
        return [runs[:3] for runs in contest(**asked)]

    with pytest.raises(PromotionError, match="6 of 10 replicates have ended; give the same command again"):
        promoting("second", policy(), contest=stopped)
    assert len(registry.versions("toy")) == 1


def test_a_registry_that_does_not_answer(
    uri: str, promoting: Promote, monkeypatch: pytest.MonkeyPatch, contest: ByHand
) -> None:
    from rothamsted.tracking.registry.registered import open_registry

    log_sweep(uri, "first")
    n_runs = len(find_runs(None, {}, uri=uri))
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"^model registry: .* no answer"):
        promoting("first", policy(), registry=open_registry(uri))
    assert (contest.held, len(find_runs(None, {}, uri=uri))) == ([], n_runs)


def test_replicates_that_trained_on_different_data(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first")
    MlflowClient(uri).set_tag(replicate(uri, "first", 100), "rothamsted.data_digest", "other")
    MlflowClient(uri).set_tag(replicate(uri, "first", 101), "rothamsted.data_digest", "another")
    refuses(promoting, registry, "first", "trained on different data")

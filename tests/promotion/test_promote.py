"""Promotion end to end on a real store: who becomes champion, and what is on record."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.promotion.ledger.decision import PromotionOutcome
from rothamsted.promotion.promote import PROMOTION
from rothamsted.tracking import find_runs, read_text
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.store import CODE, COMMIT, CONFIRM_SEEDS, DATA, ByHand, log_sweep, loss, policy

Promote = Callable[..., PromotionOutcome]


def sweep_run(uri: str, name: str) -> str:
    """The run of a sweep."""
    return find_runs(None, {tags.ROLE: "sweep", tags.SWEEP: name}, uri=uri)[0].run_id


def test_without_champion_the_confirmed_winner_becomes_champion(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "first", [0.5])
    outcome = promoting("first", policy())
    assert [one.decision for one in outcome.decided] == ["promoted"]
    assert registry.model("toy").aliases == {"champion": "1"}


def test_the_first_verdict_says_that_nothing_was_compared(uri: str, promoting: Promote) -> None:
    log_sweep(uri, "first", [0.5])
    assert "no champion to compare with" in promoting("first", policy()).decided[0].reasons[0]


@pytest.mark.usefixtures("second_stands")
def test_a_better_challenger_takes_the_alias_and_the_old_champion_is_kept_as_previous(registry: ModelRegistry) -> None:
    # Rates 0.5 and 0.3: 0.2 apart, with noise of 0.003 in a difference.
    assert registry.model("toy").aliases == {"champion": "2", "previous_champion": "1"}


def test_champion_and_challenger_meet_on_fresh_numbers_of_all_that_the_challengers_sweep_varies(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "first", [0.5], parameters={"data.seed": 4})
    promoting("first", policy())
    log_sweep(uri, "second", [0.3], vary=("seed", "data.seed"))
    assert promoting("second", policy()).decided[0].decision == "promoted"
    [held] = contest.held
    assert held["vary"] == ("seed", "data.seed")
    assert [sorted(one) for one in held["contestants"]] == [["lr", "steps"]] * 2  # no split of its own


@pytest.mark.usefixtures("first_stands")
def test_a_worse_challenger_is_registered_with_its_verdict_and_moves_nothing(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "second", [0.7])
    outcome = promoting("second", policy())
    assert outcome.decided[0].decision == "kept"
    assert registry.versions("toy")[1].tags["rothamsted.verdict"] == "kept"
    assert registry.model("toy").aliases == {"champion": "1"}


@pytest.mark.usefixtures("first_stands")
def test_what_is_registered_is_the_model_of_the_median_replicate(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    # By hand: of five replicates the third by its loss.
    seed = sorted(CONFIRM_SEEDS, key=lambda seed: loss(0.5, seed))[2]
    run = find_runs(None, {tags.SEED: str(seed), tags.PHASE: "confirm"}, uri=uri)[0]
    version = registry.versions("toy")[0]
    assert (version.run_id, version.source) == (run.run_id, run.tags[tags.MODEL])


@pytest.mark.usefixtures("first_stands")
def test_the_page_of_the_logged_model_leads_to_the_version(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    model_id = registry.versions("toy")[0].source.removeprefix("models:/")
    # The form in which `mlflow.register_model` writes it, mlflow 3.17.
    known = json.loads(MlflowClient(uri).get_logged_model(model_id).tags["mlflow.modelVersions"])
    assert known == [{"name": "toy", "version": 1}]


def test_both_are_trained_on_common_seeds_that_neither_side_has_seen(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "first", [0.5], seeds=range(200, 205))
    promoting("first", policy())
    log_sweep(uri, "second", [0.3])
    promoting("second", policy())
    (held,) = contest.held
    assert held["contestants"] == [{"steps": 20, "lr": 0.5}, {"steps": 20, "lr": 0.3}]
    assert held["seeds"] == [205, 206, 207, 208, 209]  # after the largest of both, 204


@pytest.mark.usefixtures("second_stands")
def test_seeds_by_which_the_champion_won_are_not_used_again(uri: str, promoting: Promote, contest: ByHand) -> None:
    log_sweep(uri, "third", [0.2])
    promoting("third", policy())
    assert contest.held[-1]["seeds"] == [110, 111, 112, 113, 114]  # it won on 105 to 109


@pytest.mark.usefixtures("first_stands")
def test_more_replicates_can_be_asked_for_than_the_policy_does(uri: str, promoting: Promote, contest: ByHand) -> None:
    log_sweep(uri, "second", [0.3])
    promoting("second", policy(), n_replicates=8)
    assert len(contest.held[0]["seeds"]) == 8


def test_seeds_of_the_champion_s_search_are_not_used_either(uri: str, promoting: Promote, contest: ByHand) -> None:
    log_sweep(uri, "early", [0.5], seeds=range(5), search_seeds=(500, 501))  # searched on larger seeds than confirmed
    promoting("early", policy())
    log_sweep(uri, "second", [0.3])
    promoting("second", policy())
    assert contest.held[0]["seeds"][0] == 502


@pytest.mark.usefixtures("second_stands")
def test_a_verdict_on_fresh_seeds_is_paired(uri: str) -> None:
    run_id = sweep_run(uri, "second")
    verdict = json.loads(read_text(run_id, "promotion/toy-2.json", uri=uri) or "")["verdict"]
    assert (verdict["is_paired"], verdict["n"], verdict["compared_with"]) == (True, 5, "1")


def test_after_the_code_has_changed_recorded_replicates_are_compared_unpaired_and_the_verdict_says_so(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "first", [0.5], code="01d" * 20)
    promoting("first", policy())
    log_sweep(uri, "second", [0.3])
    reasons = " ".join(promoting("second", policy()).decided[0].reasons)
    assert contest.held == []
    assert "the study's code has changed" in reasons
    assert "Nothing is paired" in reasons


@pytest.mark.usefixtures("first_stands")
def test_other_data_are_not_compared_where_the_policy_says_so(
    uri: str, promoting: Promote, contest: ByHand, registry: ModelRegistry
) -> None:
    log_sweep(uri, "second", [0.3], data="0the7" * 10)
    outcome = promoting("second", policy(same_data="digest"))
    assert (outcome.decided[0].decision, contest.held) == ("kept", [])
    assert "other data" in outcome.decided[0].reasons[0]
    assert registry.model("toy").aliases["champion"] == "1"


@pytest.mark.usefixtures("first_stands")
def test_of_several_challengers_each_has_a_version_and_the_best_becomes_champion(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "second", [0.4, 0.3])
    outcome = promoting("second", policy())
    assert [one.decision for one in outcome.decided] == ["kept", "promoted"]
    assert registry.model("toy").aliases["champion"] == "3"


@pytest.mark.usefixtures("first_stands")
def test_a_challenger_that_is_the_champion_is_kept_without_any_training(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "again", [0.5])
    outcome = promoting("again", policy())
    assert (outcome.decided[0].decision, contest.held) == ("kept", [])
    assert "is the champion (version 1)" in outcome.decided[0].reasons[0]


@pytest.mark.usefixtures("first_stands")
def test_promoting_the_same_evidence_again_changes_nothing(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    before = registry.model("toy"), registry.versions("toy")
    outcome = promoting("first", policy())
    assert (registry.model("toy"), registry.versions("toy")) == before
    assert (outcome.was_champion, outcome.champion_after) == (True, "1")


@pytest.mark.usefixtures("first_stands")
def test_judging_the_same_evidence_again_makes_no_second_version_and_no_second_verdict(
    uri: str, promoting: Promote, registry: ModelRegistry, contest: ByHand
) -> None:
    log_sweep(uri, "second", [0.7])
    for _ in range(2):
        promoting("second", policy())
    versions = registry.versions("toy")
    assert [version.version for version in versions] == ["1", "2"]
    assert [key for key in versions[1].tags if key.startswith("rothamsted.judged.")] == ["rothamsted.judged.001"]
    assert contest.held[0]["name"] == contest.held[1]["name"]


@pytest.mark.usefixtures("first_stands")
def test_a_second_look_has_seeds_of_its_own_and_says_that_it_is_one(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "second", [0.7])
    promoting("second", policy())
    outcome = promoting("second", policy(), n_replicates=7)
    assert not set(contest.held[0]["seeds"]) & set(contest.held[1]["seeds"])
    assert any(reason.startswith("Look 2 ") for reason in outcome.decided[0].reasons)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("rothamsted.sweep", "second"),
        ("rothamsted.commit", COMMIT),
        ("rothamsted.data_digest", DATA),
        ("rothamsted.code_digest", CODE),
        ("rothamsted.seeds", "100, 101, 102, 103, 104"),
        ("rothamsted.verdict", "promoted"),
        ("rothamsted.verdict.compared_with", "1"),
        ("rothamsted.verdict.seeds", "105, 106, 107, 108, 109"),
        ("rothamsted.verdict.n", "5"),
    ],
)
@pytest.mark.usefixtures("second_stands")
def test_the_version_carries_what_the_verdict_rests_on(registry: ModelRegistry, tag: str, expected: str) -> None:
    assert registry.versions("toy")[1].tags[tag] == expected


def test_the_version_s_page_says_the_verdict_with_its_reasons(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    log_sweep(uri, "first", [0.5])
    reason = promoting("first", policy()).decided[0].reasons[0]
    assert f"## Promoted\n\n`lr=0.5`\n\n- {reason}" in registry.versions("toy")[0].description


def test_the_sweep_s_run_has_the_section_and_says_what_became_of_it(uri: str, promoting: Promote) -> None:
    run_id = log_sweep(uri, "first", [0.5])
    promoting("first", policy())
    assert "### Version 1: promoted" in (read_text(run_id, "promotion/verdict.md", uri=uri) or "")
    assert find_runs(None, {tags.ROLE: "sweep"}, uri=uri)[0].tags[PROMOTION] == "toy version 1: promoted"


@pytest.mark.usefixtures("second_stands")
def test_the_artifact_holds_the_numbers_that_were_compared(uri: str) -> None:
    run_id = sweep_run(uri, "second")
    artifact = json.loads(read_text(run_id, "promotion/toy-2.json", uri=uri) or "")
    compared = {run["seed"]: run["objective"] for run in artifact["champion_compared"]["runs"]}
    assert compared == {str(seed): loss(0.5, seed) for seed in range(105, 110)}


@pytest.mark.usefixtures("first_stands")
def test_a_dry_run_writes_and_trains_nothing(
    uri: str, promoting: Promote, registry: ModelRegistry, contest: ByHand
) -> None:
    run_id = log_sweep(uri, "second", [0.3])
    n_runs = len(find_runs(None, {}, uri=uri))
    outcome = promoting("second", policy(), dry_run=True)
    assert outcome.decided[0].decision == "promoted"
    assert (len(registry.versions("toy")), registry.model("toy").aliases) == (1, {"champion": "1"})
    assert (contest.held, len(find_runs(None, {}, uri=uri))) == ([], n_runs)
    assert read_text(run_id, "promotion/verdict.md", uri=uri) is None


def test_a_dry_run_without_any_model_makes_none(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "first", [0.5])
    promoting("first", policy(), dry_run=True)
    assert registry.find_model("toy") is None


@pytest.mark.usefixtures("first_stands")
def test_a_dry_run_says_that_it_is_a_preview(uri: str, promoting: Promote) -> None:
    log_sweep(uri, "second", [0.3])
    reasons = promoting("second", policy(), dry_run=True).decided[0].reasons
    assert any("105 to 109" in reason for reason in reasons)

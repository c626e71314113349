"""Looks are counted from the registry's record: who asks, from where, and under which sweep makes no difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from rothamsted.errors import PromotionError
from rothamsted.promotion.ledger.decision import PromotionOutcome
from rothamsted.tracking import read_text
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.store import ByHand, log_sweep, policy

Promote = Callable[..., PromotionOutcome]

SAME = 0.4995  # against the champion's 0.5, with noise of 0.003 in a difference: undecided
pytestmark = pytest.mark.usefixtures("first_stands")


def _look(outcome: PromotionOutcome) -> str:
    """The first words of the sentence about the look."""
    (one,) = outcome.decided
    assert one.decision == "undecided"
    return next((" ".join(reason.split()[:2]) for reason in one.reasons if reason.startswith("Look ")), "")


def test_each_ask_with_other_seeds_is_a_look_and_the_pairs_of_all_of_them_count(uri: str, promoting: Promote) -> None:
    run_id = log_sweep(uri, "second", [SAME])
    said = [_look(promoting("second", policy(), n_replicates=n)) for n in (5, 6, 7)]
    assert said == ["Look 1", "Look 2", "Look 3"]
    artifact = json.loads(read_text(run_id, "promotion/toy-2.003.json", uri=uri) or "")
    verdict = artifact["verdict"]
    assert (verdict["n"], verdict["look"], artifact["judged"]["share"]) == (18, 3, pytest.approx(0.2 / 6))


def test_a_verdict_already_reached_stays_as_it_is(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "second", [SAME])
    first = promoting("second", policy())
    promoting("second", policy(), n_replicates=6)
    assert promoting("second", policy()).decided == first.decided
    assert len([key for key in registry.versions("toy")[1].tags if key.startswith("rothamsted.judged.")]) == 2


def test_a_verdict_from_before_looks_had_shares_counts(uri: str, promoting: Promote, registry: ModelRegistry) -> None:
    log_sweep(uri, "second", [SAME])
    promoting("second", policy())
    key = "rothamsted.judged.001"
    old = json.loads(registry.versions("toy")[1].tags[key])
    del old["share"]
    MlflowClient(uri).set_model_version_tag("toy", "2", key, json.dumps(old))
    assert _look(promoting("second", policy(), n_replicates=6)) == "Look 2"


def test_the_same_condition_found_by_another_sweep_is_the_same_challenger(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    for name in ("second", "second-again"):
        log_sweep(uri, name, [SAME])
    assert [_look(promoting(name, policy())) for name in ("second", "second-again")] == ["Look 1", "Look 2"]
    assert not set(contest.held[0]["seeds"]) & set(contest.held[1]["seeds"])


def test_another_condition_starts_with_its_first_look(uri: str, promoting: Promote) -> None:
    log_sweep(uri, "second", [SAME])
    log_sweep(uri, "third", [SAME + 0.0001])
    assert [_look(promoting(name, policy())) for name in ("second", "third")] == ["Look 1", "Look 1"]


def test_a_dry_run_is_no_look(uri: str, promoting: Promote) -> None:
    log_sweep(uri, "second", [SAME])
    promoting("second", policy(), dry_run=True)
    assert _look(promoting("second", policy())) == "Look 1"


def test_after_the_last_look_nothing_is_trained_any_more(uri: str, promoting: Promote, contest: ByHand) -> None:
    log_sweep(uri, "second", [SAME])
    rule = policy(looks=1)
    assert any("No look is left" in reason for reason in promoting("second", rule).decided[0].reasons)
    with pytest.raises(PromotionError, match="the error rate allows no further look"):
        promoting("second", rule, n_replicates=6)
    assert len(contest.held) == 1


def test_a_look_whose_pairs_are_gone_counts_and_adds_nothing(
    uri: str, promoting: Promote, registry: ModelRegistry
) -> None:
    run_id = log_sweep(uri, "second", [SAME])
    promoting("second", policy())
    MlflowClient(uri).log_text(run_id, "", "promotion/toy-2.json")
    outcome = promoting("second", policy(), n_replicates=6)
    assert _look(outcome) == "Look 2"
    assert not any("count together" in reason for reason in outcome.decided[0].reasons)


def test_of_two_promotions_at_once_the_later_one_to_write_is_the_second_look(
    uri: str, promoting: Promote, contest: ByHand
) -> None:
    log_sweep(uri, "second", [SAME])
    asked: list[str] = []

    def with_a_rival(**arguments: Any) -> Any:
        """Train, and let another promotion come in between."""
        if not asked:
            asked.append("rival")
            asked.append(_look(promoting("second", policy(), n_replicates=6)))
        return contest(**arguments)

    assert _look(promoting("second", policy(), contest=with_a_rival)) == "Look 2"
    assert asked == ["rival", "Look 1"]

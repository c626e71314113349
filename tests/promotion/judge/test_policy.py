"""The policy: defaults, and what several of its keys must agree on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from rothamsted.promotion.judge.policy import Policy
from tests.promotion.contestants import policy


def test_a_policy_has_the_documented_defaults() -> None:
    # docs/promotion.md, table of keys.
    made = Policy.model_validate({"model": "m", "study": "s", "objective": {"metric": "l", "direction": "minimize"}})
    assert (made.replicates, made.looks) == (10, None)
    assert (made.level, made.smallest_improvement, made.most_failed) == (0.95, 0.0, 0)
    assert (made.test, made.kind, made.correction) == ("guarded_t", "superiority", "holm")
    assert (made.aliases.champion, made.aliases.previous) == ("champion", "previous_champion")
    assert (made.representative, made.same_data, made.constraints) == ("median", "digest", ())


def test_an_improvement_must_exceed_the_smallest_that_matters() -> None:
    assert policy(smallest_improvement=0.01).threshold(np.ones(3)) == 0.01


def test_non_inferiority_allows_a_loss_below_its_margin() -> None:
    assert policy(kind="non_inferiority", margin=0.02).threshold(np.ones(3)) == -0.02


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "neither study nor sweep": ({"study": None}, "give the study, or the sweep"),
    "non-inferiority without a margin": ({"kind": "non_inferiority"}, "the loss that does not matter"),
    "a margin for superiority": ({"margin": 0.1}, "is for kind: non_inferiority"),
    "both thresholds": (
        {"kind": "non_inferiority", "margin": 0.1, "smallest_improvement": 0.1},
        "is for kind: superiority",
    ),
    "a margin of zero": ({"kind": "non_inferiority", "margin": 0.0}, "greater than 0"),
    "a negative improvement": ({"smallest_improvement": -0.1}, "greater than or equal to 0"),
    "one name for two aliases": ({"aliases": {"champion": "a", "previous": "a"}}, "the champion's alias too"),
    "an alias that MLflow reserves": ({"aliases": {"champion": "Latest"}}, "which MLflow reserves"),
    "an alias that is a version": ({"aliases": {"previous": "v3"}}, "which MLflow reserves"),
    "a model name with a slash": ({"model": "a/b"}, "letters, digits"),
    "two replicates": ({"replicates": 2}, "greater than or equal to 3"),
    "a level of one half": ({"level": 0.5}, "greater than 0.5"),
    "text for a number": ({"level": "0.95"}, "valid number"),
    "a truth value for a number": ({"replicates": True}, "valid integer"),
    "another rule for the representative": ({"representative": "best"}, "'median'"),
    # By hand: 2^-4 = 0.0625 is above 0.05, 2^-5 = 0.03125 is not.
    "a permutation test that cannot reach its level": ({"test": "permutation", "replicates": 4}, "at least 0.0625"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_that_does_not_hold_together_is_refused(name: str) -> None:
    changed, said = REFUSED[name]
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        policy(**changed)


def test_a_permutation_test_of_five_pairs_can_reach_95_percent() -> None:
    assert policy(test="permutation", replicates=5).replicates == 5


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        policy().level = 0.5

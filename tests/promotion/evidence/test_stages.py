"""Promotion of a sweep with stages: the last stage is judged, whichever of them is named, on seeds fresh to all."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.errors import StoreError
from rothamsted.promotion.evidence.of_sweep import read_candidates
from tests.promotion.store import log_sweep, policy


@pytest.fixture
def run_ids(uri: str) -> tuple[str, str]:
    """The runs of sweep `first`, searched on seeds 0 and 50, and of its second stage."""
    client = MlflowClient(uri)
    first = log_sweep(uri, "first", [0.5, 0.3], search_seeds=(0, 50))
    second = log_sweep(uri, "first.stage2", [0.3], search_seeds=(0, 1))
    client.set_tag(first, tags.NEXT_SWEEP, "first.stage2")
    client.set_tag(second, tags.STAGE_OF, first)
    return first, second


@pytest.mark.parametrize("which", ["the first's name", "the first's run", "the last's name", "the last's run"])
def test_the_last_stage_is_judged_whichever_is_named(uri: str, run_ids: tuple[str, str], which: str) -> None:
    first, second = run_ids
    reference = {
        "the first's name": "first",
        "the first's run": first,
        "the last's name": "first.stage2",
        "the last's run": second,
    }[which]
    candidates = read_candidates(reference, policy(sweep="first"), uri=uri)
    assert (candidates.run.run_id, candidates.sweep.name) == (second, "first.stage2")
    is_followed = which.startswith("the first")
    assert candidates.mark == ("first went on in stages; first.stage2 is the last" if is_followed else "")


def test_the_seeds_of_every_stage_are_used_up(uri: str, run_ids: tuple[str, str]) -> None:
    # By hand: 0 and 50 in the first stage, 0 and 1 in the second, whose confirmation has 100 to 104.
    del run_ids
    assert read_candidates("first", policy(), uri=uri).seeds == {0, 50, 1, *range(100, 105)}


def test_a_stage_that_has_not_begun_is_said(uri: str) -> None:
    run_id = log_sweep(uri, "first")
    MlflowClient(uri).set_tag(run_id, tags.NEXT_SWEEP, "first.stage2")
    with pytest.raises(StoreError, match=r"its next stage, first\.stage2, has not begun"):
        read_candidates("first", policy(), uri=uri)

"""Failures end a replicate by `execution.retries`, crashes by an allowance of their own; and where checkpoints lie."""

from __future__ import annotations

from typing import Any

from rothamsted import tags
from rothamsted.search.lease import DEATHS
from rothamsted.sweeping.attempts import MOST_CRASHES, Attempts, to_try_again, without_crashes
from rothamsted.sweeping.checkpoint_folders import population_part


def trial(*outcomes: str, **attributes: Any) -> dict[str, Any]:
    told = [{"replicate": r, "outcome": outcome} for r, outcome in enumerate(outcomes)]
    return {tags.RESULT: {"replicates": told}, **{getattr(tags, key): value for key, value in attributes.items()}}


def test_each_replicate_has_its_own_failures_and_crashes() -> None:
    attempts = Attempts.of({tags.ATTEMPTS: {"0": 1, "1": 2}, tags.CRASHES: {"2": MOST_CRASHES, "3": 2}}, retries=1)
    assert [attempts.is_given_up(r) for r in range(5)] == [False, True, True, False, False]


def test_what_failed_as_often_as_it_may_is_not_tried_again() -> None:
    assert to_try_again(trial("finished", "failed", ATTEMPTS={"1": 1}), retries=0) is None
    assert to_try_again(trial("finished", "failed", ATTEMPTS={"1": 1}), retries=1) == {}


def test_what_was_lost_to_crashes_is_tried_again_with_a_new_allowance() -> None:
    of_trial = trial("failed", "failed", ATTEMPTS={"0": 1}, CRASHES={"0": 1, "1": MOST_CRASHES})
    assert to_try_again(of_trial, retries=0) == {tags.CRASHES: {"0": 1}}


def test_a_trial_that_is_not_over_forgets_its_crashes_and_keeps_why_a_holder_was_ended() -> None:
    assert without_crashes({tags.CRASHES: {"0": MOST_CRASHES}}) == {tags.CRASHES: {}}
    assert without_crashes({DEATHS: ["", "took too long", ""]}) == {DEATHS: ["took too long"]}
    assert without_crashes({DEATHS: ["took too long"], tags.CRASHES: {}}) == {}
    assert without_crashes({}) == {}


def test_a_pruned_trial_and_one_without_failures_are_left_alone() -> None:
    assert to_try_again(trial("finished", "diverged"), retries=5) is None
    assert to_try_again(trial("failed", PRUNED="hopeless"), retries=5) is None


def test_one_number_of_attempts_for_all_is_read_too_and_crashes_were_part_of_it() -> None:
    # As written by earlier releases: `retries` 0, one worker died with replicate 1, which was given up for it.
    of_trial = trial("finished", "failed", ATTEMPTS=1, CRASHES={"1": 1})
    assert to_try_again(of_trial, retries=0) == {tags.CRASHES: {}}
    assert to_try_again(trial("finished", "failed", ATTEMPTS=1), retries=0) is None


def test_populations_that_differ_in_their_last_member_have_folders_of_their_own() -> None:
    members = [(trial, 0) for trial in range(16)]
    parts = {population_part([*members[:-1], (str(trial), 0)]) for trial in range(15, 40)}
    assert len(parts) == 25
    assert population_part(members) == population_part(list(members))


def test_a_replicate_alone_has_a_folder_that_reads_as_its_trial_and_number() -> None:
    assert population_part([("7", 2)]) == "7-2"
    assert population_part([("confirm-7", 2)]) == "confirm-7-2"

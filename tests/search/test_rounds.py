"""Rounds of a sweep's trials: put back with more to do, by one of the processes that want to."""

from __future__ import annotations

import pytest

from rothamsted.search import Queue, Told, open_queue
from rothamsted.space import Choice, Space

SPACE = Space({"x": Choice(values=(1, 2, 3))})


def queue_of(url: str) -> Queue:
    return open_queue(url, "s", space=SPACE, sampler="grid", seed=0, direction="minimize", create=True)


@pytest.fixture
def ended(storage_url: str) -> Queue:
    """Three trials, each told its number."""
    queue = queue_of(storage_url)
    queue.enqueue(3)
    for claimed in queue.claim("w", n_trials=3, limit=3):
        claimed.tell(Told(value=float(claimed.number), attributes={"told": claimed.number}))
    return queue


def begin(queue: Queue, *, seen: int | None, new: int) -> bool:
    return queue.rounds.begin("round", seen=seen, new=new, trials={1: {"target": new}, 2: {"target": new}})


def test_a_round_puts_its_trials_back_with_their_attributes(ended: Queue) -> None:
    assert begin(ended, seen=None, new=4)
    claimed = ended.claim("w", n_trials=3, limit=3)
    assert [(c.number, c.attributes["target"]) for c in claimed] == [(1, 4), (2, 4)]


def test_a_trial_that_is_put_back_keeps_what_it_was_told_and_was_not_taken_over(ended: Queue) -> None:
    begin(ended, seen=None, new=4)
    [claimed] = ended.claim("w", n_trials=3)
    assert (claimed.attributes["told"], claimed.is_continued, claimed.is_taken_over) == (1, True, False)


def test_a_trial_of_a_dead_holder_is_taken_over(ended: Queue) -> None:
    begin(ended, seen=None, new=4)
    ended.claim("dead", n_trials=3, limit=2, lease_seconds=-1)
    assert [c.is_taken_over for c in ended.claim("w", n_trials=3, limit=2)] == [True, True]


def test_of_two_that_decide_the_same_round_one_begins_it(ended: Queue) -> None:
    assert [begin(ended, seen=None, new=4), begin(ended, seen=None, new=4)] == [True, False]
    assert ended.counts().waiting == 2


def test_a_late_decision_about_a_round_that_is_over_does_nothing(ended: Queue) -> None:
    begin(ended, seen=None, new=4)
    for claimed in ended.claim("w", n_trials=3, limit=2):
        claimed.tell(Told(value=0.0))
    assert not begin(ended, seen=None, new=4)
    assert ended.counts().complete == 3


def test_no_round_begins_while_a_trial_runs(storage_url: str) -> None:
    queue = queue_of(storage_url)
    queue.enqueue(3)
    queue.claim("w", n_trials=3)
    assert not begin(queue, seen=None, new=4)


def test_what_a_trial_was_told_in_a_later_round_is_what_is_read(ended: Queue) -> None:
    assert [t.value for t in ended.finished_trials()] == [0.0, 1.0, 2.0]
    begin(ended, seen=None, new=4)
    for claimed in ended.claim("w", n_trials=3, limit=2):
        claimed.tell(Told(value=10.0 + claimed.number))
    assert [t.value for t in ended.finished_trials()] == [0.0, 11.0, 12.0]


def test_a_turn_is_one_holders_until_it_ends(ended: Queue) -> None:
    rounds = ended.rounds
    taken = [rounds.take_turn("a", 60), rounds.take_turn("b", 60), rounds.take_turn("a", 60)]
    assert (taken, rounds.turn_holder()) == ([True, False, True], "a")
    rounds.end_turn("b")
    assert rounds.turn_holder() == "a"
    rounds.end_turn("a")
    assert rounds.turn_holder() is None
    assert rounds.take_turn("b", 60)


def test_a_turn_of_a_silent_holder_runs_out(ended: Queue) -> None:
    ended.rounds.take_turn("dead", -1)
    assert ended.rounds.take_turn("b", 60)


def test_attributes_of_all_trials_are_read_at_once(ended: Queue) -> None:
    ended.rounds.put_back({1: {"target": 5}})
    found = ended.rounds.attributes(["told", "target"])
    assert found == {0: {"told": 0}, 1: {"told": 1, "target": 5}, 2: {"told": 2}}
    assert ended.rounds.attributes(["none"]) == {0: {}, 1: {}, 2: {}}


def test_added_conditions_come_after_those_that_are_there_with_their_attributes(ended: Queue) -> None:
    assert ended.add([{"x": 3}, {"x": 1}], [{"why": "a"}, {"why": "b"}], n_before=3)
    claimed = ended.claim("w", n_trials=9, limit=9)
    assert [(c.number, dict(c.condition), c.attributes["why"]) for c in claimed] == [
        (3, {"x": 3}, "a"),
        (4, {"x": 1}, "b"),
    ]


def test_of_two_that_add_the_same_conditions_one_does(ended: Queue) -> None:
    assert [ended.add([{"x": 3}], [{}], n_before=3) for _ in range(2)] == [True, False]
    assert ended.counts().total == 4

"""Steps of a sweep: trials added and put back with more to do, by the one process that holds the sweep's lease."""

from __future__ import annotations

import pytest

from rothamsted.search import Queue, SweepLease, SweepLeaseLostError, Told, open_queue, take_step
from rothamsted.space import Choice, Space
from tests.search.ended_trials import finished_trials

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


def held(queue: Queue, holder: str = "a") -> SweepLease:
    lease = queue.lease(holder)
    assert lease.take(60.0)
    return lease


def extend(queue: Queue, lease: SweepLease, target: int) -> None:
    take_step(lease, queue, extend={1: {"target": target}, 2: {"target": target}}, note={"round": target})


def test_a_step_puts_trials_back_with_their_attributes_and_says_so(ended: Queue) -> None:
    extend(ended, held(ended), 4)
    claimed = ended.claim("w", n_trials=3, limit=3)
    assert [(c.number, c.attributes["target"]) for c in claimed] == [(1, 4), (2, 4)]
    assert ended.attribute("round") == 4


def test_a_trial_that_is_put_back_keeps_what_it_was_told_and_was_not_taken_over(ended: Queue) -> None:
    extend(ended, held(ended), 4)
    [claimed] = ended.claim("w", n_trials=3)
    assert (claimed.attributes["told"], claimed.token, claimed.is_taken_over) == (1, 2, False)


def test_the_token_of_a_trial_that_is_put_back_is_higher_than_before(ended: Queue) -> None:
    extend(ended, held(ended), 4)
    assert [claimed.token for claimed in ended.claim("w", n_trials=3, limit=3)] == [2, 2]


def test_a_trial_of_a_dead_holder_is_taken_over(ended: Queue) -> None:
    extend(ended, held(ended), 4)
    ended.claim("dead", n_trials=3, limit=2, lease_seconds=-1)
    assert [c.is_taken_over for c in ended.claim("w", n_trials=3, limit=2)] == [True, True]


def test_of_two_that_want_to_decide_one_does(ended: Queue) -> None:
    first, second = ended.lease("a"), ended.lease("b")
    assert [first.take(60.0), second.take(60.0)] == [True, False]
    with pytest.raises(SweepLeaseLostError):
        extend(ended, second, 4)
    assert ended.counts().waiting == 0


def test_whoever_lost_the_lease_decides_nothing_and_knows_it(ended: Queue) -> None:
    first, second = held(ended), ended.lease("b")
    assert second.take(60.0, is_dead=lambda holder: holder == "a")
    with pytest.raises(SweepLeaseLostError):
        extend(ended, first, 4)
    assert (ended.counts().waiting, ended.attribute("round"), first.token) == (0, None, 0)
    assert not first.renew(60.0)
    extend(ended, second, 4)
    assert ended.counts().waiting == 2


def test_a_lease_that_ran_out_can_be_taken_and_its_old_holder_is_no_more_in_it(ended: Queue) -> None:
    silent = ended.lease("silent")
    assert silent.take(-1.0)
    assert held(ended, "b").token == 2
    assert not silent.renew(60.0)


def test_a_lease_that_ran_out_is_renewed_as_long_as_nobody_has_taken_it(ended: Queue) -> None:
    slow = ended.lease("slow")
    assert slow.take(-1.0)
    assert slow.renew(60.0)
    assert not ended.lease("b").take(60.0)


def test_who_decides_is_known_to_everybody_and_how_it_left_too(ended: Queue) -> None:
    assert ended.lease("").deciding_now() is None
    lease = held(ended)
    found = ended.lease("").deciding_now()
    assert found is not None
    assert (found.holder, found.token, found.is_living, found.how) == ("a", 1, True, "deciding")
    lease.leave("over")
    found = ended.lease("").deciding_now()
    assert found is not None
    assert (found.is_living, found.how) == (False, "over")


def test_what_a_trial_was_told_after_a_later_step_is_what_is_read(ended: Queue) -> None:
    assert [t.value for t in finished_trials(ended)] == [0.0, 1.0, 2.0]
    extend(ended, held(ended), 4)
    for claimed in ended.claim("w", n_trials=3, limit=2):
        claimed.tell(Told(value=10.0 + claimed.number))
    assert [t.value for t in finished_trials(ended)] == [0.0, 11.0, 12.0]


def test_a_step_of_a_trial_that_runs_leaves_it_alone(storage_url: str) -> None:
    queue = queue_of(storage_url)
    queue.enqueue(3)
    [running] = queue.claim("w", n_trials=3)
    take_step(held(queue), queue, extend={running.number: {"target": 9}})
    assert (queue.counts().running, queue.counts().waiting) == (1, 2)
    assert "target" not in queue.trials(["target"])[running.number].attributes


def test_attributes_of_all_trials_are_read_at_once(ended: Queue) -> None:
    take_step(held(ended), ended, extend={1: {"target": 5}})
    found = {trial.number: dict(trial.attributes) for trial in ended.trials(["told", "target"])}
    assert found == {0: {"told": 0}, 1: {"told": 1, "target": 5}, 2: {"told": 2}}
    assert all(not trial.attributes for trial in ended.trials(["none"]))


def test_added_conditions_come_after_those_that_are_there_with_their_attributes(ended: Queue) -> None:
    take_step(
        held(ended),
        ended,
        confirm_queue=ended,
        conditions=[{"x": 3}, {"x": 1}],
        attributes=[{"why": "a"}, {"why": "b"}],
    )
    claimed = ended.claim("w", n_trials=9, limit=9)
    assert [(c.number, dict(c.condition), c.attributes["why"]) for c in claimed] == [
        (3, {"x": 3}, "a"),
        (4, {"x": 1}, "b"),
    ]

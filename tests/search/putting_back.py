"""Gives an ended trial more to do, as the process that decides for a sweep does."""

from __future__ import annotations

from rothamsted.search import Queue, take_step


def put_back(queue: Queue, number: int) -> None:
    lease = queue.lease("decider")
    assert lease.take(60.0)
    take_step(lease, queue, extend={number: {}})
    lease.leave("left")

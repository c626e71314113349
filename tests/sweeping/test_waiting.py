"""A worker with nothing to do: it waits, and leaves at once when it is told to."""

import threading
import time

from rothamsted.sweeping.worker.waiting import pause


def test_a_pause_takes_its_time_where_nobody_stops_it():
    begun = time.monotonic()
    pause(0.1, lambda: False)
    assert time.monotonic() - begun >= 0.1


def test_a_pause_ends_when_the_worker_is_to_stop():
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    pause(60.0, stop.is_set)
    assert time.monotonic() - begun < 30.0  # a busy machine may be slow; one that does not look takes 60

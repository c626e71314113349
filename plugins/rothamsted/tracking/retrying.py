"""Try again, with growing pauses, while a store is away, and say so."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import StoreAwayError, is_of_mlflow, store_error

_T = TypeVar("_T")

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
WAIT_SECONDS = 60.0  # a database server that is restarted is back by then
SERVER_WAIT_SECONDS = 600.0  # leases are renewed meanwhile, and what is measured is kept
STOP_SECONDS = 0.5  # between two looks whether it is waited for any longer
QUIET_SECONDS = 10.0  # a shorter absence is not worth a line

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Retrying:
    """Tries again while a store is away.

    Attributes:
        wait_seconds: After this time a store that is away is given up.
        clock: Function that gives seconds.
        sleep: Function that waits some seconds.
        jitter: Function that gives a number from 0 to 1, the part of half of each pause that is left out, so that many
            workers do not all come back at once.
        gives_up: Function that is called while a store is away; True: do not wait any longer.
        place: Name of the store on the terminal; empty: nothing is printed.
    """

    wait_seconds: float = WAIT_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = float
    gives_up: Callable[[], bool] | None = None
    place: str = ""

    def until_done(self, task: Callable[[], _T], *, wait_seconds: float | None = None) -> _T:
        """Do a repeatable task, again and again while the store is away.

        A server that says when to ask again is not asked before.

        Args:
            task: What to do.
            wait_seconds: Instead of this one's own.

        Raises:
            StoreError: the store is still away after that time, or it refuses.
        """
        wait = self.wait_seconds if wait_seconds is None else wait_seconds
        give_up, pause = self.clock() + wait, FIRST_PAUSE_SECONDS
        saying = Saying(place=self.place, clock=self.clock, wait_seconds=wait)
        if self.place.startswith("http"):  # a call may hang for long before it fails
            saying.begin()
        try:
            while True:
                try:
                    return task()
                except StoreAwayError as error:
                    saying.begin()
                    left, asked = give_up - self.clock(), error.asked_seconds or 0.0
                    if left <= 0 or asked > left:
                        asks = f"; it asks for a pause of {asked:.0f} s" if asked else ""
                        raise StoreError(f"{error}{asks}; gave up after {wait - max(left, 0):.0f} s") from error
                    if self._is_stopped(max(asked, min(pause * (1 - 0.5 * self.jitter()), left))):
                        raise StoreError(f"{error}; stopped while it was away") from error
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        except BaseException:
            saying.give_up()
            raise
        finally:
            saying.end()

    def _is_stopped(self, seconds: float) -> bool:
        """Sleep for so long; True: stopped meanwhile."""
        if self.gives_up is None:
            self.sleep(seconds)
            return False
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0 and not self.gives_up():
            self.sleep(min(left, STOP_SECONDS))
        return self.gives_up()


class Saying:
    """Says on the terminal that something takes long, and when it is over."""

    def __init__(self, *, place: str, clock: Callable[[], float], wait_seconds: float) -> None:
        """`place` is what the store is called (empty: nothing is said), `clock` gives seconds."""
        self._place, self._clock, self._wait_seconds = place, clock, wait_seconds
        self._began, self._is_said = clock(), False
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the time after which it is said. Calling it again changes nothing."""
        if self._place and self._timer is None:
            self._timer = threading.Timer(QUIET_SECONDS, self._say)
            self._timer.daemon = True
            self._timer.start()

    def give_up(self) -> None:
        """Stop without a line: the caller reports the failure."""
        self._place = ""

    def end(self) -> None:
        """Say that it is done, if it was said that it takes long."""
        if self._timer is not None:
            self._timer.cancel()
        if self._place and self._is_said:
            _logger.warning("%s: answers again after %.0f s", self._place, self._clock() - self._began)

    def _say(self) -> None:
        self._is_said = True
        _logger.warning(
            "%s: no answer for %.0f s; new records wait, and writing is tried for %.0f s",
            self._place,
            QUIET_SECONDS,
            self._wait_seconds,
        )


AT_ONCE = Retrying(wait_seconds=0.0)  # one try


def usual_wait_seconds(uri: str) -> float:
    """Return how long to wait for a store: longer for a server, which others restart, than for a database."""
    return SERVER_WAIT_SECONDS if uri.startswith(("http://", "https://")) else WAIT_SECONDS


def usual_patience(place: str) -> Retrying:
    """Say how a store is waited for; `place` is its address without a password."""
    return Retrying(wait_seconds=usual_wait_seconds(place), jitter=random.random, place=place)


def reading(what: str, task: Callable[[], _T], patience: Retrying | None = None) -> _T:
    """Do a task that reads from a store, again while the store is away.

    Args:
        what: Place and deed, for the message: "sqlite:///mlflow.db: cannot search runs".
        task: What to do.
        patience: How long to go on trying; by default `usual_wait_seconds`.

    Raises:
        StoreError: the store is still away after that time, or it refuses.
    """

    def attempt() -> _T:
        try:
            return task()
        except Exception as error:
            if not isinstance(error, SQLAlchemyError) and not is_of_mlflow(error):
                raise
            raise store_error(what, error) from error

    return (patience or usual_patience(what.rpartition(": ")[0])).until_done(attempt)

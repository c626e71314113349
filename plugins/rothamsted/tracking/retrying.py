"""Try again, with longer and longer pauses, while a store is away."""

from __future__ import annotations

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


@dataclass(frozen=True, kw_only=True)
class Retrying:
    """How long to go on trying, by which clock."""

    wait_seconds: float = WAIT_SECONDS
    clock: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep

    def until_done(self, task: Callable[[], _T], *, wait_seconds: float | None = None) -> _T:
        """Do a task that is safe to be done again; while the store is away, again and again.

        Args:
            task: What to do.
            wait_seconds: Instead of this one's own.

        Raises:
            StoreError: the store is still away after that time, or it refuses.
        """
        wait = self.wait_seconds if wait_seconds is None else wait_seconds
        give_up, pause = self.clock() + wait, FIRST_PAUSE_SECONDS
        while True:
            try:
                return task()
            except StoreAwayError as error:
                left = give_up - self.clock()
                if left <= 0:
                    raise StoreError(f"{error}; gave up after {wait:g} s") from error
                self.sleep(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def reading(what: str, task: Callable[[], _T]) -> _T:
    """Do a task that reads from a store; while the store is away, again.

    Args:
        what: Place and deed, for the message: "sqlite:///mlflow.db: cannot search runs".
        task: What to do.

    Raises:
        StoreError: the store is still away after `WAIT_SECONDS`, or it refuses.
    """

    def attempt() -> _T:
        try:
            return task()
        except Exception as error:
            if not isinstance(error, SQLAlchemyError) and not is_of_mlflow(error):
                raise
            raise store_error(what, error) from error

    return Retrying().until_done(attempt)

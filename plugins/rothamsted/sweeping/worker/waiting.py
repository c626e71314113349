"""Let an idle worker wait as long as another process decides what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rothamsted.sweeping.opened import Opened

_LOOK_SECONDS = 0.02  # how long a worker that waits may take to see that it is to leave
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25  # seconds; a round of a race is not to wait for a sleeping worker


@dataclass(kw_only=False)
class WaitingForDecisions:
    """Waits a little longer each time in a row. Called again within a second, it goes on with the longer wait."""

    opened: Opened
    should_stop: Callable[[], bool] = lambda: False
    _pause: float = FIRST_PAUSE
    _asked_at: float = float("-inf")

    def __call__(self) -> bool:
        """Wait a moment; False, at once, where nobody decides any more, or by a file that has grown."""
        deciding = self.opened.lease.deciding_now()
        if deciding is None or not deciding.is_living or self.opened.has_grown:
            return False
        now = time.monotonic()
        is_in_a_row = now - self._asked_at < 2 * self._pause + 0.1
        self._pause = min(LONGEST_PAUSE, 2 * self._pause) if is_in_a_row else FIRST_PAUSE
        pause(self._pause, self.should_stop)
        self._asked_at = time.monotonic()
        return True


def pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Wait some seconds, but return at once on a stop, because a finished sweep waits for its workers to leave."""
    until = time.monotonic() + seconds
    while not should_stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))

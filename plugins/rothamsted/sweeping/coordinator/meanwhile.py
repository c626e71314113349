"""Do work of the coordinator in a thread while workers train, so that the end of the sweep does not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_END_SECONDS = 5.0  # a drawing takes a tenth of a second; a store that does not answer is not waited for


@dataclass(kw_only=True)
class Meanwhile:
    """Runs each piece of work once.

    Attributes:
        make_ready: called when training has started.
        rehearse: called when the confirmation has begun; it checks whether the sweep is over.
        tick: called several times a second while workers train, without a thread.
    """

    make_ready: Callable[[], None] | None = None
    rehearse: Callable[[Callable[[], bool]], None] | None = None
    tick: Callable[[], None] = lambda: None
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def training_has_begun(self) -> None:
        """Note that workers are busy now."""
        if self.make_ready is not None:
            self._start(self.make_ready)
            self.make_ready = None

    def confirmation_has_begun(self) -> None:
        """Note that the search does not change any more."""
        if self.rehearse is not None:
            rehearse, self.rehearse = self.rehearse, None
            before = list(self._threads)
            self._start(lambda: [*(one.join() for one in before), rehearse(self._over.is_set)])

    def is_over(self) -> None:
        """Note that the sweep closes soon, so that started work ends."""
        self._over.set()

    def end(self) -> None:
        """Wait for started work. While a thread lives, no drawing process can be forked."""
        self._over.set()
        for one in self._threads:
            one.join(_END_SECONDS)

    def _start(self, do: Callable[[], object]) -> None:
        self._threads.append(threading.Thread(target=do, daemon=True))
        self._threads[-1].start()

"""What a coordinator has done in a thread of its own while workers train: nobody waits for it at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_END_SECONDS = 5.0  # a drawing takes a tenth of a second; a store that does not answer is not waited for


@dataclass(kw_only=True)
class Meanwhile:
    """Each is done once.

    Attributes:
        make_ready: done when training has started.
        rehearse: done when the confirmation has begun; it asks whether the sweep is over.
        tick: done several times a second while workers train; not once, and by no thread.
    """

    make_ready: Callable[[], None] | None = None
    rehearse: Callable[[Callable[[], bool]], None] | None = None
    tick: Callable[[], None] = lambda: None
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def training_has_begun(self) -> None:
        """Workers are busy now."""
        if self.make_ready is not None:
            self._start(self.make_ready)
            self.make_ready = None

    def confirmation_has_begun(self) -> None:
        """The search does not change any more."""
        if self.rehearse is not None:
            rehearse, self.rehearse = self.rehearse, None
            before = list(self._threads)
            self._start(lambda: [*(one.join() for one in before), rehearse(self._over.is_set)])

    def is_over(self) -> None:
        """The sweep is closed soon: what has been begun comes to its end."""
        self._over.set()

    def end(self) -> None:
        """Wait for what has been begun: while a thread lives, no drawing process can be forked."""
        self._over.set()
        for one in self._threads:
            one.join(_END_SECONDS)

    def _start(self, do: Callable[[], object]) -> None:
        self._threads.append(threading.Thread(target=do, daemon=True))
        self._threads[-1].start()

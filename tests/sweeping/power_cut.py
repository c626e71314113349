"""A power cut: from one commit on, nothing is written to any database any more, whatever is still tried.

Apart, because it makes crashes cheap: a process killed between two transactions leaves the same databases behind,
so that every place where a worker can die is tried within one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import event


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@dataclass(kw_only=True)
class Power:
    """Counts commits; `at` is the first that does not come about."""

    at: int | None = None
    n_commits: int = 0

    @property
    def is_off(self) -> bool:
        return self.at is not None and self.n_commits >= self.at

    def on_commit(self, connection: sa.Connection) -> None:
        if self.is_off:
            connection.connection.rollback()  # as the database does for a process that has died
            raise PowerCut
        self.n_commits += 1


@contextmanager
def power(at: int | None = None) -> Iterator[Power]:
    """Let the power fail before the commit number `at`, 0, 1, ...; None: count them only."""
    supply = Power(at=at)
    event.listen(sa.Engine, "commit", supply.on_commit)
    try:
        yield supply
    finally:
        event.remove(sa.Engine, "commit", supply.on_commit)

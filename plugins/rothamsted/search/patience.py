"""Run transactions on the search's database: repeat them while it is away, but commit each exactly once."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from rothamsted.errors import StoreError
from rothamsted.search.storage_url import shown
from rothamsted.tracking import failures

T = TypeVar("T")

WAIT_SECONDS = 60.0  # a database that is away for longer ends what asks it
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries; each pause is twice the one before
QUIET_SECONDS = 3.0  # a shorter absence is not worth a line
READ_ONLY, NO_TABLE = "25006", "42P01"  # of PostgreSQL, appendix A of its manual

# What SQLite says of a statement that will never work: SQLITE_ERROR (no such table, syntax), SQLITE_MISUSE.
_NEVER = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE)

_logger = logging.getLogger(__name__)


class Database:
    """Holds the search's database, and waits for it while it is away: stopped, full, read-only, locked.

    Attributes:
        engine: to read and write without patience.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`clock` gives seconds, `sleep` takes them."""
        self.engine = engine
        self._place = shown(engine.url)
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._sleep = sleep

    def run(self, transaction: Callable[[sa.Connection], T]) -> T:
        """Run one transaction that writes, and commit it exactly once; returns what `transaction` returned.

        It is called again from its beginning while the database is away, so it may change only rows. If only the answer
        to the commit was lost, PostgreSQL is asked whether it was done; then it is not done again.

        Raises:
            StoreError: the database stayed away.
        """
        attempt = _Attempt(self.engine, transaction)
        return self.patiently(attempt)

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run queries that write nothing.

        Raises:
            StoreError: the database stayed away.
        """

        def attempt() -> T:
            with self.engine.connect() as connection:
                return query(connection)

        return self.patiently(attempt)

    def patiently(self, call: Callable[[], T]) -> T:
        """Call, and call again while the database is away. `call` must be repeatable, as Optuna's own calls are.

        Raises:
            StoreError: the database stayed away.
        """
        # A connection that was made while a file was read-only stays read-only: the next try makes another.
        return patiently(
            call,
            place=self._place,
            between=self.engine.dispose,
            wait_seconds=self._wait_seconds,
            clock=self._clock,
            sleep=self._sleep,
        )


def patiently(
    call: Callable[[], T],
    *,
    place: str,
    between: Callable[[], None] = lambda: None,
    wait_seconds: float = WAIT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call, and call again at growing intervals while the database is away.

    Args:
        call: a repeatable call.
        place: name of the database in messages.
        between: called before each new try.
        wait_seconds: longest time that it may be away.
        clock: function that gives seconds.
        sleep: function that waits some seconds.

    Raises:
        StoreError: it stayed away, or its tables are gone.
    """
    began, pause, has_said = clock(), FIRST_PAUSE, False
    while True:
        try:
            return call()
        except Exception as error:
            reason, waited = why_away(error), clock() - began
            if reason is None and not _has_no_tables(error):
                raise
            if reason is None:
                raise StoreError(
                    f"storage {place}: Optuna's tables are gone ({one_line(error)}); restore the database, or start "
                    "the sweep again under another name"
                ) from error
            if waited >= wait_seconds:
                raise StoreError(
                    f"storage {place}: away for {waited:.0f} s ({reason}); when it can be written again, give the "
                    "same command: the sweep goes on where it was"
                ) from error
        if waited >= QUIET_SECONDS and not has_said:
            _logger.warning("storage %s: away (%s); trying for %.0f s", place, reason, wait_seconds)
            has_said = True
        between()
        sleep(min(pause, max(0.0, wait_seconds - waited)))
        pause = min(2 * pause, LONGEST_PAUSE)


class Patient:
    """Wraps an object with repeatable methods, such as Optuna's storage, so that each call waits for the database."""

    def __init__(self, target: Any, database: Database) -> None:
        self._target = target
        self._database = database

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            return self._database.patiently(lambda: found(*arguments, **options))

        return call


def why_away(error: BaseException) -> str | None:
    """Return one line if this error means that the database is away for a while; None: something else is wrong."""
    cause = _cause(error)
    if isinstance(cause, exc.TimeoutError | exc.PendingRollbackError):  # no free connection; one that was just cut
        return one_line(cause)
    if not isinstance(cause, exc.DBAPIError) or getattr(cause.orig, "sqlite_errorcode", None) in _NEVER:
        return None
    is_away = (
        cause.connection_invalidated
        or isinstance(cause, exc.OperationalError | exc.InterfaceError)
        or getattr(cause.orig, "sqlstate", None) == READ_ONLY
    )
    return one_line(cause) if is_away else None


def one_line(error: BaseException) -> str:
    """Return the database's message without statements and links."""
    return failures.one_line(_cause(error) or error)


def _cause(error: BaseException | None) -> exc.SQLAlchemyError | None:
    """What SQLAlchemy raised; Optuna wraps it."""
    while error is not None and not isinstance(error, exc.SQLAlchemyError):
        error = error.__cause__
    return error


def _has_no_tables(error: BaseException) -> bool:
    said = getattr(_cause(error), "orig", None)
    return getattr(said, "sqlstate", None) == NO_TABLE or str(said).startswith("no such table")


class _Attempt:
    """One transaction, tried until it is known to be committed."""

    def __init__(self, engine: sa.Engine, transaction: Callable[[sa.Connection], Any]) -> None:
        self._engine = engine
        self._transaction = transaction
        self._ticket: str | None = None  # PostgreSQL's number of a transaction whose commit was not answered
        self._result: Any = None

    def __call__(self) -> Any:
        with self._engine.connect() as connection:
            if self._ticket is not None and self._was_committed(connection):
                return self._result
            if connection.dialect.name == "sqlite":  # or a read before the first write could not become a write
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            self._result = self._transaction(connection)
            ticket = None
            if connection.dialect.name == "postgresql":
                ticket = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()::text").scalar()
            self._ticket = ticket
            connection.commit()
            return self._result

    def _was_committed(self, connection: sa.Connection) -> bool:
        status = sa.text("SELECT pg_xact_status(CAST(:ticket AS xid8))")
        with connection.begin():
            found = connection.execute(status, {"ticket": self._ticket}).scalar()
        if found == "in progress":  # its server process has not seen yet that nobody listens
            raise exc.OperationalError("COMMIT", {}, Exception("the last transaction has not ended yet"))
        self._ticket = None
        return found == "committed"

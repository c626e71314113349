"""An empty tracking store that is this process's own, and what every promotion of the toy needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from rothamsted.promotion.outcome import Outcome
from rothamsted.promotion.promote import promote
from rothamsted.tracking import migrate
from rothamsted.tracking.registry import Registry, open_registry
from tests.promotion.store import CODE, ByHand


@pytest.fixture
def uri(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty SQLite store, which MLflow takes for the process's own."""
    address = new_mlflow(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    yield address
    engine = SqlAlchemyStore._engine_map.pop(address, None)
    if engine is not None:
        engine.dispose()


@pytest.fixture
def registry(uri: str) -> Registry:
    """The registry of the store."""
    return open_registry(uri)


@pytest.fixture
def contest(uri: str) -> ByHand:
    """A contest that logs what it is asked for."""
    return ByHand(uri=uri)


@pytest.fixture
def promoting(registry: Registry, contest: ByHand) -> Callable[..., Outcome]:
    """`promote` with the store, the contest, and code that has not changed."""
    return partial(promote, registry=registry, contest=contest, code_digest=lambda study: CODE)


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database with MLflow's tables, which takes seconds to make: one for all, who delete their model."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE promotion"))
    admin.dispose()
    uri = str(sa.engine.make_url(postgres_server).set(database="promotion").render_as_string(hide_password=False))
    migrate(uri)
    engine = SqlAlchemyStore._engine_map[uri]
    with engine.begin() as connection:
        places = "UPDATE experiments SET artifact_location = :folder || experiment_id"  # it was the working directory's
        connection.execute(sa.text(places), {"folder": f"{tmp_path_factory.mktemp('mlruns')}/"})
    yield uri
    SqlAlchemyStore._engine_map.pop(uri).dispose()

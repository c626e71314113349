"""A tracking store of this process's own, in states that are made once, and what promotions of the toy need."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from rothamsted.promotion.ledger.decision import PromotionOutcome
from rothamsted.promotion.promote import promote
from rothamsted.tracking import migrate
from rothamsted.tracking.registry.registered import ModelRegistry, open_registry
from rothamsted.tracking.sql.engines import engine_of, let_go
from tests.promotion.running import run_trials
from tests.promotion.store import CODE, ByHand, log_sweep, policy

Promote = Callable[..., PromotionOutcome]
Prepare = Callable[[str, Callable[[], None]], None]


@pytest.fixture(scope="session")
def promotion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store lies: one place for all tests, since a store knows the paths of its artifacts."""
    return tmp_path_factory.mktemp("promotion")


@pytest.fixture
def uri(promotion_folder: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty SQLite store, which MLflow takes for the process's own."""
    address = f"sqlite:///{promotion_folder / 'mlflow.db'}"
    _let_go(address)
    _remove(promotion_folder)
    new_mlflow(promotion_folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    yield address
    _let_go(address)


@pytest.fixture(scope="session")
def kept_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of the store, by the name of its state."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture
def prepared(uri: str, promotion_folder: Path, kept_states: Path) -> Prepare:
    """Puts the store into a state of this name: made by the first test that asks, copied for the others."""

    def prepare(name: str, make: Callable[[], None]) -> None:
        kept = kept_states / f"{name}.db"
        if not kept.exists():
            make()
            _let_go(uri)
            shutil.copy(promotion_folder / "mlflow.db", kept)
            return
        _let_go(uri)
        _remove(promotion_folder)
        shutil.copy(kept, promotion_folder / "mlflow.db")

    return prepare


@pytest.fixture
def first_stands(uri: str, promoting: Promote, prepared: Prepare) -> None:
    """Sweep `first` (rate 0.5) is promoted: version 1 is champion."""

    def make() -> None:
        log_sweep(uri, "first", [0.5])
        promoting("first", policy())

    prepared("first stands", make)


@pytest.fixture
def second_stands(uri: str, promoting: Promote, prepared: Prepare) -> None:
    """Sweep `second` (rate 0.3) has taken over from `first`: version 2 is champion, on seeds 105 to 109."""

    def make() -> None:
        for name, rate in (("first", 0.5), ("second", 0.3)):
            log_sweep(uri, name, [rate])
            promoting(name, policy())

    prepared("second stands", make)


@pytest.fixture
def registry(uri: str) -> ModelRegistry:
    """The registry of the store."""
    return open_registry(uri)


@pytest.fixture
def contest(uri: str) -> ByHand:
    """A contest that logs what it is asked for."""
    return ByHand(uri=uri)


@pytest.fixture
def promoting(registry: ModelRegistry, contest: ByHand) -> Promote:
    """`promote` with the store, the contest, code that has not changed, and no report, which takes seconds."""
    return partial(
        promote, registry=registry, contest=contest, code_digest=lambda study: CODE, report=lambda *_, uri: None
    )


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database with MLflow's tables, which takes seconds to make: one for all, who delete their model."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE promotion"))
    admin.dispose()
    uri = str(sa.engine.make_url(postgres_server).set(database="promotion").render_as_string(hide_password=False))
    migrate(uri)
    with engine_of(uri).begin() as connection:
        places = "UPDATE experiments SET artifact_location = :folder || experiment_id"  # it was the working directory's
        connection.execute(sa.text(places), {"folder": f"{tmp_path_factory.mktemp('mlruns')}/"})
    yield uri
    _let_go(uri)


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Mapping[str, Any]:
    """What promotions in processes of their own came to, by trial: all from one program, which starts in seconds."""
    names = ("rivals", "twins", "killed", "contest")
    stores = {name: new_mlflow(tmp_path_factory.mktemp(name)) for name in names}
    return run_trials(stores, tmp_path_factory.mktemp("trials"))


def _let_go(uri: str) -> None:
    """Close all connections to a database, so that its file holds everything and can be replaced."""
    for store in (SqlAlchemyStore, RegistryStore):
        if uri in store._engine_map:
            store._engine_map[uri].dispose()
    let_go(uri)


def _remove(folder: Path) -> None:
    for file in folder.glob("mlflow.db*"):
        file.unlink()

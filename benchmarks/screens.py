"""Measure what a sweep costs MLflow's UI: database bytes per replicate, and processor time of the UI's queries."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli
from mlflow.entities import ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from benchmarks.overhead import TRIVIAL, sweep_document
from benchmarks.project import benchmark_project
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import run_sampled

N_ON_A_PAGE = 100  # runs that MLflow's UI asks for
MOST_BYTES = 10_000.0  # a replicate, in MLflow's database
MOST_SECONDS_NEWEST, MOST_SECONDS_SORTED = 0.3, 0.5  # of a processor
N_TIMES = 3  # each query; the median counts
# What the UI sends: the list as it opens, and the list that the sweep's link opens.
TRIALS = "tags.`rothamsted.sweep` = 'overhead' AND tags.`rothamsted.role` = 'trial'"
QUERIES = (
    ("newest 100 runs", "", "attributes.start_time DESC", MOST_SECONDS_NEWEST),
    ("100 runs by the objective", "", "metrics.`objective` ASC", MOST_SECONDS_SORTED),
    ("100 trials by the objective", TRIALS, "metrics.`objective/mean` ASC", MOST_SECONDS_SORTED),
)


def database_figures(path: Path, n_replicates: int, *, name: str, at_most: float | None = None) -> list[Figure]:
    """Measure the bytes of MLflow's database a replicate, its trial's share included. Count its points of metrics."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (n_points,) = connection.execute("SELECT COUNT(*) FROM metrics").fetchone()
    connection.close()
    size = path.stat().st_size / n_replicates
    note = f"{n_points / n_replicates:.1f} points of metrics each, {n_replicates} replicates"
    return [Figure(name=f"database, {name}", value=size, unit="bytes/replicate", at_most=at_most, note=note)]


def query_figures(path: Path) -> list[Figure]:
    """Return processor time of the UI's queries, in MLflow's own store."""
    store = SqlAlchemyStore(f"sqlite:///{path}", str(path.parent / "artifacts"))
    figures = []
    for name, text, order, at_most in QUERIES:
        seconds = sorted(_seconds(store, text, order) for _ in range(N_TIMES))[N_TIMES // 2]
        figures.append(Figure(name=name, value=seconds, unit="s CPU", at_most=at_most, note=f"median of {N_TIMES}"))
    return figures


def _seconds(store: SqlAlchemyStore, text: str, order: str) -> float:
    before = time.process_time()
    found: Sequence[Any] = store.search_runs(["0"], text, ViewType.ACTIVE_ONLY, N_ON_A_PAGE, [order], None)
    if len(found) != N_ON_A_PAGE:
        raise RuntimeError(f"{len(found)} runs were found: measure more replicates")
    return time.process_time() - before


def main(*, replicates: int = 9999, final_only: int = 3000, json_path: Path | None = None) -> None:
    """Look at the databases of two sweeps: curves of ten points, and one number a replicate.

    Args:
        replicates: of the sweep whose study logs two curves of ten points.
        final_only: of the sweep whose study logs its last point alone.
        json_path: write the figures here too.
    """
    figures = []
    with benchmark_project(TRIVIAL) as project:
        run_sampled(project, sweep_document(replicates, 1))
        figures += database_figures(project.tracking_path, replicates, name="two curves of ten points")
        figures += query_figures(project.tracking_path)
    with benchmark_project(TRIVIAL) as project:
        run_sampled(project, {**sweep_document(final_only, 1), "parameters": {"n_points": 1}})
        figures += database_figures(project.tracking_path, final_only, name="one number", at_most=MOST_BYTES)
    publish("What the screens cost", figures, json_path)


if __name__ == "__main__":
    auto_cli(main)

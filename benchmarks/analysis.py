"""Measure time and memory of reading, analysing and reporting a sweep; compare reading with MLflow's client.

This is what `analyze` and `report` cost.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli

from benchmarks.overhead import TRIVIAL, sweep_document
from benchmarks.project import benchmark_project
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import run_sampled

N_BY_CLIENT = 200  # runs that MLflow's client reads one by one; its cost a run does not depend on how many
SECONDS_TO_READ = {1_000: 5.0, 10_000: 60.0}
MOST_BYTES = 1e9
REPORT = {1_000: (3.0, 1.5), 10_000: (10.0, 5.0)}  # seconds of processor time, MB


def measure(n_replicates: int) -> dict[str, Any]:
    """Make a sweep of so many replicates with curves, then time the stages in a process of their own."""
    with benchmark_project(TRIVIAL) as project:
        run_sampled(project, sweep_document(n_replicates, 2))
        output = project.run("benchmarks.analysis_stages", "overhead", str(N_BY_CLIENT))
    return json.loads(output.strip().splitlines()[-1])


def figures_of(n: int, found: dict[str, Any]) -> list[Figure]:
    """Return the figures of one size."""
    seconds, name = found["seconds"], f"{n:,} replicates"
    a_run = seconds["read"] / found["n_runs"]
    by_client = seconds["client"] / found["n_by_client"]
    most_seconds, most_mb = REPORT.get(n, (None, None))
    return [
        Figure(name=f"{name}: reading with curves", value=seconds["read"], unit="s", at_most=SECONDS_TO_READ.get(n)),
        Figure(
            name=f"{name}: MLflow's client / reading",
            value=by_client / a_run,
            unit="x",
            note="a run, one metric a call",
        ),
        Figure(name=f"{name}: analysing", value=seconds["analyze"], unit="s"),
        Figure(
            name=f"{name}: report, all plots, processor time",
            value=found["report_cpu_seconds"],
            unit="s",
            at_most=most_seconds,
        ),
        Figure(
            name=f"{name}: report's size",
            value=found["report_bytes"] / 1e6,
            unit="MB",
            at_most=most_mb,
        ),
        Figure(name=f"{name}: peak memory", value=found["peak_bytes"] / 1e6, unit="MB", at_most=MOST_BYTES / 1e6),
    ]


def main(*, sizes: tuple[int, ...] = (1_000, 10_000), json_path: Path | None = None) -> None:
    """Measure each size in turn.

    Args:
        sizes: replicates of each sweep.
        json_path: write the figures here too.
    """
    figures = [figure for n in sizes for figure in figures_of(n, measure(n))]
    publish("Analysis of a finished sweep", figures, json_path)


if __name__ == "__main__":
    auto_cli(main)

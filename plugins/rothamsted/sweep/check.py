"""`rothamsted check`: the plan of a sweep before it runs, with its time measured on one replicate.

Apart from starting because it creates nothing in any database.
"""

from __future__ import annotations

import time

import numpy as np
from rich.console import Console

from rothamsted.spec import Sweep, plan
from rothamsted.study import Study, drive
from rothamsted.sweep.context import config_of, n_workers
from rothamsted.sweep.start import digest_of_data

MOST_SECONDS = 30.0  # of timing; a longer replicate is extrapolated from its steps where that can be done
OVERHEAD_SECONDS = 0.02  # a replicate's share of writing down; benchmarks/overhead.py


def print_plan(sweep: Sweep, study: Study, *, console: Console, is_timed: bool = True) -> None:
    """Validate a sweep against its study and data, then print conditions, replicates, runs and time.

    Raises:
        UserError: as `start_sweep` would.
    """
    digest = digest_of_data(sweep, study)
    size = plan(sweep)
    n_trials, n_replicates, seeds = size.n_conditions, size.n_trainings, sweep.replicates.values
    rows = {
        "sweep": f"{sweep.name} (study {sweep.study})",
        "objective": f"{sweep.objective.direction} {sweep.objective.metric}",
        "sampler": f"{sweep.sampler.name}, seed {sweep.sampler.seed}",
        "conditions": str(n_trials),
        "replicates": f"{n_replicates} ({len(seeds)} a condition, seeds {', '.join(map(str, seeds))})",
        "MLflow runs": f"{size.n_runs} (1 sweep, {n_trials} trials"
        + (f", {n_replicates} replicates)" if len(seeds) > 1 else ")"),
        "workers": str(n_workers(sweep)),
        "data": f"sha256 {digest[:12]}…" if digest else "the study gives no digest",
    }
    if is_timed:
        rows["estimated time"] = _estimate(sweep, study, n_replicates)
    for key, value in rows.items():
        console.print(f"{key + ':':<16}{value}", markup=False, highlight=False, soft_wrap=True)
    console.print("the sweep file is valid", highlight=False)


def _estimate(sweep: Sweep, study: Study, n_replicates: int) -> str:
    """Time one condition from the middle of the space twice: the first call compiles, the second does not."""
    condition = sweep.search_space.from_unit(np.full(len(sweep.search_space), 0.5))
    config = config_of(study, sweep, condition, sweep.replicates.values[0])
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        ending = drive(study, [config], on_measurement=lambda member, measured: None, timeout_seconds=MOST_SECONDS)[0]
        taken.append(time.perf_counter() - started)
        if taken[0] > MOST_SECONDS / 2:
            break
    if ending.reason.startswith("timeout"):
        least = _minutes(n_replicates * MOST_SECONDS / n_workers(sweep))
        return f"more than {least} (one replicate takes over {MOST_SECONDS:g} s here)"
    total = n_replicates * (taken[-1] + OVERHEAD_SECONDS) / n_workers(sweep)
    return (
        f"about {_minutes(total)} with {n_workers(sweep)} workers, start and compilation apart "
        f"(one replicate from the middle of the space, timed here: {taken[-1]:.2f} s; "
        f"the first, with compilation: {taken[0]:.2f} s)"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""Measure whether the memory of a worker and of the coordinator grows with the number of replicates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jsonargparse import auto_cli

from benchmarks.overhead import measure_engine
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import ProcessTrace, SampledSweep

WARM_FRACTION = 0.5  # of the replicates: SQLite fills its page caches over the first 3,000 or so
MIB = 2**20
MOST_KIB_A_REPLICATE = 1.0  # 1 MiB in 1,000 replicates: the size of what an allocator keeps back


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Holds the memory of one process over a sweep."""

    early_mib: float  # resident set after the first hundredth of the replicates
    warm_mib: float  # when warm
    end_mib: float  # at the last claim
    peak_mib: float
    kib_a_replicate: float  # least-squares slope after warming


def growth_of(sweep: SampledSweep, process: ProcessTrace) -> Growth:
    """Say how the resident set of a process moved between the warm-up's end and the last claim."""
    done = sweep.n_replicates_a_trial * np.arange(len(sweep.claimed))
    first = int(len(done) * WARM_FRACTION)
    stretch = (process.times >= sweep.claimed[first]) & (process.times <= sweep.claimed[-1])
    if stretch.sum() < 3:
        raise RuntimeError(f"{stretch.sum()} samples in {sweep.n_replicates} replicates: measure more replicates")
    n_done = np.interp(process.times[stretch], sweep.claimed, done)
    rss = process.rss_bytes[stretch]
    centred = n_done - n_done.mean()
    return Growth(
        early_mib=float(np.interp(sweep.claimed[len(done) // 100], process.times, process.rss_bytes)) / MIB,
        warm_mib=float(rss[0]) / MIB,
        end_mib=float(rss[-1]) / MIB,
        peak_mib=float(process.rss_bytes.max()) / MIB,
        kib_a_replicate=float(centred @ rss / (centred @ centred)) / 1024,
    )


def figures_of(name: str, growth: Growth) -> list[Figure]:
    """Return the figures of one process."""
    return [
        Figure(name=f"{name}, early", value=growth.early_mib, unit="MiB", note="resident set, 1% of replicates done"),
        Figure(name=f"{name}, when warm", value=growth.warm_mib, unit="MiB", note=f"{WARM_FRACTION:.0%} done"),
        Figure(name=f"{name}, at the end", value=growth.end_mib, unit="MiB"),
        Figure(name=f"{name}, peak", value=growth.peak_mib, unit="MiB", note="start-up and closing tables included"),
        Figure(
            name=f"{name}, growth",
            value=growth.kib_a_replicate,
            unit="KiB/replicate",
            at_most=MOST_KIB_A_REPLICATE,
            note=f"slope after the first {WARM_FRACTION:.0%}",
        ),
    ]


def main(*, replicates: int = 6000, workers: int = 1, json_path: Path | None = None) -> None:
    """Run one sweep of the trivial objective and report the memory of its processes.

    Args:
        replicates: of the sweep.
        workers: its worker processes.
        json_path: write the figures here too.
    """
    sweep = measure_engine(replicates, workers)
    figures = figures_of("coordinator", growth_of(sweep, sweep.coordinator))
    for i, worker in enumerate(sweep.workers):
        figures += figures_of(f"worker {i}", growth_of(sweep, worker))
    publish(f"Memory over {sweep.n_replicates} replicates", figures, json_path)


if __name__ == "__main__":
    auto_cli(main)

"""Collect what computing a sweep took, as far as it is recorded: machines, devices, times, memory."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rothamsted import tags, tracking
from rothamsted.analysis.sweep_runs import SweepRuns, with_origin
from rothamsted.analysis.values import Dataset
from rothamsted.tracking import FoundRun

MOST_ASKED = 2_000  # runs whose own origin.json is read: 0.2 ms each from a folder, 10 ms from a server
MEMORY = ("peak_memory", "system/system_memory_usage", "system/gpu_0_memory_usage")  # how metrics of it begin


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Holds what training took.

    Attributes:
        machines: machine in words ("AMD EPYC, 16 cores, 64 GiB") -> runs on it.
        devices: GPU in words -> runs on it; empty: none is on record.
        n_asked: number of runs that were asked for their machine.
        n_runs: all trainings that were begun: those that failed, were pruned or interrupted, and earlier attempts.
        seconds: wall-clock seconds of each run by how it ended, from its start to its end.
        n_open: number of runs without an end, which are in no sum.
        memory: metric of used memory -> its largest last value over the runs; empty: none was logged.
        python: versions of Python that are on record.
        workers: number of workers, as the sweep's file says; empty: not known.
        is_shared: several replicates were trained in one call, so that their times overlap.
    """

    machines: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    n_asked: int = 0
    n_runs: int = 0
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    n_open: int = 0
    memory: Mapping[str, float] = field(default_factory=dict)
    python: tuple[str, ...] = ()
    workers: str = ""
    is_shared: bool = False

    @property
    def total(self) -> float:
        """Return seconds of all runs together."""
        return math.fsum(one for of_outcome in self.seconds.values() for one in of_outcome)


def compute_of_sweep(found: SweepRuns, *, uri: str) -> Compute:
    """Return what the trainings of a sweep took, counting every attempt.

    Args:
        found: The sweep on record.
        uri: Tracking URI.
    """
    below = tracking.find_runs([found.run.experiment_id], {tags.SWEEP: found.sweep.name}, uri=uri)
    own = {one.run_id for one in below if one.tags.get("mlflow.parentRunId") == found.run.run_id}
    runs = [
        one
        for one in below
        if tags.REPLICATE in one.tags and (one.run_id in own or one.tags.get("mlflow.parentRunId") in own)
    ]
    asked = runs[:MOST_ASKED]
    facts = [_facts(one, uri=uri) for one in asked]
    of_sweep = with_origin(found.run, uri=uri).tags
    known = [{**{name: of_sweep[name] for name in tags.ORIGIN if name in of_sweep}, **one} for one in facts]
    devices = Counter(text for one in known if (text := one.get(tags.DEVICE)))
    seconds: dict[str, list[float]] = {}
    for one in runs:
        if one.end_ms is not None:
            outcome = one.tags.get(tags.OUTCOME, "interrupted")
            seconds.setdefault(outcome, []).append((one.end_ms - one.start_ms) / 1000.0)
    workers, population = found.sweep.execution.workers, found.sweep.execution.population
    return Compute(
        machines=Counter(one[tags.MACHINE] for one in known if tags.MACHINE in one),
        devices=devices,
        n_asked=len(asked),
        n_runs=len(runs),
        seconds=seconds,
        n_open=sum(one.end_ms is None for one in runs),
        memory=_memory(one.metrics for one in runs),
        python=tuple(dict.fromkeys(one[tags.PYTHON] for one in known if tags.PYTHON in one)),
        workers=str(workers),
        is_shared=population != 1,
    )


def compute_of_runs(dataset: Dataset) -> Compute:
    """Return what runs without a sweep took: only their times are recorded."""
    seconds: dict[str, list[float]] = {}
    for one in dataset.replicates:
        if math.isfinite(one.seconds):
            seconds.setdefault(one.outcome, []).append(one.seconds)
    return Compute(
        n_runs=len(dataset.replicates),
        seconds=seconds,
        n_open=sum(not math.isfinite(one.seconds) for one in dataset.replicates),
        memory=_memory(one.metrics for one in dataset.replicates),
    )


def _memory(metrics: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for of_run in metrics:
        for name, value in of_run.items():
            if name.startswith(MEMORY) and math.isfinite(value):
                found[name] = max(value, found.get(name, value))
    return found


def _facts(run: FoundRun, *, uri: str) -> dict[str, str]:
    """Where a replicate was trained, by its own file and its tags."""
    text = tracking.read_text(run.run_id, tags.ORIGIN_FILE, uri=uri)
    try:
        found = json.loads(text) if text else {}
    except ValueError:  # a file that was damaged says nothing
        found = {}
    facts = {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    return {**{name: run.tags[name] for name in (tags.DEVICE,) if name in run.tags}, **facts}

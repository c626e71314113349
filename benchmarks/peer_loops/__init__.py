"""Define the training that all peers run, and the grid that all of them search. Each peer's loop is beside this file.

The loops run in the environments of `benchmarks.peers`, so this imports nothing but the standard library.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trivial import PARAMETERS, curve

SEED = 0
NOTES, PAUSE = "PEER_NOTES", "PEER_PAUSE"  # a file's path; seconds that a training takes at each of its ten points


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Says what the driver asks of a loop: the values of two parameters, all others 0.5, and how many at a time."""

    a: list[float]
    b: list[float]
    workers: int

    @property
    def cells(self) -> list[tuple[float, float]]:
        """Return every condition of the grid, once."""
        return [(a, b) for a in self.a for b in self.b]


def asked(arguments: list[str] | None = None) -> Asked:
    """Read the command line: --a 0.1,0.2 --b 0.3,0.4 --workers 1."""
    parser = ArgumentParser()
    parser.add_argument("--a", required=True)
    parser.add_argument("--b", required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(arguments)
    a, b = ([float(word) for word in text.split(",")] for text in (given.a, given.b))
    return Asked(a=a, b=b, workers=given.workers)


def condition_of(a: float, b: float) -> dict[str, float]:
    """Return all five parameters."""
    return {**dict.fromkeys(PARAMETERS, 0.5), "a": a, "b": b}


def train(a: float, b: float) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield ten points of two curves; note first that a training began."""
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as notes:
        notes.write(f"{time.time()}\n")  # shorter than a page, so one write: several processes may append
    pause_seconds = float(os.environ.get(PAUSE, "0"))
    for step, metrics in curve(condition_of(a, b), SEED):
        time.sleep(pause_seconds)
        yield step, metrics


def in_processes(script: str, n: int) -> None:
    """Start the same script n times, for one study, as Optuna's documentation has it for several workers.

    Raises:
        SystemExit: one of them failed.
    """
    alone = [sys.executable, script, *sys.argv[1:], "--workers", "1"]
    workers = [subprocess.Popen(alone) for _ in range(n)]
    statuses = [worker.wait() for worker in workers]  # of all, before one counts
    if any(statuses):
        raise SystemExit(1)

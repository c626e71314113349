"""Break sweeps from outside and audit what they leave behind, with SQL and scipy alone.

    python -m tests.faults --kills 500 --storage sqlite --seed 0
    python -m tests.faults --kills 60 --rounds 3 --storage postgresql --only kills connections

Kills are SIGKILLs of workers, coordinators and whole trees at random moments, a few a sweep, with default settings
(and, every other sweep, a checkpoint each 0.1 s, so that replicates go on from one). Each other kind of fault is
done `--rounds` times. A table says what came of it; the exit status is 1 if any audit failed. Linux only.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults import stores
from tests.faults.audit import Audit, audit
from tests.faults.breaking import ImpossibleError, small_disk
from tests.faults.kills import MOST_SECONDS, Kill, UnfinishedError, plan_kills, survive
from tests.faults.kinds import KINDS
from tests.faults.world import World, world_in

KILLS_A_SWEEP = 6
Swept = tuple[str, int, Audit]  # name, faults made, what is wrong
Call = Callable[[World, str], tuple[int, Audit]]
HEAD = ("fault", "sweeps", "faults", "lost", "doubled", "left RUNNING", "bits equal", "other", "seconds")


@dataclass(kw_only=True)
class Row:
    """What came of one kind of fault."""

    kind: str
    sweeps: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    left_running: int = 0
    unequal: int = 0
    others: int = 0
    seconds: float = 0.0
    note: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every audit was."""
        return not (self.lost or self.doubled or self.left_running or self.unequal or self.others)

    def add(self, name: str, faults: int, found: Audit) -> None:
        """Count one sweep."""
        self.sweeps += 1
        self.faults += faults
        self.lost += found.lost
        self.doubled += found.doubled
        self.left_running += found.left_running
        self.unequal += found.unequal
        self.others += len(found.others)
        self.lines += [f"{name}: {line}" for line in found.lines()]

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        if not self.sweeps:
            return (self.kind, "0", "-", "-", "-", "-", "-", self.note, "-")
        equal = "yes" if not self.unequal else f"no ({self.unequal} points)"
        numbers = (self.sweeps, self.faults, self.lost, self.doubled, self.left_running)
        return (self.kind, *map(str, numbers), equal, str(self.others), f"{self.seconds:.0f}")


def main() -> int:
    """Do what was asked for; 1: an audit failed."""
    options = _options()
    kinds = options.only or ["kills", *KINDS]
    rows: list[Row] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped: as by Ctrl-C
    try:
        with _database(options.storage) as server:
            for kind in kinds:
                rows.append(Row(kind=kind))
                _fill(rows[-1], options, server)
    except KeyboardInterrupt:
        print("stopped: the table has what was done until then", flush=True)
    finally:
        _print(rows)
    return 0 if all(row.is_good for row in rows) else 1


def _fill(row: Row, options: argparse.Namespace, server: stores.Server | None) -> None:
    """Do one kind of fault; each sweep is said when it is audited."""
    began = time.monotonic()
    try:
        for name, faults, found in _sweeps(row.kind, options, server):
            row.add(name, faults, found)
            row.seconds = time.monotonic() - began
            print(f"{row.kind}: {name}: {faults} faults; {'; '.join(found.lines()) or 'good'}", flush=True)
    except ImpossibleError as error:
        row.note = f"not done: {error}"


def _sweeps(kind: str, options: argparse.Namespace, server: stores.Server | None) -> Iterator[Swept]:
    """Each sweep of a kind."""
    if kind == "kills":
        yield from _killed(options, server)
        return
    for number in range(options.rounds):
        rng = np.random.default_rng([options.seed, number])
        with _world(options, server, is_small=kind == "full disk") as world:
            yield _swept(
                world, f"{kind.replace(' ', '-')}-{number}", lambda world, name, rng=rng: KINDS[kind](world, name, rng)
            )


def _killed(options: argparse.Namespace, server: stores.Server | None) -> Iterator[Swept]:
    """So many kills, a few a sweep; every other sweep goes on from checkpoints."""
    made, number = 0, 0
    while made < options.kills:
        seed = options.seed * 1_000_000 + number
        plan = plan_kills(min(KILLS_A_SWEEP, options.kills - made), seed, options.within)
        more: dict[str, Any] = {"checkpoint_every": 0.1} if number % 2 else {}

        def call(world: World, name: str, plan: list[Kill] = plan, more: dict[str, Any] = more) -> tuple[int, Audit]:
            return survive(world, world.write(name, **more), plan), audit(world, name)

        with _world(options, server) as world:
            swept = _swept(world, f"kills-{number}", call)
        yield swept
        made, number = made + max(1, swept[1]), number + 1  # one that went wrong counts, too: there is an end


def _swept(world: World, name: str, call: Call) -> Swept:
    """Do it; a world that went wrong is kept, to be looked at."""
    try:
        faults, found = call(world, name)
    except UnfinishedError as error:
        faults, found = 0, Audit(others=[str(error)])
    if not found.is_good:
        kept = Path(tempfile.mkdtemp(prefix="faults-kept-")) / "world"
        shutil.copytree(world.root, kept, ignore_dangling_symlinks=True)
        found.others.append(f"kept: {kept}")
    return name, faults, found


@contextmanager
def _world(options: argparse.Namespace, server: stores.Server | None, *, is_small: bool = False) -> Iterator[World]:
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults")))
        if is_small:
            stack.enter_context(small_disk(root))
        urls = {}
        if server is not None:
            urls = stores.new_databases(server.url)
            stack.callback(stores.drop, list(urls.values()))
        ray = {"executor": "ray", "address": "local", "workers": 2} if options.storage == "ray" else {}
        yield stack.enter_context(world_in(root, **urls, execution=ray, server=server))


@contextmanager
def _database(storage: str) -> Iterator[stores.Server | None]:
    if storage != "postgresql":
        yield None
        return
    with stores.postgres() as server:
        yield server


def _print(rows: list[Row]) -> None:
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    for line in cells:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    for row in rows:
        for line in row.lines:
            print(f"FAILED {row.kind}: {line}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=500, help="SIGKILLs, in all")
    parser.add_argument(
        "--within",
        type=float,
        default=MOST_SECONDS,
        metavar="SECONDS",
        help="most seconds between two kills; few of them hit the making of databases",
    )
    parser.add_argument("--rounds", type=int, default=1, help="sweeps of each other kind of fault")
    parser.add_argument("--storage", choices=["sqlite", "postgresql", "ray"], default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=["kills", *KINDS], help="these kinds of fault only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""A command that behaves as badly as a program can, swept as any other, with its worker killed meanwhile.

It prints 100 MB, forks twice and leaves a daemon, ignores SIGTERM, eats memory, sleeps for ever, closes its streams.
The audit knows by which of these a replicate has a number and by which it has failed, and looks for each daemon.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from tests.faults.audit import ORPHANS_SECONDS, Audit, check_strays, read_record
from tests.faults.kills import finish
from tests.faults.world import World

N_SEEDS = 2
ENDS = {  # how it behaves -> how its runs end
    "well": "FINISHED",
    "prints": "FINISHED",
    "forks": "FINISHED",
    "closes": "FINISHED",
    "stubborn": "FAILED",
    "greedy": "FAILED",
    "sleeps": "FAILED",
}
SCRIPT = """
import argparse, json, os, signal, sys, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--how")
parser.add_argument("--seed", type=int)
args = parser.parse_args()
HERE = Path(__file__).parent


def note():
    (HERE / f"pid-{os.getpid()}").touch()


def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note()
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(3600)"], {})
        os._exit(0)
    time.sleep(0.3)


note()
if args.how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    daemon()
    while True:
        time.sleep(1)
if args.how == "sleeps":
    time.sleep(3600)
if args.how == "greedy":
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1) * 20_000_000))
        time.sleep(0.02)
if args.how == "prints":
    for _ in range(100):
        sys.stdout.write(("x" * 1023 + "\\n") * 1024)
if args.how == "forks":
    daemon()
if args.how == "closes":
    for stream in (0, 1, 2):
        os.close(stream)
with open(os.environ["ROTHAMSTED_REPORT"], "a") as report:
    report.write(json.dumps({"val_loss": args.seed + 0.5, "step": 1}) + "\\n")
"""


def document(name: str) -> dict[str, object]:
    """The sweep of every behaviour."""
    return {
        "name": name,
        "command": "python bad.py --how {how} --seed {seed}",
        "space": {"how": list(ENDS)},
        "objective": {"metric": "val_loss", "direction": "minimize"},
        "replicates": {"count": N_SEEDS},
        "execution": {"timeout_per_trial": "8s", "grace_seconds": 1, "memory_limit": "300MB"},
    }


def swept(world: World, name: str, rng: np.random.Generator) -> tuple[int, Audit]:
    """Sweep it, with a worker that is killed after five seconds; returns the number of faults, and what is wrong."""
    (world.root / "bad.py").write_text(SCRIPT)
    file = world.write(name, document(name))
    command = world.start("sweep", str(file))
    time.sleep(5)
    others = [process for process in world.processes() if "rothamsted.executors.process" in " ".join(_words(process))]
    chosen = [others[rng.integers(len(others))]] if others else []
    for worker in chosen:
        with suppress(psutil.Error):
            worker.kill()
    finish(world, command)
    return len(ENDS) * N_SEEDS + len(chosen), audit_commands(world, name)


def audit_commands(world: World, name: str) -> Audit:
    """Each replicate ended once as it must, with its number where it has one; nothing that it started is left."""
    found, record = Audit(), read_record(world.record, name)
    counted: Counter[tuple[str, int]] = Counter()
    for run in record.runs("replicate"):
        said = record.tags[run]
        if said.get("rothamsted.outcome") == "interrupted":
            continue  # its worker died: it started anew in another run
        how = record.params[run, "how"]
        seed = int(said["rothamsted.seed"])
        counted[how, seed] += 1
        found.left_running += record.status[run] == "RUNNING"
        if record.status[run] != ENDS[how]:
            found.others.append(f"{how}, seed {seed}: {record.status[run]}, wanted {ENDS[how]}")
        values = {key: value for key, _, value in record.latest.get(run, ())}
        if ENDS[how] == "FINISHED" and not math.isclose(values.get("val_loss", math.nan), seed + 0.5):
            found.unequal += 1
    wanted = {(how, seed) for how in ENDS for seed in range(N_SEEDS)}
    found.lost = len(wanted - counted.keys())
    found.doubled = sum(n - 1 for n in counted.values())
    found.left_running += sum(record.status[run] == "RUNNING" for run in record.runs("sweep", "trial"))
    check_strays(found, world)
    found.others += [f"process {pid} of a command is left" for pid in _left(world.root)]
    return found


def _left(folder: Path) -> list[int]:
    """Processes that the command has noted and that still run, after a while."""
    noted = [int(path.name.partition("-")[2]) for path in folder.glob("pid-*")]
    deadline = time.monotonic() + ORPHANS_SECONDS
    while left := [pid for pid in noted if _is_of_command(pid)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return []


def _is_of_command(pid: int) -> bool:
    try:
        words = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
    return "bad.py" in words or "time.sleep(3600)" in words


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []

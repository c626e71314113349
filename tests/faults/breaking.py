"""What breaks a sweep from outside beside kills: each kind starts it, breaks it and brings it to its end.

A kind is a function of the world, the name of a new sweep and random numbers; it returns how many faults it made.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import sqlalchemy as sa
from sqlalchemy import exc

from tests.faults import stores
from tests.faults.kills import SECONDS, Kill, UnfinishedError, finish, give_again, plan_kills, strike
from tests.faults.world import World

Kind = Callable[[World, str, np.random.Generator], int]
LEASE_SECONDS = 3.0
AWAY_SECONDS = (4.0, 12.0)  # longer than what is passed over without a word
SAID_SECONDS = 15.0  # after which the terminal has said that something is away


class ImpossibleError(Exception):
    """This machine cannot do it; the reason is said."""


# ---- stopped, and several at once ----


def stopped(world: World, name: str, rng: np.random.Generator) -> int:
    """A worker and a coordinator are stopped beyond their leases, and go on when another command has done all."""
    file = world.write(name, lease_seconds=LEASE_SECONDS)
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    others = [process for process in world.processes() if process.pid != command.pid]
    chosen = [psutil.Process(command.pid)] if rng.random() < 0.5 or not others else [others[rng.integers(len(others))]]
    _stop_without_locks(world, chosen)
    time.sleep(LEASE_SECONDS + 1)
    helper = world.start("worker", name, "--storage", world.storage)
    time.sleep(LEASE_SECONDS)
    _signal(chosen, signal.SIGCONT)
    finish(world, command)
    finish(world, helper)
    give_again(world, file)
    return len(chosen)


def taken_over(world: World, name: str, rng: np.random.Generator) -> int:
    """The whole tree is stopped beyond its leases; another command does all of it; then the first goes on."""
    file = world.write(name, lease_seconds=LEASE_SECONDS)
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    chosen = world.processes()
    _stop_without_locks(world, chosen)
    give_again(world, file)
    _signal(chosen, signal.SIGCONT)
    finish(world, command)
    return len(chosen)


def at_once(world: World, name: str, rng: np.random.Generator) -> int:
    """Two or four give the same command at the same moment, and some are killed."""
    file = world.write(name)
    commands = [world.start("sweep", str(file)) for _ in range(int(rng.choice([2, 4])))]
    made = len(commands)
    for kill in plan_kills(len(commands) - 1, int(rng.integers(2**31))):
        time.sleep(kill.after_seconds / 2)
        if kill.victim != "tree":
            made += strike(world, commands[int(kill.luck * len(commands))], kill)
    for command in commands:
        finish(world, command)
    give_again(world, file)
    return made


# ---- the database ----


def connections(world: World, name: str, rng: np.random.Generator) -> int:
    """PostgreSQL drops one connection after another: of a command from its start, of the next once it trains."""
    if world.server is None:
        raise ImpossibleError("there is no PostgreSQL server")
    file, made, server = world.write(name), 0, world.server.url
    for is_training in (False, True):
        command = world.start("sweep", str(file))
        if is_training:
            until(lambda: has_points(world, name), command)
        while command.poll() is None:
            time.sleep(rng.uniform(0.1, 0.8))
            if there := stores.sessions(server):
                made += stores.cut(server, there[rng.integers(len(there))])
    give_again(world, file)
    return made


def restarted(world: World, name: str, rng: np.random.Generator) -> int:
    """The PostgreSQL server is stopped while the sweep runs, and started again some seconds later."""
    if world.server is None:
        raise ImpossibleError("there is no PostgreSQL server")
    file = world.write(name)
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    world.server.stop()
    time.sleep(rng.uniform(*AWAY_SECONDS))
    world.server.start()
    finish(world, command)
    give_again(world, file)
    return 1


def locked_file(world: World, name: str, rng: np.random.Generator) -> int:
    """The files of both databases cannot be written for some seconds (chattr +i)."""
    file = world.write(name)
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    files = [str(path) for path in world.root.glob("*.db*")]
    with _immutable(files):
        time.sleep(rng.uniform(*AWAY_SECONDS))
    finish(world, command)
    give_again(world, file)
    return 1


def full_disk(world: World, name: str, rng: np.random.Generator) -> int:
    """The disk of the project, a tmpfs, is filled for some seconds."""
    if not world.root.is_mount():
        raise ImpossibleError("the project is on no disk of its own that could be filled")
    file, ballast = world.write(name), world.root / "ballast"
    command = world.start("sweep", str(file))
    until(lambda: has_points(world, name), command)
    with suppress(OSError), ballast.open("wb") as out:
        while True:
            out.write(b"x" * 4096)
            out.flush()
    heard_in_time(world, "disk is full", command)
    time.sleep(rng.uniform(*AWAY_SECONDS))
    ballast.unlink()
    finish(world, command)
    give_again(world, file)
    return 1


@contextmanager
def small_disk(folder: Path, megabytes: int = 24) -> Iterator[None]:
    """A file system of its own at a folder, which can be filled."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise ImpossibleError("mounting a tmpfs is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def _immutable(files: list[str]) -> Iterator[None]:
    try:
        if subprocess.run(["chattr", "+i", *files], capture_output=True, check=False).returncode:
            raise ImpossibleError("chattr +i is not possible here")
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], capture_output=True, check=False)


# ---- checkpoints ----


def checkpoints(world: World, name: str, rng: np.random.Generator) -> int:
    """The tree is killed, bytes of each checkpoint are flipped, and the command is given again."""
    file, folder = world.write(name, checkpoint_every=0.1), world.root / "checkpoints"
    command = world.start("sweep", str(file))

    def written() -> list[Path]:
        return [path for path in (folder / name).rglob("*") if path.is_file() and path.stat().st_size]

    until(lambda: bool(written()), command)
    strike(world, command, Kill(victim="tree", after_seconds=0.0, luck=0.0))
    finish(world, command)
    made = 0
    for path in written():
        data = bytearray(path.read_bytes())
        for place in rng.integers(len(data), size=8):
            data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        made += 1
    give_again(world, file)
    return made


# ---- common ----


def until(condition: Callable[[], bool], command: subprocess.Popen[bytes]) -> None:
    """Wait for a condition, at most until the command ends."""
    deadline = time.monotonic() + SECONDS
    while not condition() and command.poll() is None:
        if time.monotonic() > deadline:
            raise UnfinishedError(f"{command.args}: nothing happened")
        time.sleep(0.05)


def heard_in_time(world: World, words: str, command: subprocess.Popen[bytes]) -> None:
    """Wait until the last command says these words on its terminal, or has ended and has nothing to say.

    Raises:
        UnfinishedError: it does not say them in time.
    """
    began, already = time.monotonic(), world.said[-1].read_text(errors="replace").count(words)
    while command.poll() is None and world.said[-1].read_text(errors="replace").count(words) == already:
        if time.monotonic() > began + SAID_SECONDS:
            raise UnfinishedError(f"{world.said[-1]}: {words!r} was not said within {SAID_SECONDS:g} s")
        time.sleep(0.1)


def has_points(world: World, name: str) -> bool:
    """Whether a replicate of the sweep has a measurement."""
    url = sa.engine.make_url(world.record)
    if url.drivername == "sqlite" and not Path(str(url.database)).exists():
        return False  # a look must not make the file
    query = (
        "SELECT 1 FROM metrics m JOIN tags t ON t.run_uuid = m.run_uuid "
        "WHERE t.key = 'rothamsted.sweep' AND t.value = :name LIMIT 1"
    )
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query), {"name": name}).first() is not None
    except exc.DBAPIError:
        return False  # no tables yet


def _stop_without_locks(world: World, processes: list[psutil.Process]) -> None:
    """SIGSTOP at a moment when nobody holds SQLite's lock: else all others would rightly wait."""
    while True:
        _signal(processes, signal.SIGSTOP)
        time.sleep(0.05)
        if not any(_is_locked(url) for url in (world.storage, world.record)):
            return
        _signal(processes, signal.SIGCONT)
        time.sleep(0.01)


def _is_locked(url: str) -> bool:
    parsed = sa.engine.make_url(url)
    if parsed.drivername != "sqlite":
        return False
    with closing(sqlite3.connect(str(parsed.database), timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)

"""An MLflow tracking server that is killed while a sweep runs, and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import psutil

from tests.faults.breaking import has_points, heard_in_time, until
from tests.faults.kills import SECONDS, UnfinishedError, finish, give_again
from tests.faults.world import World

AWAY_SECONDS = (10.0, 60.0)


class TrackingServer:
    """A server on the record of a world, always at the same port."""

    def __init__(self, world: World) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self._world = world
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        port = self.uri.rpartition(":")[2]
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
        command += ["--backend-store-uri", self._world.record]
        command += ["--artifacts-destination", str(self._world.artifacts)]
        with (self._world.root / "server.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._world.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            )
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise UnfinishedError(f"the MLflow server does not start; see {self._world.root / 'server.txt'}")
            time.sleep(0.3)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def tracking_server(world: World) -> Iterator[TrackingServer]:
    """A server on a world's record, to which all further commands write."""
    server = TrackingServer(world)
    world.artifacts = world.root / "artifacts"
    server.start()
    world.tracking = server.uri
    try:
        yield server
    finally:
        server.kill()


def server_gone(world: World, name: str, rng: np.random.Generator) -> int:
    """The server is gone for 10 to 60 s while replicates are trained; every other time a worker is killed meanwhile."""
    made = 1
    with tracking_server(world) as server:
        file = world.write(name)
        command = world.start("sweep", str(file))
        until(lambda: has_points(world, name), command)
        server.kill()
        seconds = rng.uniform(*AWAY_SECONDS)
        began = time.monotonic()
        heard_in_time(world, server.uri, command)
        if rng.random() < 0.5:
            made += _kill_a_worker(world, command, rng)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        server.start()
        finish(world, command)
        give_again(world, file)
    if left := sorted((world.root / "undelivered").glob("*")):
        raise UnfinishedError(f"{name}: what waited for the server is still there: {left}")
    return made


def _kill_a_worker(world: World, command: subprocess.Popen[bytes], rng: np.random.Generator) -> bool:
    workers = sorted(p.pid for p in world.processes() if p.pid != command.pid)
    if not workers:
        return False
    with suppress(psutil.Error):
        psutil.Process(workers[rng.integers(len(workers))]).kill()
    return True

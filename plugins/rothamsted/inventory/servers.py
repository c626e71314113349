"""Start MLflow's UI and optuna-dashboard on the databases of a sweep, wait until they answer, and end them.

They listen only on the loopback address, so other machines cannot reach them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from rothamsted.errors import UserError

HOST = "127.0.0.1"
# Addresses of databases go to servers by their environment: everybody on a machine sees the arguments of a process.
TRACKING = "MLFLOW_BACKEND_STORE_URI"
STORAGE = "ROTHAMSTED_DASHBOARD_STORAGE"
WAIT_SECONDS = 120.0  # until a server answers: it imports for seconds, on a busy machine for many
LOOK_SECONDS = 0.2
END_SECONDS = 5.0  # from asking a server to end until it is killed


@dataclass(frozen=True, kw_only=True)
class Server:
    """Holds a server that was started here.

    Attributes:
        name: as messages call it.
        address: http://127.0.0.1:PORT.
        process: its first process, which leads a group of its own.
        log: the file that it writes to.
    """

    name: str
    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def why_ended(self) -> str:
        """Return the last line that it wrote, if it has ended; else empty."""
        if self.process.poll() is None:
            return ""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"ended with status {self.process.returncode}: {lines[-1] if lines else 'it wrote nothing'}"


def mlflow_command(port: int) -> list[str]:
    """Return the command that serves MLflow's UI on the tracking store that the variable TRACKING names."""
    return [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]


def dashboard_command(port: int) -> list[str]:
    """Return the command that serves optuna-dashboard on the search database that the variable STORAGE names."""
    program = (
        "import os, sys; from optuna_dashboard._cli import main; "
        f"sys.argv.insert(1, os.environ[{STORAGE!r}]); sys.exit(main())"
    )
    return [sys.executable, "-c", program, "--host", HOST, "--port", str(port)]


def free_port(wanted: int | None = None) -> int:
    """Find a port of the loopback address that nobody listens on.

    Raises:
        UserError: the wanted one is taken.
    """
    with socket.socket() as one:
        try:
            one.bind((HOST, wanted or 0))
        except OSError as error:
            raise UserError(f"port {wanted}: {error.strerror}; give another port, or none for a free one") from error
        return one.getsockname()[1]


@contextmanager
def serving(
    commands: Mapping[str, Sequence[str]], ports: Mapping[str, int], variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[list[Server]]:
    """Start servers, wait until they answer, and end them with the block.

    Args:
        commands: name -> command.
        ports: name -> the port that the command says.
        variables: of their environment, beside this process's.

    Raises:
        UserError: one ended at once, or did not answer in time.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rothamsted-open-")))
        servers = []
        for name, command in commands.items():
            server = _start(name, command, ports[name], folder / f"{name}.log", variables)
            stack.callback(_end, server)
            servers.append(server)
        for server in servers:
            _wait_for(server)
        yield servers


def stay(servers: Sequence[Server], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait as long as all of them run.

    Raises:
        UserError: one of them has ended by itself.
    """
    while True:
        for server in servers:
            if why := server.why_ended():
                raise UserError(f"{server.name}: {why}")
        sleep(LOOK_SECONDS)


def _start(name: str, command: Sequence[str], port: int, log: Path, variables: Mapping[str, str]) -> Server:
    environment = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **os.environ,
        **variables,
    }  # eight processes that nobody needs
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is ours, and all its processes can be ended together
        )
    return Server(name=name, address=f"http://{HOST}:{port}", process=process, log=log)


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not _answers(server.address):
        if why := server.why_ended():
            raise UserError(f"{server.name}: {why}")
        if time.monotonic() > deadline:
            raise UserError(f"{server.name}: does not answer at {server.address} after {WAIT_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _end(server: Server) -> None:
    """End the whole group of a server: its first process may have ended before the others."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.process.pid, signal_number)
            server.process.wait(END_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue

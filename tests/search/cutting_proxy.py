"""A PostgreSQL server behind a proxy that cuts connections: at a commit, before or after the server has done it."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

SOCKET = ".s.PGSQL.5432"


class CuttingProxy:
    """Passes bytes on; cuts the connection of the commit that it is told to."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.n_commits = self.n_cuts = 0
        self.cut_at: int | None = None  # the number of a commit, from 1
        self.cut: Literal["before", "after"] = "after"
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                server.connect(str(self._server / SOCKET))
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        is_cut, is_answered = threading.Event(), threading.Event()
        threading.Thread(target=_answer, args=(server, client, is_cut, is_answered), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT" in data:
                    self.n_commits += 1
                    if self.n_commits == self.cut_at:
                        self.n_cuts += 1
                        is_cut.set()
                        if self.cut == "after":
                            server.sendall(data)
                            is_answered.wait(10)
                        break
                server.sendall(data)
        _close(client, server)


@contextlib.contextmanager
def cutting_proxy(url: str) -> Iterator[tuple[CuttingProxy, str]]:
    """A proxy before the server of this URL, and the URL that goes through it."""
    found = re.search("host=([^&]+)", url)
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="cut"))  # a short path: Unix sockets allow about 100 characters
    proxy = CuttingProxy(Path(unquote(found[1])), folder)
    try:
        yield proxy, url.replace(found[1], quote(str(folder), safe=""))
    finally:
        proxy.close()
        shutil.rmtree(folder, ignore_errors=True)


def _answer(
    server: socket.socket, client: socket.socket, is_cut: threading.Event, is_answered: threading.Event
) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(65536):
            if is_cut.is_set():
                is_answered.set()
                return
            client.sendall(data)
        _close(client, server)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()

"""A bare git repository over HTTP on loopback, as a host of repositories serves it: `git http-backend`."""

from __future__ import annotations

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def served(folder: Path, *, token: str = "") -> Iterator[str]:
    """Serve the bare repositories in a folder; gives the address in front of their names.

    With a token, only who gives it as the user's name is let in (RFC 7617).
    """
    handler = type("GitHandler", (_Handler,), {"folder": folder, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def commit(folder: Path, bare: Path) -> None:
    """Commit everything in a folder, and put it into a bare repository."""
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (
        ["-C", str(folder), "init", "-q", "-b", "main"],
        ["-C", str(folder), "add", "-A"],
        ["-C", str(folder), *author, "commit", "-q", "-m", "first"],
        ["clone", "-q", "--bare", str(folder), str(bare)],
    ):
        subprocess.run(["git", *arguments], check=True)


class _Handler(BaseHTTPRequestHandler):
    """Hands each request to git's own program, by the rules of CGI (RFC 3875)."""

    folder: Path
    token: str

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        if self.token and self.headers.get("Authorization") != f"Basic {b64encode(f'{self.token}:'.encode()).decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = urlsplit(self.path)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": asked.path,
            "QUERY_STRING": asked.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

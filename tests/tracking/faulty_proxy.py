"""An HTTP proxy before a real server: it refuses, is slow, loses requests and answers, or wants a password."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that came."""

    at: float  # time.monotonic
    method: str
    path: str
    body: bytes
    authorization: str | None

    @property
    def data(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request: `status` instead of an answer, `seconds` of waiting, or a cut connection."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: str = ""  # "before" or "after" the server has done it


class FaultyProxy:
    """Passes requests on; `fault` says what happens to each, None: nothing."""

    def __init__(self, port: int) -> None:
        self.asked: list[Asked] = []
        self.fault: Callable[[Asked], Fault | None] = lambda asked: None
        proxy, target = self, port

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(
                    at=time.monotonic(),
                    method=self.command,
                    path=self.path,
                    body=body,
                    authorization=self.headers.get("Authorization"),
                )
                proxy.asked.append(asked)
                fault = proxy.fault(asked) or Fault()
                time.sleep(fault.seconds)
                if fault.cut == "before":
                    self.close_connection = True
                    return
                if fault.status:
                    self._answer(fault.status, fault.headers, b"{}")
                    return
                found = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
                found.request(self.command, self.path, body, {**self.headers, "Host": f"127.0.0.1:{target}"})
                answer = found.getresponse()
                content = answer.read()
                found.close()
                if fault.cut == "after":
                    self.close_connection = True
                    return
                self._answer(answer.status, {"Content-Type": answer.headers.get("Content-Type", "")}, content)

            def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  (names of the library)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def of(self, what: str) -> list[Asked]:
        """The requests whose path ends so."""
        return [one for one in self.asked if one.path.partition("?")[0].endswith(what)]

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def faulty_proxy(server_uri: str) -> Iterator[FaultyProxy]:
    """A proxy before a server on this machine."""
    proxy = FaultyProxy(int(server_uri.rpartition(":")[2]))
    try:
        yield proxy
    finally:
        proxy.close()

"""A real HTTP server on the loopback interface, with the faults that downloads meet: each on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Site:
    """What the server hands out and how; what it was asked is kept in `ranges`."""

    files: dict[str, bytes]
    understands_ranges: bool = True
    states_length: bool = True
    leads_to: str | None = None  # each answer is a redirect to this address; the site's own where it is empty
    breaks_after: list[int | None] = field(default_factory=list)  # bytes sent, one entry a request; None: all
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request so far
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            site.ranges.append(asked)
            if site.leads_to is not None:
                self.send_response(302)
                self.send_header("Location", site.leads_to or site.url + self.path)
                self.end_headers()
                return
            data = site.files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and site.understands_ranges else 0
            if start >= len(data) and start:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if site.states_length:
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            limit = site.breaks_after.pop(0) if site.breaks_after else None
            self.wfile.write(data[start:] if limit is None else data[start : start + limit])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep the tests' output to themselves."""

    return Handler

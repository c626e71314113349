"""A server of W&B on the loopback interface: runs, histories, uploads, as far as its package and this engine ask.

What it answers to has the form that wandb 0.31 sends and takes; its own client reads and writes here, too, so that the
answers are not made for us alone.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "f" * 40
_OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")


@dataclass(kw_only=True)
class Run:
    """A run as the server keeps it; `rows` are those of its history, with _step."""

    name: str
    displayName: str = ""  # noqa: N815  (as it is called there)
    state: str = "finished"
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    jobType: str = ""  # noqa: N815
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    createdAt: str = "2026-11-01T10:00:00Z"  # noqa: N815
    heartbeatAt: str = "2026-11-01T10:05:00Z"  # noqa: N815
    rows: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def last_step(self) -> int:
        return max((row["_step"] for row in self.rows), default=-1)

    def node(self) -> dict[str, Any]:
        """The run as `RunFragment` has it."""
        return {
            "id": f"id-{self.name}",
            "projectId": "1",
            "name": self.name,
            "displayName": self.displayName,
            "state": self.state,
            "config": json.dumps({key: {"value": value, "desc": None} for key, value in self.config.items()}),
            "summaryMetrics": json.dumps(self.summary),
            "systemMetrics": "{}",
            "group": self.group or None,
            "jobType": self.jobType or None,
            "sweepName": None,
            "commit": None,
            "readOnly": False,
            "description": "",
            "tags": self.tags,
            "notes": self.notes or None,
            "createdAt": self.createdAt,
            "heartbeatAt": self.heartbeatAt,
            "historyLineCount": len(self.rows),
            "historyKeys": {"lastStep": self.last_step, "keys": {}},
            "user": {"name": "Ada", "username": "ada"},
        }


@dataclass(kw_only=True)
class WandbServer:
    """What it holds and how it behaves; what it was asked is kept in `asked`.

    Attributes:
        runs: of lab/digits, by name.
        per_page: runs that it sends at once, whatever is asked for.
        busy: statuses of the next answers, such as 429; then it answers.
        retry_after: seconds that it then asks to wait.
        most_samples: rows of a history that it sends at once.
        asked: name of each operation, in order.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    per_page: int = 2
    busy: list[int] = field(default_factory=list)
    retry_after: str = "0"
    most_samples: int = 10**6
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def count(self, operation: str) -> int:
        """How often something was asked."""
        return sum(name == operation for name, _ in self.asked)

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data of an answer."""
        if operation in ("Viewer", "GetDefaultEntity"):
            teams = {"edges": [{"node": {"name": "lab"}}]}
            viewer = {"id": "1", "entity": "lab", "username": "ada", "email": "", "flags": "{}", "teams": teams}
            return {"viewer": viewer}
        if operation == "UpsertBucket":
            return self._upsert(given)
        is_ours = (given.get("entity") or given.get("entityName"), given.get("project")) in [
            ("lab", "digits"),
            ("", "digits"),
            (None, "digits"),
        ]
        if operation == "Runs":
            return {"project": self._page(given) if is_ours else None}
        run = self.runs.get(str(given.get("run") or given.get("runName") or given.get("name")))
        of_run: dict[str, Any] | None = None
        if run is not None and is_ours:
            of_run = {
                **run.node(),
                "historyKeys": {"lastStep": run.last_step, "keys": {}},
                "history": self._history(run, given) if operation == "HistoryPage" else None,
                "parquetHistory": {"parquetUrls": [], "liveData": []},
            }
        if operation == "CreateRunFiles":
            return {"createRunFiles": self._uploads(given)}
        if operation == "RunResumeStatus":
            return {"model": {"id": "p", "name": "digits", "entity": {"name": "lab"}, "bucket": self._resume(given)}}
        return {"project": {"internalId": "1", "run": of_run}}

    # ---- reading ----

    def _page(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = json.loads(given.get("filters") or "{}")
        matching = [
            run
            for run in self.runs.values()
            if run.group == wanted.get("group", run.group) and run.name == wanted.get("name", run.name)
        ]
        start = int(given.get("cursor") or 0)
        edges = [
            {"node": run.node(), "cursor": str(start + number + 1)}
            for number, run in enumerate(matching[start : start + self.per_page])
        ]
        end = start + len(edges)
        info = {"endCursor": str(end) if edges else None, "hasNextPage": end < len(matching)}
        return {
            "internalId": "1",
            "runCount": len(matching),
            "readOnly": False,
            "runs": {"edges": edges, "pageInfo": info},
        }

    def _history(self, run: Run, given: dict[str, Any]) -> list[str]:
        """Rows of some steps: every second one, third one, … where more are there than were asked for."""
        rows = [row for row in run.rows if given["minStep"] <= row["_step"] < given["maxStep"]]
        every = -(-len(rows) // min(given["pageSize"], self.most_samples)) if rows else 1
        return [json.dumps(row) for row in rows[::every]]

    # ---- writing ----

    def _upsert(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name") or given.get("id")
        is_new = name not in self.runs
        run = self.runs.setdefault(name, Run(name=name, state="running"))
        for ours, theirs in (
            ("displayName", "displayName"),
            ("group", "groupName"),
            ("jobType", "jobType"),
            ("notes", "notes"),
            ("tags", "tags"),
        ):
            if given.get(theirs) is not None:
                setattr(run, ours, given[theirs])
        if given.get("config"):
            run.config |= {key: one["value"] for key, one in json.loads(given["config"]).items() if key != "_wandb"}
        project = {"id": "p", "name": given.get("project") or "digits", "entity": {"id": "e", "name": "lab"}}
        bucket = {
            "id": f"id-{name}",
            "name": name,
            "displayName": run.displayName,
            "description": "",
            "config": "{}",
            "sweepName": None,
            "project": project,
            "historyLineCount": len(run.rows),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}

    def _resume(self, given: dict[str, Any]) -> dict[str, Any] | None:
        run = self.runs.get(str(given.get("name")))
        if run is None:
            return None
        tail = [json.dumps(row) for row in run.rows[-1:]]
        return {
            "id": f"id-{run.name}",
            "name": run.name,
            "summaryMetrics": json.dumps(run.summary),
            "displayName": run.displayName,
            "logLineCount": 0,
            "historyLineCount": len(run.rows),
            "eventsLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": json.dumps({key: {"value": value} for key, value in run.config.items()}),
            "tags": run.tags,
            "wandbConfig": json.dumps({"t": 1}),
        }

    def _uploads(self, given: dict[str, Any]) -> dict[str, Any]:
        files = [
            {"name": name, "uploadUrl": f"{self.url}/upload/{given['run']}/{name}"} for name in given.get("files") or []
        ]
        return {"runID": given["run"], "uploadHeaders": [], "files": files}

    def stream(self, name: str, said: dict[str, Any]) -> None:
        """Lines of files, each with the number of the first, and the end of a run."""
        run = self.runs[name]
        for file, part in (said.get("files") or {}).items():
            lines = [json.loads(line) for line in part["content"]] if file.endswith((".jsonl", ".json")) else []
            if file == "wandb-history.jsonl":
                del run.rows[part["offset"] :]
                run.rows += lines
            elif file == "wandb-summary.json":
                run.summary = lines[-1]
        if said.get("complete"):
            run.exit_code = said.get("exitcode", 0)
            run.state = {0: "finished", 255: "killed"}.get(run.exit_code or 0, "failed")


@contextmanager
def serve(server: WandbServer) -> Iterator[WandbServer]:
    """Let it answer for as long as this lasts."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self._content()
            if server.busy:
                status = server.busy.pop(0)
                return self._send(status, b"{}", [("Retry-After", server.retry_after)])
            given = json.loads(content or b"{}")
            if "Basic" not in (self.headers["Authorization"] or "") or not self._has_key():
                return self._send(401, json.dumps({"errors": [{"message": "invalid API key"}]}).encode())
            if self.path.startswith("/files/"):
                server.stream(self.path.split("/")[4], given)
                return self._send(200, b"{}")
            found = _OPERATION.search(given.get("query") or "")
            operation, variables = found[1] if found else "", given.get("variables") or {}
            server.asked.append((operation, variables))
            return self._send(200, json.dumps({"data": server.answer(operation, variables)}).encode())

        def do_PUT(self) -> None:
            content, (_, _, run, *path) = self._content(), self.path.split("/")
            server.runs[run].files["/".join(path)] = content
            self._send(200, b"")

        def do_GET(self) -> None:
            self._send(404, b"{}")

        def _has_key(self) -> bool:
            import base64

            words = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
            return words == f"api:{KEY}"

        def _content(self) -> bytes:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            return gzip.decompress(content) if self.headers["Content-Encoding"] == "gzip" else content

        def _send(self, status: int, content: bytes, headers: list[tuple[str, str]] | None = None) -> None:
            self.send_response(status)
            for name, text in [("Content-Type", "application/json"), *(headers or [])]:
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output to themselves."""

    return Handler

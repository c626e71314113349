"""What a plain request decides about a tracking server, and what it leaves to MLflow's own client."""

from __future__ import annotations

import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rothamsted.errors import StoreError
from rothamsted.tracking import check_reachable
from rothamsted.tracking.failures import StoreAwayError
from rothamsted.tracking.plain_answer import PlainAnswer, plain_answer

JSON, HTML = "application/json", "text/html; charset=utf-8"


class Told(ThreadingHTTPServer):
    """A server that answers as it is told, and keeps what it was asked."""

    status, content_type, location = 200, JSON, ""
    asked: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Told)
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.content_type)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Told]:
    told = Told(("127.0.0.1", 0), Handler)
    told.asked = []
    threading.Thread(target=told.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        told.shutdown()
        told.server_close()


@pytest.fixture
def server() -> Iterator[Told]:
    with serving() as told:
        yield told


def uri_of(server: Told, user: str = "") -> str:
    return f"http://{user}127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("status", "content_type", "kind", "said"),
    [
        (401, HTML, StoreError, "refused (HTTP 401); set MLFLOW_TRACKING_USERNAME"),
        (403, HTML, StoreError, "refused (HTTP 403)"),
        (404, HTML, StoreError, "answers HTTP 404, not as an MLflow server does"),
        (200, HTML, StoreError, "answers HTTP 200, not as an MLflow server does"),
        (429, JSON, StoreAwayError, "answers HTTP 429; is the server behind it running"),
        (502, HTML, StoreAwayError, "answers HTTP 502; is the server behind it running"),
    ],
)
def test_what_a_server_refuses_is_one_line_and_mlflow_is_not_imported(
    server: Told, status: int, content_type: str, kind: type[StoreError], said: str
) -> None:
    server.status, server.content_type = status, content_type
    with pytest.raises(kind) as refused:
        check_reachable(uri_of(server))
    assert said in str(refused.value)
    program = (
        "import sys\nfrom rothamsted.errors import StoreError\nfrom rothamsted.tracking import check_reachable\n"
        f"try: check_reachable({uri_of(server)!r})\nexcept StoreError: print('mlflow' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


def test_user_and_password_or_token_are_sent_as_mlflow_sends_them(
    server: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(uri: str) -> str | None:
        assert plain_answer(uri, "/x?a=1", seconds=5) == PlainAnswer(status=200, content_type=JSON)
        path, authorization = server.asked.pop()
        assert path == "/x?a=1"
        return authorization

    def basic(text: str) -> str:
        return f"Basic {b64encode(text.encode()).decode()}"

    assert asked(uri_of(server)) is None
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    assert asked(f"{uri_of(server)}/") == "Bearer t0ken"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "lab")
    assert asked(uri_of(server)) == "Bearer t0ken"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p:w")
    assert asked(uri_of(server)) == basic("lab:p:w")
    assert asked(uri_of(server, "me:a%40b@")) == basic("me:a@b")


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_AWS_SIGV4"])
def test_settings_that_change_what_mlflow_sends_leave_the_question_to_mlflow(
    server: Told, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "true")
    assert plain_answer(uri_of(server), "/x", seconds=5) is None
    assert server.asked == []


def test_a_connection_that_speaks_no_http_is_left_to_mlflow_and_a_closed_port_is_not(server: Told) -> None:
    assert plain_answer(uri_of(server).replace("http:", "https:"), "/x", seconds=5) is None
    address = uri_of(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionRefusedError):
        plain_answer(address, "/x", seconds=5)


def test_a_password_does_not_follow_a_redirection_to_another_host(server: Told) -> None:
    with serving() as other:
        server.status, server.location = 302, f"{uri_of(other)}/login"
        assert plain_answer(uri_of(server, "lab:secret@"), "/x", seconds=5) is None
        assert len(server.asked) == 1
        assert other.asked == []

"""Ask a tracking server by a plain HTTP request: MLflow's own client takes a second to import.

Only what is certain is taken from it. Where MLflow would send more than a user and a password, or a token, or where
the connection fails in a way that its settings could mend (certificates), nobody can say, and MLflow is asked.
"""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from socket import gaierror
from urllib.parse import SplitResult, unquote, urlsplit

_CERTAIN = (ConnectionRefusedError, TimeoutError, gaierror)
_OTHER_WAYS = (
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_WORKSPACE",
)  # of MLflow's settings that change what it sends
_CREDENTIALS = Path("~/.mlflow/credentials")


@dataclass(frozen=True, kw_only=True)
class PlainAnswer:
    """Holds an answer of a server.

    Attributes:
        status: of HTTP.
        content_type: of what it sent; empty where it said none.
    """

    status: int
    content_type: str


def plain_answer(uri: str, path: str, *, seconds: float) -> PlainAnswer | None:
    """Return what a server answers to a GET; None: MLflow has to be asked.

    Args:
        uri: of the server.
        path: what is asked for, `/api/2.0/...`.
        seconds: to wait for.

    Raises:
        OSError: nobody listens there, or nobody answers in time.
    """
    if _is_special():
        return None
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stays(HTTPRedirectHandler):
        """Follows no redirection: Python would send the password to the other host, too."""

        def redirect_request(self, *_: object) -> None:
            return None

    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    address = parts._replace(netloc=host, path=parts.path.rstrip("/") + path).geturl()
    try:
        request = Request(address, headers=_authorization(parts))
        with build_opener(Stays).open(request, timeout=seconds) as response:
            return PlainAnswer(status=response.status, content_type=response.headers.get("content-type", ""))
    except HTTPError as error:
        if 300 <= error.code < 400:
            return None
        return PlainAnswer(status=error.code, content_type=error.headers.get("content-type", ""))
    except URLError as error:
        reason = error.reason
    except (HTTPException, ValueError, OSError) as error:
        reason = error
    if isinstance(reason, _CERTAIN):
        raise reason  # by itself: the message ends with the first cause
    return None


def _is_special() -> bool:
    """Whether MLflow would send what this does not."""
    is_set = any(os.environ.get(name) for name in _OTHER_WAYS)
    return is_set or _CREDENTIALS.expanduser().exists() or bool(entry_points(group="mlflow.request_header_provider"))


def _authorization(parts: SplitResult) -> dict[str, str]:
    """The header of a user and a password, of the address or of the environment, or of a token."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
    if user and password is not None:
        return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}

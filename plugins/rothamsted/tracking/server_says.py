"""Pass on a tracking server's `Retry-After`, which MLflow's client obeys silently or forgets.

Within one call the client sleeps as long as the server says. When it gives up, the header is lost. So urllib3 hands the
header over at once, and `Retrying` waits.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

_NOT_TWICE = "/runs/create"  # a second request would make a second run: whoever asks looks for the first one

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool


class _AskedToWaitError(MaxRetryError):
    """A server that says when to ask again."""

    asked_seconds: float | None = None  # see `failures.asked_seconds`


class _PassingOn(Retry):
    """MLflow's retries, but for answers that say when to ask again, and for runs to be made: those are handed over."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> _PassingOn:
        """See `Retry.increment`."""
        seconds = None if response is None else self.get_retry_after(response)
        if _pool is None or url is None or (seconds is None and not url.endswith(_NOT_TWICE)):
            return super().increment(method, url, response, error, _pool, _stacktrace)
        reason = error or ResponseError("no answer" if response is None else f"HTTP {response.status}")
        if seconds is None:
            raise MaxRetryError(_pool, url, reason) from reason
        asked = _AskedToWaitError(_pool, url, reason)
        asked.asked_seconds = seconds
        raise asked from reason


def listen_to(uri: str) -> None:
    """Have MLflow's calls to a server hand over its `Retry-After`; other stores have none."""
    if not uri.startswith(("http://", "https://")):
        return
    session = _session_of_mlflow()
    for adapter in session.adapters.values():
        old = adapter.max_retries
        if not isinstance(old, _PassingOn):
            adapter.max_retries = _PassingOn(
                total=old.total,
                connect=old.connect,
                read=old.read,
                redirect=old.redirect,
                status=old.status,
                status_forcelist=old.status_forcelist,
                allowed_methods=old.allowed_methods,
                backoff_factor=old.backoff_factor,
                backoff_jitter=old.backoff_jitter,
                raise_on_status=old.raise_on_status,
            )


def _session_of_mlflow() -> Any:
    """The session of this process for all calls with the usual settings: MLflow keeps one for each set of settings."""
    from mlflow import environment_variables as of_mlflow
    from mlflow.utils import request_utils

    return request_utils._get_request_session(
        of_mlflow.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get(),
        of_mlflow.MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.get(),
        of_mlflow.MLFLOW_HTTP_REQUEST_BACKOFF_JITTER.get(),
        request_utils._TRANSIENT_FAILURE_RESPONSE_CODES,
        True,  # raise_on_status
        of_mlflow.MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER.get(),
    )

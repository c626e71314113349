"""Turn an error of MLflow, SQLAlchemy or a database driver into one line, and say whether trying again may help."""

from __future__ import annotations

import sys
from typing import Any

from rothamsted.errors import StoreError
from rothamsted.masking import masked

_LONGEST = 300
_FIRST_SERVER_ERROR = 500  # HTTP: below it, asking again gives the same answer
_TOO_MANY = 429  # HTTP: requests, for now
_REFUSED = {  # HTTP: what a server that asks for a password says, and the way out
    401: "the server does not know this user (HTTP 401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    403: "the server does not permit this user to do that (HTTP 403); ask its administrator for the permission EDIT, "
    "or name an experiment of your own by MLFLOW_EXPERIMENT_NAME",
}


class StoreAwayError(StoreError):
    """Says that a store is locked, restarting, full or cut off: trying again later may help.

    Attributes:
        asked_seconds: Seconds after which its server wants to be asked again; None if it does not say.
    """

    asked_seconds: float | None = None


def store_error(what: str, error: BaseException) -> StoreError:
    """Return the error to be raised for one of MLflow, SQLAlchemy or a driver: `StoreAwayError` where waiting may help.

    Args:
        what: Place and deed: "sqlite:///mlflow.db: cannot write".
        error: What was raised.
    """
    is_call = is_of_mlflow(error) and str(error).startswith("API request to")  # with its address, pool and counts
    why = _REFUSED.get(error.get_http_status_code()) if is_of_mlflow(error) else None  # pyright: ignore[reportAttributeAccessIssue]
    why = why or (last_cause(error) if is_call else one_line(error))
    if is_away(error):
        away = StoreAwayError(f"{what}: {why}")
        away.asked_seconds = asked_seconds(error)
        return away
    return StoreError(f"{what}: {why}")


def is_away(error: BaseException) -> bool:
    """Say whether the store may answer later: it is locked, restarting, full, cut off, or its server says 5xx."""
    if is_of_mlflow(error):
        raised: Any = error
        return raised.get_http_status_code() >= _FIRST_SERVER_ERROR
    if is_of_requests(error):  # of artifacts, which MLflow passes through the server by itself
        answer = getattr(error, "response", None)
        return answer is None or answer.status_code >= _FIRST_SERVER_ERROR or answer.status_code == _TOO_MANY
    from sqlalchemy.exc import DBAPIError, OperationalError  # here, as a wrong name is told without SQLAlchemy
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_cut or isinstance(error, OperationalError | PoolTimeoutError)


def asked_seconds(error: BaseException) -> float | None:
    """Return after how many seconds the server wants to be asked again; None if it does not say."""
    seen: BaseException | None = error
    while seen is not None:
        for one in (seen, *seen.args):
            if (seconds := getattr(one, "asked_seconds", None)) is not None:
                return seconds
        seen = seen.__cause__ or seen.__context__
    return None


def is_of_mlflow(error: BaseException) -> bool:
    """Say whether MLflow raised it, which it cannot have done if it was never imported."""
    module = sys.modules.get("mlflow.exceptions")
    return module is not None and isinstance(error, module.MlflowException)


def is_of_requests(error: BaseException) -> bool:
    """Say whether the library by which MLflow talks to a server raised it."""
    module = sys.modules.get("requests.exceptions")
    return module is not None and isinstance(error, module.RequestException)


def one_line(error: BaseException) -> str:
    """Return what went wrong, in one line, without SQL, links or passwords."""
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    text = lines[0] if lines else type(cause).__name__
    text = text.split("[SQL:")[0].split("(Background on this error")[0].strip()
    return masked(text)[:_LONGEST]


def last_cause(error: BaseException) -> str:
    """Return the innermost reason in one line: outer ones repeat it, wrapped in pool and retry counts."""
    seen = error
    while (inner := seen.__cause__ or seen.__context__) is not None:
        seen = inner
    return one_line(seen)

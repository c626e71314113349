"""Set MLflow's switches before it is imported: no telemetry, no log lines, no long waits.

MLflow reads these switches while it is imported. A switch that the user has set stays.
"""

import logging
import os

_SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Without it every end of a run on a server asks for the run again and prints two lines.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # for one small file a bar is noise
    # A server that is gone is known after seconds, not after four minutes a request; `retrying` waits for it.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds without a byte; 120 by default
}

# Fifty lines of "Running upgrade ..." at the birth of a database tell a reader nothing.
_CHATTY_LOGGERS = ("alembic", "mlflow.store.db.utils")


def settle() -> None:
    """Set the switches and quieten the loggers; calling it again changes nothing."""
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    if "MLFLOW_LOGGING_LEVEL" in os.environ:
        return
    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


settle()

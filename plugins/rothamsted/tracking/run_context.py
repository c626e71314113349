"""Make the tags that MLflow gives each new run by itself: who made it, and which program."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

_CREDENTIALS = Path("~/.mlflow/credentials")


def context_tags() -> dict[str, str]:
    """Return `mlflow.user` and `mlflow.source.name` and `.type`, as MLflow's default context has them.

    MLflow, which takes a second to import, is used only if a user name may have been set for it.
    """
    if os.environ.get("MLFLOW_TRACKING_USERNAME") or _CREDENTIALS.expanduser().exists():
        from mlflow.tracking.context.default_context import DefaultRunContext

        return DefaultRunContext().tags()
    try:
        user = getpass.getuser()
    except ImportError:
        user = "unknown"
    program = sys.argv[0] if sys.argv and sys.argv[0] else "<console>"
    return {"mlflow.user": user, "mlflow.source.name": program, "mlflow.source.type": "LOCAL"}

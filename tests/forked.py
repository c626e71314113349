"""Processes that start at once: forked from a server that has imported the engine and computed nothing.

A fresh interpreter imports MLflow for seconds. The server is a process of its own, so that nothing of the test
process (threads, connections, what JAX has set up) is in the children.
"""

from __future__ import annotations

import multiprocessing

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "mlflow.store.tracking.sqlalchemy_store",
        "optuna_dashboard",
        "psutil",
        "pytest",
        "rothamsted.sweeping.open.start",
        "rothamsted.sweeping.worker.work",
    ]
)

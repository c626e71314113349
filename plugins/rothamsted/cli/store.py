"""The tracking store that a command reads: MLflow's own choice, asked whether anybody answers there."""

from __future__ import annotations

from rothamsted import tracking


def open_store() -> str:
    """The tracking URI, after a look whether anybody answers there."""
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    return uri

"""Read tags of runs that hold JSON. Tags can be changed by anybody, so they are checked."""

from __future__ import annotations

from typing import Any

from rothamsted.errors import StoreError
from rothamsted.given_files import json_of
from rothamsted.tracking import FoundRun


def json_tag(run: FoundRun, key: str) -> dict[str, Any]:
    """Return the object that a tag holds; empty if there is no such tag.

    Raises:
        StoreError: it holds something else.
    """
    way_out = "put it back, or delete the run"
    return json_of(
        run.tags.get(key, "{}"), dict, source=f"run {run.run_id}: tag {key}", way_out=way_out, error=StoreError
    )

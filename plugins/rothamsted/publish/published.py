"""Record what was published of a finished sweep, so that the same command given again writes nothing.

The record is a file on the sweep's run. It is invalid if a report or a table was rewritten or deleted.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from rothamsted import tracking
from rothamsted.analysis.values import Analysis
from rothamsted.errors import DataError
from rothamsted.given_files import json_of, reading
from rothamsted.reporting.next_steps import NextStep, next_steps
from rothamsted.tracking import Recorder

REPORT = "report/report.html"
PUBLISHED = "sweep/published.json"
_CONDITIONS = "statistics/conditions.csv"  # every digit of it rests on the settings of the analysis


@dataclass(frozen=True, kw_only=True)
class Published:
    """Holds a result as it lies on the sweep's run.

    Attributes:
        has_report: with a report.
        steps: what to do next, as the report says it; empty without one.
    """

    has_report: bool
    steps: tuple[NextStep, ...] = ()


def write_published(run_id: str, of: str, whole: Analysis | None, *, uri: str) -> None:
    """Say on a sweep's run of what its result was published, which lies there.

    Args:
        run_id: Of the sweep's run.
        of: A digest of all that the result rests on.
        whole: What the report shows; None: there is no report.
        uri: Tracking URI.
    """
    paths = [_CONDITIONS, *([REPORT] if whole is not None else [])]
    steps = [] if whole is None else [asdict(step) for step in next_steps(whole)]
    kept = {"of": of, "files": {path: _digest(run_id, path, uri) for path in paths}, "next": steps}
    with tracking.open_recorder(uri) as recorder:
        recorder.log_text(run_id, json.dumps(kept, indent=2) + "\n", PUBLISHED)


def read_published(run_id: str, of: str, *, uri: str) -> Published | None:
    """Return what was published on a sweep's run for this digest; None: of another digest, or incomplete."""
    kept = _kept(run_id, uri)
    with suppress(DataError), reading(PUBLISHED, way_out=""):  # a damaged one is none: the result is published again
        if kept.get("of") == of and all(_digest(run_id, path, uri) == one for path, one in kept["files"].items()):
            steps = [NextStep(words=str(step["words"]), lines=tuple(map(str, step["lines"]))) for step in kept["next"]]
            return Published(has_report=REPORT in kept["files"], steps=tuple(steps))
    return None


def say_page_is_new(recorder: Recorder, run_id: str, *, uri: str, was: str) -> None:
    """Record a report with one more verdict as the published one, if the page before was published.

    Args:
        recorder: Of the tracking store.
        run_id: Of the sweep's run.
        uri: Tracking URI.
        was: The page before.
    """
    kept = _kept(run_id, uri)
    if isinstance(kept.get("files"), dict) and kept["files"].get(REPORT) == _hash(was.encode()):
        kept["files"][REPORT] = _digest(run_id, REPORT, uri)
        recorder.log_text(run_id, json.dumps(kept, indent=2) + "\n", PUBLISHED)


def _kept(run_id: str, uri: str) -> dict[str, Any]:
    text = tracking.read_bytes(run_id, PUBLISHED, uri=uri)
    with suppress(DataError):
        return json_of(text or b"{}", dict, source=PUBLISHED, way_out="")
    return {}


def _digest(run_id: str, path: str, uri: str) -> str:
    found = tracking.read_bytes(run_id, path, uri=uri)
    return "" if found is None else _hash(found)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Check that a tracking store can hold a value, when it is logged.

A wrong value must be refused before it is buffered: later it would make a whole transaction with other runs' results
fail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.recordable import MAX_PARAM, MAX_STEP, MAX_TAG, name_fault, text_fault
from rothamsted.records import MetricPoint

MAX_RUN_NAME_LENGTH = 250  # column runs.name of MLflow's schema
LARGEST_FLOAT = 1.7976931348623157e308  # MLflow stores infinity as this, in either sign


def checked_key(kind: str, key: str) -> str:
    """Return `key` if MLflow takes it as the name of a `kind` (metric, param, tag)."""
    complaint = _name_complaint(key)
    if complaint:
        raise StoreError(f"{kind} {key!r}: {complaint}")
    return key


def checked_metric(point: MetricPoint) -> MetricPoint:
    """Return `point` in plain Python numbers; a bool, text or number out of int64 is refused."""
    key, value, timestamp_ms, step = point
    complaint = _name_complaint(key)
    if complaint:
        raise StoreError(f"metric {key!r}: {complaint}")
    if type(value) is not float:
        value = _as_float(key, value)
    if type(step) is not int or type(timestamp_ms) is not int:
        step, timestamp_ms = _as_int(key, "step", step), _as_int(key, "timestamp_ms", timestamp_ms)
    if not (-MAX_STEP <= step < MAX_STEP and 0 <= timestamp_ms < MAX_STEP):
        raise StoreError(
            f"metric {key!r}: step {step} or timestamp {timestamp_ms} is out of range; "
            "give a 64-bit step and milliseconds since 1970"
        )
    return MetricPoint(key, value, timestamp_ms, step)


def checked_param(key: str, value: Any) -> str:
    """Return the text that MLflow keeps for the value of a param."""
    return _checked_text("param", key, value)


def checked_tag(key: str, value: Any) -> str:
    """Return the text that MLflow keeps for the value of a tag: without the secrets of addresses."""
    return _checked_text("tag", key, masked(value) if isinstance(value, str) else value)


def checked_run_name(name: str) -> str:
    """Return the name of a run if it has 1 to 250 characters."""
    if not name or len(name) > MAX_RUN_NAME_LENGTH:
        raise StoreError(f"run name {name[:40]!r}: has {len(name)} characters, must have 1 to {MAX_RUN_NAME_LENGTH}")
    if fault := text_fault(name):
        raise StoreError(f"run name {name[:40]!a}: {fault}; remove it")
    return name


def opening_tags(
    context: Mapping[str, str], name: str, parent_id: str | None, tags: Mapping[str, Any]
) -> dict[str, str]:
    """Return all tags that a new run gets, checked: MLflow's context, then the caller's, name and parent."""
    texts = {key: checked_tag(key, value) for key, value in {**context, **tags}.items()}
    if texts.get("mlflow.runName", name) != name:
        raise StoreError(f"run {name!r}: tag mlflow.runName says {texts['mlflow.runName']!r}; give one name")
    texts["mlflow.runName"] = checked_run_name(name)
    if parent_id is not None:
        texts["mlflow.parentRunId"] = checked_tag("mlflow.parentRunId", parent_id)
    return texts


def stored(value: float) -> tuple[bool, float]:
    """Return (is_nan, number) as MLflow's SQL store keeps it: NaN as 0, infinity as the largest float."""
    if math.isfinite(value):
        return False, value
    if value != value:
        return True, 0.0
    return False, math.copysign(LARGEST_FLOAT, value)


def restored(value: float) -> float:
    """Undo what MLflow does to infinity when it stores it; NaN comes back by itself."""
    return math.copysign(math.inf, value) if abs(value) == LARGEST_FLOAT else value


@lru_cache(maxsize=8192)
def _name_complaint(key: Any) -> str:
    """Say what is wrong with a name; MLflow has one rule for metrics, params and tags."""
    return name_fault(key) if isinstance(key, str) else "a name must be text"


def _as_float(key: str, value: Any) -> float:
    try:
        if not isinstance(value, (bool, str, bytes)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise StoreError(f"metric {key!r}: {value!r} is not a number; log it as a tag or a param")


def _as_int(key: str, part: str, value: Any) -> int:
    try:
        if not isinstance(value, (bool, str, bytes)) and value == int(value):
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise StoreError(f"metric {key!r}: {part} is {value!r}, must be a whole number")


def _checked_text(kind: str, key: str, value: Any) -> str:
    checked_key(kind, key)
    text = value if isinstance(value, str) else str(value)
    if fault := text_fault(text, most=MAX_PARAM if kind == "param" else MAX_TAG):
        raise StoreError(f"{kind} {key!r}: {fault}; remove it, or log it as an artifact (log_text)")
    return text

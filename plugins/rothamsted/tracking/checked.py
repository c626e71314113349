"""What a tracking store can hold: the checks at the door of every recorder.

Apart, because a value that is refused must be refused when it is logged, by both recorders alike: once it
lies in a buffer it would fail a whole transaction of other runs' results.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.records import MetricPoint
from rothamsted.tracking.failures import is_of_mlflow

MAX_RUN_NAME_LENGTH = 250  # column runs.name of MLflow's schema
LARGEST_FLOAT = 1.7976931348623157e308  # MLflow stores infinity as this, in either sign
_INT64 = 2**63
# What every MLflow takes is taken without asking it: importing MLflow takes a second.
_SURE_NAME = re.compile(r"(?!.*\.\.?(?:/|$))[A-Za-z0-9_](?:[A-Za-z0-9_. -]|/(?![/ ]|$)){0,99}")
_SURE_LENGTH = 5000  # of a value: MLflow 3 keeps 6,000 characters of a param and 8,000 of a tag


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
    if not (-_INT64 <= step < _INT64 and 0 <= timestamp_ms < _INT64):
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
    _check_encodable("run name", name[:40], name)
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
def _name_complaint(key: str) -> str | None:
    """Say what is wrong with a name; MLflow has one rule for metrics, params and tags."""
    if isinstance(key, str) and _SURE_NAME.fullmatch(key):
        return None
    from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, _validate_metric_name

    try:
        _validate_metric_name(key)
    except Exception as error:
        if not isinstance(error, TypeError) and not is_of_mlflow(error):
            raise
        return f"MLflow refuses the name: {' '.join(str(error).split())}"
    if len(key) > MAX_ENTITY_KEY_LENGTH:
        return f"the name has {len(key)} characters, at most {MAX_ENTITY_KEY_LENGTH} are allowed"
    return None


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
    if len(text) > _SURE_LENGTH and len(text) > (limit := _longest(kind)):
        raise StoreError(
            f"{kind} {key!r}: its value has {len(text)} characters, MLflow keeps at most {limit}; "
            "log it as an artifact (log_text)"
        )
    _check_encodable(kind, key, text)
    return text


def _longest(kind: str) -> int:
    from mlflow.utils import validation

    return validation.MAX_PARAM_VAL_LENGTH if kind == "param" else validation.MAX_TAG_VAL_LENGTH


def _check_encodable(kind: str, key: str, text: str) -> None:
    """Refuse what some database cannot hold: PostgreSQL no NUL, none of them a lone surrogate."""
    try:
        if "\x00" not in text and (text.isascii() or text.encode()):
            return
    except UnicodeEncodeError:
        pass
    raise StoreError(f"{kind} {key!r}: holds a NUL or a broken character; remove it or log it as an artifact")

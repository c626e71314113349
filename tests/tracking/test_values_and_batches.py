"""Properties of the checks at the door and of cutting a run into requests."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import (
    MAX_BATCH_LOG_REQUEST_SIZE,
    _validate_batch_log_limits,
    _validate_metric_name,
)

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.records import MetricPoint
from rothamsted.tracking.batch import Batch
from rothamsted.tracking.checked import LARGEST_FLOAT, checked_metric, restored, stored
from rothamsted.tracking.client_writer import batches
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.sql.rows import rows_of


@given(st.integers(0, 2300), st.integers(0, 320), st.integers(0, 320), st.integers(0, 6000))
def test_batches_keep_within_mlflows_limits_and_lose_nothing(
    n_metrics: int, n_params: int, n_tags: int, length: int
) -> None:
    # Authority: MLflow's own check of a batch, and its limit for the body of a request.
    points = [MetricPoint("m", 0.5, 0, step) for step in range(n_metrics)]
    params = {f"p{index}": "ü" * length for index in range(n_params)}
    tags = {f"t{index}": "v" for index in range(n_tags)}
    cut = list(batches(points, params, tags))
    for batch in cut:
        _validate_batch_log_limits(batch["metrics"], batch["params"], batch["tags"])
        body = json.dumps({kind: [dict(item) for item in items] for kind, items in batch.items()})
        assert len(body) <= MAX_BATCH_LOG_REQUEST_SIZE
    assert [metric.step for batch in cut for metric in batch["metrics"]] == list(range(n_metrics))
    assert {param.key: param.value for batch in cut for param in batch["params"]} == params
    assert {tag.key: tag.value for batch in cut for tag in batch["tags"]} == tags


@given(st.floats(allow_nan=False))
def test_a_stored_value_comes_back(value: float) -> None:
    is_nan, number = stored(value)
    # The largest float itself is what MLflow stores for infinity, so it comes back as infinity.
    expected = math.copysign(math.inf, value) if abs(value) >= LARGEST_FLOAT else value
    assert (is_nan, math.isfinite(number), restored(number)) == (False, True, expected)


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
def test_a_point_in_range_is_taken_as_it_is(step: int, value: float) -> None:
    point = MetricPoint("loss", value, 7, step)
    assert checked_metric(point) == point


@given(st.text(min_size=1, max_size=20))
def test_a_name_is_taken_or_refused_by_store_error(name: str) -> None:
    try:
        _validate_metric_name(name)
        is_good = True
    except MlflowException:
        is_good = False
    try:
        checked_metric(MetricPoint(name, 1.0, 0, 0))
        is_taken = True
    except StoreError:
        is_taken = False
    assert is_taken == is_good  # authority: MLflow's own rule


def test_numpy_numbers_become_plain_ones() -> None:
    point = checked_metric(MetricPoint("m", np.float32(0.5), np.int64(1), np.int32(2)))  # type: ignore[arg-type]
    assert [type(part) for part in point] == [str, float, int, int]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-9, 9), st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_the_latest_point_has_the_greatest_step_then_time_then_value(
    points: list[tuple[str, float, int, int]],
) -> None:
    batch = Batch()
    batch.add("run", metrics=[MetricPoint(*point) for point in points])
    latest = {row["key"]: (row["step"], row["timestamp"], row["value"]) for row in rows_of(batch, {}).get("latest", [])}
    expected = {
        key: max((step, time, value) for other, value, time, step in points if other == key)
        for key in {point[0] for point in points}
    }
    assert latest == expected


def test_a_password_is_starred_out_of_a_uri() -> None:
    assert masked("postgresql://me:p%40ss@host/db") == "postgresql://me:***@host/db"


@pytest.mark.parametrize("text", ["first line\n[SQL: SELECT 1]\nmore", "first line [SQL: SELECT 1]"])
def test_an_error_is_told_in_its_first_line_without_sql(text: str) -> None:
    assert one_line(ValueError(text)) == "first line"

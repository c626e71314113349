"""Read metric curves of many runs as arrays, with one value for each step.

Ten thousand runs with their curves fit into memory. `read_history` keeps every logged point as an object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np

from rothamsted.tracking.address import tracking_uri
from rothamsted.tracking.reader import read_history
from rothamsted.tracking.sql.logged import Row, logged_points
from rothamsted.tracking.sql.schema import why_not_sql


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Holds one metric of one run, with one point for each step."""

    steps: np.ndarray  # (point,) int64, rising
    values: np.ndarray  # (point,) float64; of several points at one step the latest
    times_ms: np.ndarray  # (point,) int64, milliseconds since 1970


def read_curves(
    run_ids: Collection[str], keys: Collection[str] | None = None, *, uri: str | None = None
) -> dict[str, dict[str, Curve]]:
    """Return the curves of runs: run -> metric -> curve.

    Args:
        run_ids: Ids of runs; each is a key of the answer. A metric that a run never logged is left out.
        keys: Metrics to read; None for all.
        uri: Tracking URI; MLflow's own by default.
    """
    uri = uri or tracking_uri()
    read = _rows_from_client if why_not_sql(uri) else _rows_from_sql
    curves: dict[str, dict[str, Curve]] = {run_id: {} for run_id in run_ids}
    for (run_id, key), rows in groupby(read(uri, list(curves), keys), key=itemgetter(0, 1)):
        curves[run_id][key] = _curve(list(rows))
    return curves


def _curve(rows: list[Row]) -> Curve:
    """Rows of one run and key in the order of step, time and value; the last of each step counts."""
    steps = np.fromiter((row[2] for row in rows), dtype=np.int64, count=len(rows))
    last = np.append(steps[1:] != steps[:-1], True)
    times = np.fromiter((row[3] for row in rows), dtype=np.int64, count=len(rows))
    values = np.fromiter((row[4] for row in rows), dtype=np.float64, count=len(rows))
    return Curve(steps=steps[last], values=values[last], times_ms=times[last])


def _rows_from_sql(uri: str, run_ids: list[str], keys: Collection[str] | None) -> Iterator[Row]:
    for rows in logged_points(uri, run_ids, keys):
        yield from sorted(rows)  # in Python: text sorts alike on every database


def _rows_from_client(uri: str, run_ids: list[str], keys: Collection[str] | None) -> Iterator[Row]:
    for run_id, points in read_history(run_ids, keys, uri=uri).items():
        yield from sorted((run_id, p.key, p.step, p.timestamp_ms, p.value) for p in points)

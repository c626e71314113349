"""Read runs of sweeps, doubled points and latest values from MLflow's tables, and repair them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from rothamsted import tags as names
from rothamsted.tracking.checked import restored
from rothamsted.tracking.sql.statements import LATEST, METRICS, RUNS, TAGS
from rothamsted.tracking.sql.store import begin, prepare_connection, sql_engine

PARENT = "mlflow.parentRunId"
TAGS_READ = (
    *(names.ROLE, names.SWEEP, names.TRIAL, names.REPLICATE, names.SEED, names.PHASE, names.OUTCOME),
    *(names.MODEL, names.STAGE_OF, names.CONTINUES, PARENT),
    *("rothamsted.best_trial", "rothamsted.analysis"),
)
METRICS_READ = ("objective%", "best_in_search%", "confirmed/%", "luck")
_A_QUERY = 1000  # runs; SQLite takes 32,766 parameters in one statement
_MODELS = sa.table("logged_models", sa.column("model_id", sa.String), sa.column("lifecycle_stage", sa.String))


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Holds a run of a sweep as it stands.

    Attributes:
        run_id, name, status, end_ms: as MLflow has them.
        is_deleted: marked so; it can be restored.
        artifact_uri: where its artifacts lie; empty: not asked.
        tags: of `TAGS_READ`.
        metrics: the latest values of what conditions are compared by.
    """

    run_id: str
    name: str
    status: str
    is_deleted: bool
    end_ms: int | None
    artifact_uri: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def role(self) -> str:
        """Return its role in its sweep."""
        return self.tags.get(names.ROLE, "")

    @property
    def parent_id(self) -> str:
        """Return the id of the run above it; empty: none."""
        return self.tags.get(PARENT, "")


class DoubledPoint(NamedTuple):
    """Names a metric that has several points at one step of a run."""

    run_id: str
    key: str
    step: int
    is_equal: bool  # all of them have one value


def is_read(key: str) -> bool:
    """Say whether a metric is one of `METRICS_READ`."""
    return any(key == one or (one.endswith("%") and key.startswith(one[:-1])) for one in METRICS_READ)


def read_runs(uri: str) -> tuple[dict[str, RunFacts], frozenset[str], frozenset[str]]:
    """Read the runs with the tag of a sweep, the ids of all other runs, and those of all logged models."""
    of_sweep = sa.select(TAGS.c.run_uuid).where(TAGS.c.key == names.SWEEP)
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        c = RUNS.c
        rows = connection.execute(
            sa.select(c.run_uuid, c.name, c.status, c.lifecycle_stage, c.end_time, c.artifact_uri)
        ).all()
        tags: dict[str, dict[str, str]] = {}
        query = sa.select(TAGS.c.run_uuid, TAGS.c.key, TAGS.c.value).where(TAGS.c.key.in_(TAGS_READ))
        for run_id, key, value in connection.execute(query.where(TAGS.c.run_uuid.in_(of_sweep))):
            tags.setdefault(run_id, {})[key] = value
        metrics: dict[str, dict[str, float]] = {}
        is_wanted = sa.or_(*(LATEST.c.key.like(one) for one in METRICS_READ))
        latest = sa.select(LATEST.c.run_uuid, LATEST.c.key, LATEST.c.value, LATEST.c.is_nan).where(is_wanted)
        for run_id, key, value, is_nan in connection.execute(latest):
            metrics.setdefault(run_id, {})[key] = float("nan") if is_nan else restored(value)
        models = frozenset(connection.execute(sa.select(_MODELS.c.model_id)).scalars())
    found = {
        run_id: RunFacts(
            run_id=run_id,
            name=name or "",
            status=status,
            is_deleted=stage != "active",
            end_ms=end_ms,
            artifact_uri=place or "",
            tags=tags[run_id],
            metrics=metrics.get(run_id, {}),
        )
        for run_id, name, status, stage, end_ms, place in rows
        if run_id in tags and names.SWEEP in tags[run_id]
    }
    return found, frozenset(row[0] for row in rows) - found.keys(), models


def doubled_points(uri: str, run_ids: Collection[str]) -> list[DoubledPoint]:
    """Find the points of these runs that stand there more than once."""
    c, found = METRICS.c, list[DoubledPoint]()
    query = (
        sa.select(c.run_uuid, c.key, c.step, sa.func.min(c.value) == sa.func.max(c.value))
        .group_by(c.run_uuid, c.key, c.step)
        .having(sa.func.count() > 1)
    )
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        for some in _portions(sorted(run_ids)):
            for run_id, key, step, is_equal in connection.execute(query.where(c.run_uuid.in_(some))):
                found.append(DoubledPoint(run_id, key, step, bool(is_equal)))
    return found


def stale_latest(uri: str, run_ids: Collection[str]) -> list[tuple[str, str]]:
    """Run and key of metrics of these runs whose latest value is not one of the points at the last step."""
    point, latest, found = METRICS.c, LATEST.c, list[tuple[str, str]]()
    last = sa.select(point.run_uuid, point.key, sa.func.max(point.step).label("step")).group_by(
        point.run_uuid, point.key
    )
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        for some in _portions(sorted(run_ids)):
            at_end = last.where(point.run_uuid.in_(some)).subquery()
            of_end = sa.and_(
                point.run_uuid == at_end.c.run_uuid, point.key == at_end.c.key, point.step == at_end.c.step
            )
            same = sa.and_(latest.run_uuid == point.run_uuid, latest.key == point.key)
            query = (
                sa.select(
                    point.run_uuid,
                    point.key,
                    sa.func.max(
                        sa.case(
                            (
                                sa.and_(
                                    latest.step == point.step,
                                    latest.value == point.value,
                                    latest.is_nan == point.is_nan,
                                ),
                                1,
                            ),
                            else_=0,
                        )
                    ),
                )
                .select_from(METRICS)
                .join(at_end, of_end)
                .outerjoin(LATEST, same)
                .group_by(point.run_uuid, point.key)
            )
            found += [(run_id, key) for run_id, key, is_there in connection.execute(query) if not is_there]
    return found


def set_deleted(uri: str, run_ids: Sequence[str], *, is_deleted: bool) -> None:
    """Mark runs deleted or active, as MLflow's own store does it."""
    stage = "deleted" if is_deleted else "active"
    at_ms = time.time_ns() // 1_000_000 if is_deleted else None
    with _writing(uri) as connection:
        for some in _portions(run_ids):
            change = sa.update(RUNS).where(RUNS.c.run_uuid.in_(some), RUNS.c.lifecycle_stage != stage)
            connection.execute(change.values(lifecycle_stage=stage, deleted_time=at_ms))
        connection.commit()


def keep_one_point(uri: str, points: Sequence[DoubledPoint]) -> None:
    """Delete all but the first of equal points."""
    c = METRICS.c
    with _writing(uri) as connection:
        for one in points:
            place = [c.run_uuid == one.run_id, c.key == one.key, c.step == one.step]
            times = connection.execute(sa.select(c.timestamp).where(*place).order_by(c.timestamp)).scalars().all()
            if one.is_equal and len(times) > 1:
                connection.execute(sa.delete(METRICS).where(*place, c.timestamp > times[0]))
        connection.commit()


def set_latest(uri: str, places: Sequence[tuple[str, str]]) -> None:
    """Make the last point of these metrics (run, key) their latest value, as MLflow orders points."""
    c = METRICS.c
    columns = [c.run_uuid, c.key, c.value, c.timestamp, c.step, c.is_nan]
    order = (c.step.desc(), c.timestamp.desc(), c.value.desc())
    with _writing(uri) as connection:
        for run_id, key in places:
            query = sa.select(*columns).where(c.run_uuid == run_id, c.key == key).order_by(*order).limit(1)
            row = connection.execute(query).mappings().first()
            connection.execute(sa.delete(LATEST).where(LATEST.c.run_uuid == run_id, LATEST.c.key == key))
            if row is not None:
                connection.execute(sa.insert(LATEST).values(dict(row)))
        connection.commit()


@contextmanager
def _writing(uri: str) -> Iterator[sa.Connection]:
    """A connection in a transaction that writes; whoever writes commits."""
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        begin(connection)
        yield connection


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _A_QUERY):
        yield ids[start : start + _A_QUERY]

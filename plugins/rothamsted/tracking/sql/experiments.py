"""Read experiments, MLflow's folders of runs, from its tables."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from rothamsted.masking import masked
from rothamsted.tracking.retrying import reading
from rothamsted.tracking.sql.statements import EXPERIMENTS
from rothamsted.tracking.sql.store import begin, prepare_connection, sql_engine

_COLUMNS = ("experiment_id", "name", "lifecycle_stage", "artifact_location")
_FORGET_TAG = sa.text("DELETE FROM experiment_tags WHERE experiment_id = :experiment_id AND key = :key")
_PUT_TAG = sa.text("INSERT INTO experiment_tags (experiment_id, key, value) VALUES (:experiment_id, :key, :value)")
_WORKSPACE = "default"  # MLflow's own while workspaces are off, and they are off where this is asked


@dataclass(frozen=True, kw_only=True)
class FoundExperiment:
    """Holds an experiment as the store has it."""

    experiment_id: str
    name: str
    lifecycle_stage: str  # active or deleted
    artifact_location: str


def experiments(uri: str, *, experiment_id: str | None = None, name: str | None = None) -> list[FoundExperiment]:
    """Return the experiments of a SQL store, deleted ones too: all, that of an id, or that of a name."""
    query: sa.Select = sa.select(*(EXPERIMENTS.c[column] for column in _COLUMNS)).where(
        EXPERIMENTS.c.workspace == _WORKSPACE
    )
    if experiment_id is not None:
        if not experiment_id.isascii() or not experiment_id.isdigit():
            return []
        query = query.where(EXPERIMENTS.c.experiment_id == int(experiment_id))
    if name is not None:
        query = query.where(EXPERIMENTS.c.name == name)

    def read() -> list[FoundExperiment]:
        with sql_engine(uri).connect() as connection:
            prepare_connection(connection)
            return [
                FoundExperiment(experiment_id=str(number), name=text, lifecycle_stage=stage, artifact_location=place)
                for number, text, stage, place in connection.execute(query).tuples()
            ]

    return reading(f"{masked(uri)}: cannot read experiments", read)


def put_experiment_tag(uri: str, experiment_id: str, key: str, value: str) -> None:
    """Set a tag of an experiment."""
    place = {"experiment_id": int(experiment_id), "key": key}

    def write() -> None:
        with sql_engine(uri).connect() as connection:
            prepare_connection(connection)
            begin(connection)
            connection.execute(_FORGET_TAG, place)
            connection.execute(_PUT_TAG, {**place, "value": value})
            connection.commit()

    reading(f"{masked(uri)}: cannot write a tag of experiment {experiment_id}", write)

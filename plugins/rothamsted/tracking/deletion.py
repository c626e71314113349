"""Find the runs of a sweep with all runs below them, and delete them for good: rows, artifacts and logged models.

In a SQL store rows are deleted as `mlflow gc` does, in a few statements. A server marks runs as deleted, and keeps
their artifacts until `mlflow gc` runs there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels.models import (
    Base,
    SqlDataset,
    SqlExperimentTag,
    SqlInput,
    SqlInputTag,
    SqlLoggedModel,
)
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from rothamsted import tags
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.experiment import SHARED_VIEW
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.reader import find_runs
from rothamsted.tracking.registry.registered import open_registry
from rothamsted.tracking.retrying import reading
from rothamsted.tracking.sql.schema import client_of, why_not_sql
from rothamsted.tracking.sql.statements import RUNS, TAGS
from rothamsted.tracking.sql.store import begin, prepare_connection, sql_engine

_PARENT = "mlflow.parentRunId"
_IDS_A_STATEMENT = 1000  # SQLite takes 32,766 parameters in one statement
_MODELS: Any = SqlLoggedModel.__table__
_INPUTS: Any = SqlInput.__table__
_INPUT_TAGS: Any = SqlInputTag.__table__
_DATASETS: Any = SqlDataset.__table__
_EXPERIMENT_TAGS: Any = SqlExperimentTag.__table__


@dataclass(frozen=True, kw_only=True)
class RunFamily:
    """Runs with all below them.

    Attributes:
        run_ids: of all of them.
        folders: their artifacts' places, and those of the models that they logged.
        model_ids: of those models.
        versions: registered model versions that were made from them, as "NAME version 3".
        is_local_sql: whether they can be deleted for good from here.
    """

    run_ids: Sequence[str]
    folders: Sequence[str]
    model_ids: Sequence[str]
    versions: Sequence[str]
    is_local_sql: bool

    def local_files(self) -> Iterator[Path]:
        """Yield the files in those places that are folders of this machine."""
        for folder in self.folders:
            if is_local_uri(folder, is_tracking_or_registry_uri=False):
                yield from (path for path in Path(local_file_uri_to_path(folder)).rglob("*") if path.is_file())


def find_family(roots: Collection[str], names: Collection[str], *, uri: str) -> RunFamily:
    """Find the runs of these ids, all runs below them, and the runs that say that they go on with one of them.

    Args:
        roots: run ids.
        names: of sweeps, by which a server is asked.
        uri: tracking URI.
    """
    is_sql = not why_not_sql(uri)
    if is_sql:
        found = reading(f"{masked(uri)}: cannot read runs", lambda: _from_sql(uri, set(roots)))
    else:
        found = _from_client(uri, set(roots), names)
    run_ids, folders, model_ids = found
    versions = _versions_of(set(run_ids), set(model_ids), uri=uri)
    return RunFamily(run_ids=run_ids, folders=folders, model_ids=model_ids, versions=versions, is_local_sql=is_sql)


def delete_family(family: RunFamily, *, uri: str) -> None:
    """Delete runs with their artifacts and logged models. Called again after it was stopped, it deletes the rest.

    Raises:
        StoreError: an artifact or a run that cannot be deleted.
    """
    if not family.is_local_sql:
        client = client_of(uri)
        for run_id in family.run_ids:
            try:
                client.delete_run(run_id)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise StoreError(f"run {run_id}: cannot be deleted: {one_line(error)}") from error
        return
    for folder in family.folders:  # first, as their places stand in the rows
        _delete_artifacts(folder)
    reading(f"{masked(uri)}: cannot delete runs", lambda: _delete_from_sql(family, uri))


def _delete_from_sql(family: RunFamily, uri: str) -> None:
    """All rows or none, so that it may be done again."""
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        begin(connection)
        _delete_rows(connection, "logged_models", _MODELS.c.model_id, family.model_ids)
        for some in _portions(family.run_ids):
            _delete_inputs(connection, some)
            views = [f"{SHARED_VIEW}{run_id}" for run_id in some]
            connection.execute(sa.delete(_EXPERIMENT_TAGS).where(_EXPERIMENT_TAGS.c.key.in_(views)))
        _delete_rows(connection, "runs", RUNS.c.run_uuid, family.run_ids)
        connection.commit()


def _from_sql(uri: str, roots: set[str]) -> tuple[list[str], list[str], list[str]]:
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        related = sa.select(TAGS.c.run_uuid, TAGS.c.value).where(TAGS.c.key.in_((_PARENT, tags.CONTINUES)))
        run_ids = _with_all_below(roots, {(child, parent) for child, parent in connection.execute(related)})
        folders: list[str] = []
        models: list[str] = []
        there: list[str] = []
        for some in _portions(run_ids):
            for run_id, folder in connection.execute(
                sa.select(RUNS.c.run_uuid, RUNS.c.artifact_uri).where(RUNS.c.run_uuid.in_(some))
            ):
                there.append(run_id)
                folders.append(folder)
            query = sa.select(_MODELS.c.model_id, _MODELS.c.artifact_location)
            for model_id, folder in connection.execute(query.where(_MODELS.c.source_run_id.in_(some))):
                models.append(model_id)
                folders.append(folder)
    return there, [folder for folder in folders if folder], models


def _from_client(uri: str, roots: set[str], names: Collection[str]) -> tuple[list[str], list[str], list[str]]:
    found = {run.run_id: run for name in names for run in find_runs(None, {tags.SWEEP: name}, uri=uri)}
    related = {
        (run.run_id, run.tags[key]) for run in found.values() for key in (_PARENT, tags.CONTINUES) if key in run.tags
    }
    return _with_all_below(roots, related), [], []


def _with_all_below(roots: set[str], related: Collection[tuple[str, str]]) -> list[str]:
    """The roots and all that is related to one of them, directly or not."""
    below: dict[str, list[str]] = {}
    for child, parent in related:
        below.setdefault(parent, []).append(child)
    family, left = set(roots), list(roots)
    while left:
        new = [child for child in below.get(left.pop(), ()) if child not in family]
        family.update(new)
        left += new
    return sorted(family)


def _versions_of(run_ids: set[str], model_ids: set[str], *, uri: str) -> list[str]:
    """Registered versions that serve a model of these runs."""
    registry = open_registry(uri)
    found: list[str] = []
    for name in registry.model_names():
        aliases: dict[str, list[str]] = {}
        for alias, version in registry.model(name).aliases.items():
            aliases.setdefault(version, []).append(alias)
        for version in registry.versions(name):
            if version.run_id in run_ids or version.source.rpartition("/")[2] in model_ids:
                held = f" ({', '.join(aliases[version.version])})" if version.version in aliases else ""
                found.append(f"{name} version {version.version}{held}")
    return found


def _delete_inputs(connection: sa.Connection, run_ids: Sequence[str]) -> None:
    """Delete what links runs with data sets and models, and the data sets that no other run has."""
    of_run = sa.or_(_INPUTS.c.source_id.in_(run_ids), _INPUTS.c.destination_id.in_(run_ids))
    linked = connection.execute(sa.select(_INPUTS.c.input_uuid, _INPUTS.c.source_id).where(of_run)).all()
    sources = sorted({source for _, source in linked})
    for some in _portions([one for one, _ in linked]):
        connection.execute(sa.delete(_INPUT_TAGS).where(_INPUT_TAGS.c.input_uuid.in_(some)))
        connection.execute(sa.delete(_INPUTS).where(_INPUTS.c.input_uuid.in_(some)))
    for some in _portions(sources):
        is_used = sa.exists().where(_INPUTS.c.source_id == _DATASETS.c.dataset_uuid)
        connection.execute(sa.delete(_DATASETS).where(_DATASETS.c.dataset_uuid.in_(some), ~is_used))


def _delete_artifacts(folder: str) -> None:
    local = Path(local_file_uri_to_path(folder)) if is_local_uri(folder, is_tracking_or_registry_uri=False) else None
    try:
        if local is None or local.exists():
            get_artifact_repository(folder).delete_artifacts()
        for empty in (local, local.parent) if local is not None else ():  # RUN/artifacts, then RUN
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()
    except (MlflowException, OSError) as error:
        raise StoreError(f"artifacts {folder}: cannot be deleted: {one_line(error)}") from error


def _delete_rows(connection: sa.Connection, table: str, key: sa.ColumnElement[str], ids: Sequence[str]) -> None:
    """Delete rows and those of all tables that refer to them; a reference that may be empty is emptied."""
    own: Mapping[str, sa.Table] = Base.metadata.tables
    for some in _portions(ids):
        for other in reversed(Base.metadata.sorted_tables):
            for reference in other.foreign_keys:
                if reference.column.table.name != table or reference.column.name != key.name:
                    continue
                of_ids = reference.parent.in_(some)
                if reference.ondelete == "SET NULL":
                    connection.execute(sa.update(other).where(of_ids).values({reference.parent.name: None}))
                else:
                    connection.execute(sa.delete(other).where(of_ids))
        connection.execute(sa.delete(own[table]).where(own[table].c[key.name].in_(some)))


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        yield ids[start : start + _IDS_A_STATEMENT]

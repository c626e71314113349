"""Write and read artifacts of a run: texts, files, folders, and tables as MLflow's UI shows them.

Artifacts in a folder of this machine are written and read directly, as MLflow does it; others through MLflow, which
takes a second to import.
"""

from __future__ import annotations

import errno
import json
import posixpath
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlparse
from urllib.request import url2pathname

from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.given_files import MOST_BYTES, json_of, reading
from rothamsted.masking import masked
from rothamsted.tracking.batch import Batch, Writer
from rothamsted.tracking.failures import is_of_mlflow, is_of_requests, one_line, store_error
from rothamsted.tracking.retrying import Retrying, usual_patience
from rothamsted.tracking.sql.runs import artifact_uri
from rothamsted.tracking.sql.schema import client_of, is_empty, why_not_sql

T = TypeVar("T")
_MEND = "put it back as it was"
TABLES_TAG = "mlflow.loggedArtifacts"  # where MLflow's UI looks for tables


def put_text(writer: Writer, run_id: str, text: str, path: str) -> None:
    """Store a text under `path`, slashes making folders."""
    near = _near(writer.artifact_uri(run_id), path)
    try:
        if near is None:
            writer.client.log_text(run_id, text, path)
        else:
            _write(near, text.encode())
    except Exception as error:
        raise _refused(f"run {run_id}: cannot store artifact {path!r}", error) from error


def put_texts(writer: Writer, batch: Batch) -> None:
    """Store the texts of a batch, whose runs are there. One that is refused stays in it, with those after it."""
    for run_id, waiting in list(batch.runs.items()):
        for path, text in waiting.texts.items():
            put_text(writer, run_id, text, path)
        del batch.runs[run_id]


def put_file(writer: Writer, run_id: str, local_path: str | Path, folder: str) -> None:
    """Store a file, or the contents of a folder, under `folder` (empty: at the top)."""
    local_path = Path(local_path)
    if not local_path.exists():
        raise StoreError(f"run {run_id}: cannot store {local_path}: there is no such file")
    is_folder = local_path.is_dir()
    near = _near(writer.artifact_uri(run_id), posixpath.join(folder, *([] if is_folder else [local_path.name])))
    try:
        if near is not None and is_folder:
            shutil.copytree(local_path, near, dirs_exist_ok=True, copy_function=shutil.copyfile)
        elif near is not None:
            near.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(local_path, near)
        elif is_folder:
            writer.client.log_artifacts(run_id, str(local_path), folder or None)
        else:
            writer.client.log_artifact(run_id, str(local_path), folder or None)
    except Exception as error:
        raise _refused(f"run {run_id}: cannot store artifact {local_path.name!r}", error) from error


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table in the form of `mlflow.log_table`, which MLflow's UI shows as a table: columns and data.

    Written whole, so that writing again replaces the rows instead of adding to them.
    """
    return json.dumps({"columns": list(columns), "data": [list(row) for row in rows]}, default=str)


def with_table(listed: str | None, path: str) -> str | None:
    """Return the tag `TABLES_TAG` of a run with a table listed in it."""
    way_out = f"delete the tag {TABLES_TAG} of the run"
    with reading(f"tag {TABLES_TAG}", way_out=way_out, error=StoreError):
        tables = json_of(listed or "[]", list, source=f"tag {TABLES_TAG}", way_out=way_out, error=StoreError)
        if any(entry.get("path") == path for entry in tables):
            return listed
    return json.dumps([*tables, {"path": path, "type": "table"}])


def read_text(run_id: str, path: str, *, uri: str) -> str | None:
    """Return a text artifact of a run; None where there is none under this path.

    Raises:
        StoreError: it cannot be read, has more than MOST_BYTES, or is no UTF-8.
    """
    found = _waiting(uri).until_done(lambda: _read(run_id, path, uri, most=MOST_BYTES))
    with reading(f"run {run_id}: artifact {path}", way_out=_MEND, error=StoreError):
        return None if found is None else found.decode("utf-8")


def read_json(run_id: str, path: str, kind: type[T], *, uri: str) -> T | None:
    """Return the value of a JSON artifact of a run; None where there is none under this path.

    Args:
        run_id: Of the run.
        path: Of the artifact.
        kind: `dict` or `list`, which the value must be.
        uri: Tracking URI.

    Raises:
        StoreError: it cannot be read, or is not JSON of this kind.
    """
    text = read_text(run_id, path, uri=uri)
    if text is None:
        return None
    return json_of(text, kind, source=f"run {run_id}: artifact {path}", way_out=_MEND, error=StoreError)


def read_bytes(run_id: str, path: str, *, uri: str) -> bytes | None:
    """Return an artifact of a run as it is; None where there is none under this path."""
    return _waiting(uri).until_done(lambda: _read(run_id, path, uri))


def _read(run_id: str, path: str, uri: str, *, most: int | None = None) -> bytes | None:
    try:
        place = _place(run_id, uri)
        near = _near(place, path)
        if near is not None:
            return _bytes_of(near, most) if near.is_file() else None
        client = client_of(uri)
        names = {item.path for item in client.list_artifacts(run_id, str(Path(path).parent).lstrip(".") or None)}
        if path not in names:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return _bytes_of(Path(client.download_artifacts(run_id, path, folder)), most)
    except Exception as error:
        raise _refused(f"run {run_id}: cannot read artifact {path!r}", error) from error


def _bytes_of(path: Path, most: int | None) -> bytes:
    if most is not None and path.stat().st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes")
    return path.read_bytes()


def list_files(run_id: str, folder: str, *, uri: str) -> list[str]:
    """Return the paths of the artifacts in a folder of a run, sorted; empty where there is no such folder."""
    return _waiting(uri).until_done(lambda: _list(run_id, folder, uri, folders=False))


def _list(run_id: str, folder: str, uri: str, *, folders: bool) -> list[str]:
    try:
        near = _near(_place(run_id, uri), folder)
        if near is not None:
            found = near.iterdir() if near.is_dir() else []
            return sorted(posixpath.join(folder, one.name) for one in found if one.is_dir() is folders)
        listed = client_of(uri).list_artifacts(run_id, folder)
        return sorted(item.path for item in listed if item.is_dir is folders)
    except Exception as error:
        raise _refused(f"run {run_id}: cannot list artifacts in {folder!r}", error) from error


def list_folders(run_id: str, folder: str, *, uri: str) -> list[str]:
    """Return the paths of the folders in a folder of a run's artifacts, sorted; empty where there is no such folder."""
    return _waiting(uri).until_done(lambda: _list(run_id, folder, uri, folders=True))


def write_bytes(run_id: str, content: bytes, path: str, *, uri: str, wait_seconds: float | None = None) -> None:
    """Store an artifact of a run whose folder is this machine's in full or not at all, elsewhere as MLflow does.

    Raises:
        StoreError: It cannot be stored; where its cause is a `StoreAwayError`, not now.
    """
    _waiting(uri).until_done(lambda: _put(run_id, content, path, uri), wait_seconds=wait_seconds)


def _put(run_id: str, content: bytes, path: str, uri: str) -> None:
    try:
        near = _near(_place(run_id, uri), path)
        if near is not None:
            _write(near, content)
            return
        folder, _, name = path.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            written = Path(temporary) / name
            written.write_bytes(content)
            client_of(uri).log_artifact(run_id, str(written), folder or None)
    except Exception as error:
        raise _refused(f"run {run_id}: cannot store artifact {path!r}", error) from error


def delete_files(run_id: str, paths: Iterable[str], *, uri: str, wait_seconds: float | None = None) -> None:
    """Delete artifacts of a run, those that are gone already too, and folders of this machine that are then empty.

    Raises:
        StoreError: One cannot be deleted; some stores let nothing be deleted.
    """
    for path in paths:
        _waiting(uri).until_done(partial(_delete, run_id, path, uri), wait_seconds=wait_seconds)


def _delete(run_id: str, path: str, uri: str) -> None:
    try:
        place = _place(run_id, uri)
        near = _near(place, path)
        if near is None:
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            get_artifact_repository(str(place), uri).delete_artifacts(path)
            return
        near.unlink(missing_ok=True)
        with suppress(OSError):  # something else is there
            for _ in posixpath.dirname(path).split("/"):
                near = near.parent
                near.rmdir()
    except NotImplementedError as error:
        raise StoreError(f"run {run_id}: cannot delete artifact {path!r}: its store does not allow it") from error
    except Exception as error:
        raise _refused(f"run {run_id}: cannot delete artifact {path!r}", error) from error


def folder_here(run_id: str, *, uri: str) -> Path | None:
    """Return the folder of this machine in which the artifacts of a run lie; None where they lie elsewhere."""
    return _near(_waiting(uri).until_done(lambda: _place(run_id, uri)), "")


def local_folder(place: str) -> Path | None:
    """Return the folder of this machine that an address of artifacts means; None where it means another place."""
    return _near(place, "")


def _waiting(uri: str) -> Retrying:
    return usual_patience(masked(uri))


def _place(run_id: str, uri: str) -> str | None:
    """Where the artifacts of a run lie.

    Read as it is: through the client, one read asks the store five times, since it looks at the run's models too.
    """
    if is_empty(uri) or why_not_sql(uri) is not None:
        return client_of(uri).get_run(run_id).info.artifact_uri
    found = artifact_uri(uri, run_id)
    if found is None:
        raise StoreError(
            f"run {run_id}: there is no such run in {masked(uri)}; set MLFLOW_TRACKING_URI to the store that has it"
        )
    return found


def _near(place: str | None, path: str) -> Path | None:
    """The file of an artifact that lies on this machine; None elsewhere, and for a path that MLflow refuses."""
    if place is None or (path and (posixpath.normpath(path) != path or path.startswith((".", "/")))):
        return None
    if place.startswith("/"):
        folder = Path(place)
    elif place.startswith("file:///") and not any(urlparse(place)[3:]):
        folder = Path(url2pathname(urlparse(place).path))
    else:
        return None
    found = (folder / path).resolve()
    return found if found.is_relative_to(folder.resolve()) else None


def _write(path: Path, content: bytes) -> None:
    """Write at once and whole: whoever reads sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".artifact.uploading.{uuid.uuid4().hex}")
    try:
        new.write_bytes(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _refused(what: str, error: Exception) -> Exception:
    """The error to be raised for one of MLflow, its server, the database or the file system; any other as it is."""
    if is_of_mlflow(error) or is_of_requests(error) or isinstance(error, SQLAlchemyError):
        return store_error(what, error)
    if isinstance(error, OSError):
        return StoreError(f"{what}: {one_line(error)}")
    return error

"""Files of a run beside those that its recorder writes: written at once, listed, read, deleted; in each store."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rothamsted import tracking
from rothamsted.errors import StoreError
from tests.tracking.stores import Store

CONTENT = bytes(range(256))


def new_run(store: Store) -> str:
    with store.open() as recorder:
        run_id = recorder.open_run(experiment_id=store.experiment_id, name="run", tags={}, params={}, start_ms=1)
        recorder.flush()
        return run_id


def test_a_file_is_read_as_it_was_written_and_written_again(store: Store) -> None:
    run_id = new_run(store)
    for content in (CONTENT, CONTENT[::-1], b""):
        tracking.write_bytes(run_id, content, "states/1-0/a.bin", uri=store.uri)
        assert tracking.read_bytes(run_id, "states/1-0/a.bin", uri=store.uri) == content
    assert tracking.list_files(run_id, "states/1-0", uri=store.uri) == ["states/1-0/a.bin"]


def test_files_and_folders_are_listed_apart(store: Store) -> None:
    run_id = new_run(store)
    for path in ("states/1-0/a.bin", "states/2-0/a.bin", "states/b.bin"):
        tracking.write_bytes(run_id, CONTENT, path, uri=store.uri)
    assert tracking.list_files(run_id, "states", uri=store.uri) == ["states/b.bin"]
    assert tracking.list_folders(run_id, "states", uri=store.uri) == ["states/1-0", "states/2-0"]
    assert tracking.list_folders(run_id, "elsewhere", uri=store.uri) == []


def test_what_is_deleted_is_gone_and_nothing_else_and_may_be_deleted_again(store: Store) -> None:
    run_id = new_run(store)
    paths = ["states/1-1/a.bin", "states/1-10/a.bin"]  # the name of one begins with the other's
    for path in paths:
        tracking.write_bytes(run_id, CONTENT, path, uri=store.uri)
    for _ in range(2):
        tracking.delete_files(run_id, paths[:1], uri=store.uri)
    assert tracking.list_files(run_id, "states/1-1", uri=store.uri) == []
    assert tracking.read_bytes(run_id, paths[1], uri=store.uri) == CONTENT


def test_a_folder_of_this_machine_that_is_empty_goes_with_its_last_file(store: Store) -> None:
    run_id = new_run(store)
    here = tracking.folder_here(run_id, uri=store.uri)
    if store.kind == "server":
        assert here is None
        return
    assert here is not None
    tracking.write_bytes(run_id, CONTENT, "states/1-0/a.bin", uri=store.uri)
    tracking.delete_files(run_id, ["states/1-0/a.bin"], uri=store.uri)
    assert not Path(here / "states").exists()
    assert here.is_dir()


def test_a_run_of_another_store_is_refused_with_the_store_that_was_asked(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with tracking.open_recorder(store) as recorder:
        recorder.flush()
    with pytest.raises(StoreError, match=rf"there is no such run in {re.escape(store)}; set MLFLOW_TRACKING_URI"):
        tracking.write_bytes("0" * 32, CONTENT, "a.bin", uri=store)

"""Records of a sweep that somebody damaged: each reader gives what is whole, or says in one line what is not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rothamsted import tags, tracking
from rothamsted.analysis.read_confirmed_metrics import CONFIRMED_METRICS, read_confirmed_metrics
from rothamsted.analysis.read_promotions import FOLDER, read_promotions
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.errors import StoreError, UserError
from rothamsted.publish.published import PUBLISHED, read_published
from tests.sweeping.conftest import Project

DAMAGED = (
    *(b"", b"{", b"null", b"[]", b"{}", b"[1]", b"3", b'{"of": "x", "files": 3, "space": [1]}', b"\xff\xfe\x00"),
    *(
        b"[" * 100_000,
        b"9" * 5_000,
        b'{"a": {"b": [[[{"c": 1}]]]}}',
        b'[{"a": 1}]',
        b"a,b\n1\n",
        b"run_id,metric\nx,y\n",
    ),
)
READERS: dict[str, Callable[[str, str], Any]] = {
    "sweep/resolved.json": lambda run_id, uri: read_sweep(run_id, uri=uri),
    f"sweep/{tags.ORIGIN_FILE}": lambda run_id, uri: read_sweep(run_id, uri=uri),
    f"sweep/{tags.METRICS_FILE}": lambda run_id, uri: read_sweep(run_id, uri=uri),
    f"sweep/{tags.GROWN_FILE}": lambda run_id, uri: read_sweep(run_id, uri=uri),
    f"{FOLDER}/toy-1-1.json": lambda run_id, uri: read_promotions(run_id, uri=uri),
    CONFIRMED_METRICS: lambda run_id, uri: read_confirmed_metrics(run_id, uri=uri),
}


def refusal(call: Callable[[], Any]) -> str:
    """The line that a call refuses with; empty where it does not."""
    try:
        call()
    except UserError as error:
        return str(error)
    return ""


@pytest.fixture
def swept_once(project: Project) -> tuple[Project, str]:
    """A sweep of one condition and one replicate, and the id of its run."""
    context = project.start({"space": {"lr": [0.1]}, "replicates": {"count": 1}})
    project.work(context)
    context.recorder.close()
    [run] = tracking.find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    return project, run.run_id


def test_a_damaged_artifact_is_one_line_or_is_not_needed(swept_once: tuple[Project, str]) -> None:
    project, run_id = swept_once
    uri, n_refused = project.tracking_uri, 0
    for path, read in READERS.items():
        was = tracking.read_bytes(run_id, path, uri=uri)
        for content in DAMAGED:
            tracking.write_bytes(run_id, content, path, uri=uri)
            line = refusal(lambda read=read: read(run_id, uri))
            n_refused += line != ""
            assert line == "" or line.isprintable()
            assert line == "" or path in line or "recorded sweep" in line, (path, content[:20], line)
        if was is None:
            tracking.delete_files(run_id, [path], uri=uri)
        else:
            tracking.write_bytes(run_id, was, path, uri=uri)
    assert n_refused > len(DAMAGED)
    assert len(read_sweep(run_id, uri=uri).conditions) == 1


def test_a_damaged_note_of_what_was_published_is_none(swept_once: tuple[Project, str]) -> None:
    project, run_id = swept_once
    files = {"of": "x", "files": {}, "next": [{"words": "w", "lines": ["l"]}]}
    tracking.write_bytes(run_id, json.dumps(files).encode(), PUBLISHED, uri=project.tracking_uri)
    assert read_published(run_id, "x", uri=project.tracking_uri) is not None
    of_x = [json.dumps({**files, key: value}).encode() for key in ("files", "next") for value in (3, None, [1], "a")]
    for content in (*DAMAGED, *of_x):
        tracking.write_bytes(run_id, content, PUBLISHED, uri=project.tracking_uri)
        assert read_published(run_id, "x", uri=project.tracking_uri) is None


@pytest.mark.parametrize("key", [tags.CONDITION])
@pytest.mark.parametrize("value", ["{", "[]", "3", "[" * 4_000])
def test_a_tag_that_is_no_json_of_ours_is_one_line(key: str, value: str, swept_once: tuple[Project, str]) -> None:
    project, run_id = swept_once
    path = Path(project.tracking_uri.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection, connection:
        trials = "SELECT run_uuid FROM tags WHERE key = ? AND value IN ('trial', 'confirmation')"
        for (trial_id,) in connection.execute(trials, (tags.ROLE,)).fetchall():
            connection.execute("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", (key, value, trial_id))
    with pytest.raises(StoreError, match=rf"tag {key}: (is damaged|must hold a JSON object)") as refused:
        read_sweep(run_id, uri=project.tracking_uri)
    assert str(refused.value).isprintable()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM tags WHERE key = ?", (key,))  # the fixture reads the sweep at its end
